/** What a replay tells while it runs. */
import type { Place } from "./place.ts";
import type { PageRun, Round, SyncMark } from "./result.ts";

/** One request: a chain from vhost_get_vq_desc() to vhost_add_used_n(). */
export interface RequestRecord {
  /** Number of its machine. */
  machine: number;
  /** 1-based, in the order of the pops (or of the used event where the pop was not seen). */
  serial: number;
  device: number;
  queue: number | null;
  vq: string;
  /** Null for an element of QEMU: its trace does not say. */
  head: number | null;
  /** VirtQueueElement of a device of QEMU itself, hex; null for a request of vhost. */
  element: string | null;
  popped: { ns: string; place: Place } | null;
  /** Its used element; `len` or `idx` null where it is not known. */
  used: { ns: string; place: Place; len: number | null; idx: number | null } | null;
  /** `completed`, `dropped` (consumed, never returned), `in-flight` at the end, `unknown-head` (pop not seen). */
  state: "completed" | "dropped" | "in-flight" | "unknown-head";
  /** LOG_ALL as seen by the drain before the pop: the log entries were captured. Null: not seen. */
  captured: boolean | null;
  /** The capture was freed by a SET_FEATURES without LOG_ALL. */
  freed: boolean;
  /** Name of the Cause its write descriptors have. Null when it never completed. */
  cause: string | null;
  reads: { gpa: number; len: number }[];
  writes: { gpa: number; len: number }[];
  /**
   * Bytes that count as written: of received packets as many as they had, otherwise all of `writes`.
   * Null unless it completed. Their sum over a queue is its `writeBytes`.
   */
  written: number | null;
  /** False: an element whose addresses the recording does not have (`reads` and `writes` empty). */
  addressed: boolean;
  /** From virtio_scsi_* events of QEMU; null in a recording of the nine probes. */
  lun: number | null;
  /** The low 32 bits of the tag, which is all that QEMU traces; hex. */
  tag: string | null;
  /** First byte of the CDB, hex; null for a task management request. */
  opcode: string | null;
  /** virtio_scsi_cmd_resp: response code, SCSI status. */
  response: number | null;
  status: number | null;
  cdb: string | null;
}

/** One write that touches the watched range: from a descriptor, or to the used ring. */
export interface WatchedWrite {
  /** Number of its machine. */
  machine: number;
  ns: string;
  place: Place;
  round: number;
  cause: string;
  gpa: number;
  len: number;
  device: number;
  queue: number | null;
  head: number | null;
  request: number | null;
  popPlace: Place | null;
  popNs: string | null;
  /** Names of the policies whose dirty log gets these pages. */
  loggedBy: string[];
}

/** The state at the end of a round, valid only during the callback. */
export interface SyncView {
  /** Number of the machine that it is about: a sync of several machines comes once for each. */
  machine: number;
  mark: SyncMark | null;
  round: Round;
  /**
   * Raw image of this round's log under policy `index` (position in the options): bit n = page n,
   * least significant bit first, `bytes` long (a multiple of 8). Pages beyond `bytes` are counted
   * in `beyond`.
   */
  image(index: number, bytes: number): { image: Uint8Array; beyond: number };
  /** Pages that this policy logged in this round, ascending: for tests and small sets. */
  pages(index: number): number[];
  /** Highest page logged by this policy in this round, or -1. */
  highestPage(index: number): number;
  /** Pages of this policy, ascending: logged or lost in this round, or stale after it. */
  runs(index: number, set: "logged" | "lost" | "stale"): PageRun[];
  /** Size in bytes that QEMU gives the log for the memory map known so far (0: map unknown). */
  qemuLogBytes: number;
}
