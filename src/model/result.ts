/**
 * What a replay found: plain data, the same for the text report, the JSON report and a program
 * that uses the library. Addresses are numbers here (a guest-physical address has at most 44 bits)
 * and become hex strings in JSON.
 */
import type { Place } from "./place.ts";

/** A half-open run of guest pages: gfn is the first page's number (gpa >> 12). */
export interface PageRun {
  gfn: number;
  pages: number;
}

/** How a result relates to the truth. `lower`, `upper`, `bounds`: why stands in the limits. */
export type Certainty = "exact" | "lower" | "upper" | "bounds";

/** recorded: the log's state as the recording shows it; assumed: as if logging had been on throughout. */
export type LogWindow = "recorded" | "assumed";

export interface InputSummary {
  name: string;
  /** `ftrace text (kernel)`, `trace.dat v7 zstd`, `NDJSON` … */
  format: string;
  /** Outer compressions, outermost first: `gzip`, `zstd`, `xz`. */
  compression: string[];
  /** Bytes as given; null for a stream whose end was not reached. */
  size: number | null;
  /** Of the bytes as given; null unless asked for. */
  sha256: string | null;
  /** `mono`, `local` …; null when the recording does not say. */
  clock: string | null;
  /** The times are already on the clock of the first input, known as well as this; decimal. */
  clockToleranceNs?: string;
  cpus: number[];
  /** First and last event, nanoseconds on the recording's clock, decimal; null without events. */
  firstNs: string | null;
  lastNs: string | null;
  /** Events by the name they have in the recording; `kind` is null for events that are not understood. */
  events: { name: string; kind: string | null; count: number }[];
  /** Lines that are no event at all. */
  foreignLines: number;
  gaps: GapSummary[];
  /** Events whose time lies before the one read before them, after reordering. */
  outOfOrder: number;
  /** Facts about this input that the user should know, one sentence each. */
  notes: string[];
}

export interface GapSummary {
  cpu: number | null;
  /** null: the recorder does not say how many. */
  lost: number | null;
  place: Place;
}

export interface QueueSummary {
  /** 0 control, 1 event, 2 and up I/O; null when no drain of it was seen. */
  index: number | null;
  vq: string;
  num: number;
  /** GPA of the used ring; null when never seen. */
  used: number | null;
  popped: number;
  completed: number;
  /** Completed with a head that was not seen popped: popped before the recording, or lost. */
  unknownHead: number;
  /** Chains that vhost_get_vq_desc() refused. */
  rejected: number;
  /** Consumed and never returned: head popped again, or endpoint cleared. */
  dropped: number;
  inFlightAtEnd: number;
  /** Used elements whose events are lost: gaps in used.idx. */
  lostCompletions: number;
  /** Bytes and number of write descriptors of completed requests. */
  writeDescriptors: number;
  writeBytes: number;
}

export interface DeviceSummary {
  /**
   * `vhost-scsi`, `vhost-net`, `vhost-vsock`, or `vhost` when nothing tells; a user-space back end is
   * `vhost-user-scsi`, `-blk`, `-net`, `-fs`, or `vhost-user` when nothing tells its class.
   */
  driver: string;
  /** struct vhost_dev (from drain) and the driver's own structure (from ioctl), hex; null when not seen. */
  dev: string | null;
  vs: string | null;
  /** Last acked features, hex. */
  features: string | null;
  memory: { first: number; last: number; hva: string }[];
  queues: QueueSummary[];
  logging: { place: Place; ns: string; what: string }[];
}

export interface SyncMark {
  /** The sync's own number; counted from 0 when the marker has none. */
  number: number;
  name: string;
  ns: string;
  place: Place;
}

export interface PolicyRound {
  logged: number;
  lost: number;
  extra: number;
  newlyLost: number;
  /** Stale after this round: running total. */
  stale: number;
}

export interface Round {
  /** 0-based; the last one may have no sync: what follows the last sync, or the whole recording. */
  index: number;
  sync: SyncMark | null;
  /** Pages written inside the logging window in this round. */
  written: number;
  /** In the order of `policies`. */
  policies: PolicyRound[];
  /** What QEMU says of the sync that ends it; null where a marker does, or nothing. */
  bitmapSync: {
    startNs: string;
    endNs: string | null;
    dirtyPages: number | null;
    /** Pages sent in this round, data and zeros. */
    sent: number;
  } | null;
  /** Why this round's log may be incomplete: lost events, completions without a pop. One sentence each. */
  caveats: string[];
}

/** A write that is the first one to touch its pages in its round, for this cause. */
export interface Evidence {
  cause: string;
  device: number;
  queue: number | null;
  head: number | null;
  request: number | null;
  round: number;
  gpa: number;
  len: number;
  /** The event that ended the request (used), or made the ring write. */
  place: Place;
  ns: string;
  popPlace: Place | null;
  popNs: string | null;
}

/** Lost pages of one policy, one cause and one queue. */
export interface Finding {
  /** Stable: `lost-io`, `lost-io-late`, `lost-io-freed`, `lost-ctl`, `lost-evt`, `no-log-base` … */
  code: string;
  policy: string;
  /** The round of `first`, and in how many rounds it happened. */
  round: number;
  rounds: number;
  queue: number | null;
  device: number;
  cause: string;
  /** Lost pages, summed over the rounds; a page counts for the first write that touched it. */
  pages: number;
  requests: number;
  runs: PageRun[];
  /** Runs that are not listed because there are too many. */
  moreRuns: number;
  first: Evidence;
  certainty: Certainty;
  /**
   * How the written pages are known: exact (the recording has the bytes' range: rings, packets) or
   * bound (all of a descriptor, of which the device may have written less).
   */
  written: "exact" | "bound";
}

export interface PolicyResult {
  name: string;
  /** `unpatched` and the like, when the user or the default asked by alias. */
  alias: string | null;
  title: string;
  /** This vhost did not make the recording and could not have: the numbers are a what-if. */
  whatIf: boolean;
  /** Distinct pages: logged in any round; written and not logged in some round; still so at the end. */
  logged: number;
  lost: number;
  stale: number;
  /** Of `lost`: at most `runLimit` runs, ascending. */
  lostRuns: PageRun[];
  moreLostRuns: number;
}

export interface Limit {
  /** Stable code: `events-lost`, `attached-late`, `in-flight`, `write-upper-bound` … */
  code: string;
  /** One sentence for people. */
  text: string;
  /** Which way it moves the numbers, or null when it moves none. */
  effect: "more" | "fewer" | "both" | null;
  places: Place[];
}

/** Can the recording answer a question, and if not, why not. */
export interface Sufficiency {
  question: string;
  answer: "yes" | "partly" | "no";
  why: string;
}

/** What covered an unlogged write: a send, the policy's own log, a vCPU's write, the device's stop. */
export type HealedBy = "first-send" | "resend" | "log" | "cpu" | "stop";

/**
 * Why a page is only possibly stale. first-pass: written in the first pass, when it may not have
 * been sent yet; in-flight: between the send's event and the flush of QEMU's buffer, or within the
 * clocks' tolerance; queued: no sends are recorded, and it was queued since the last sync;
 * events-lost: a send may be among events that were lost; what-if: sent again, perhaps only because
 * the vhost that ran logged it; unfinished: the recording ends before the migration.
 */
export type Doubt =
  | "first-pass"
  | "in-flight"
  | "queued"
  | "no-send-times"
  | "arrival"
  | "events-lost"
  | "what-if"
  | "unfinished";

/** A page that is stale or may be, with the last write that the policy left out. */
export interface StalePage {
  gfn: number;
  verdict: "stale" | "possibly-stale";
  write: Evidence;
  /** The last send before that write, where the recording has it. */
  sentNs: string | null;
  /** The request was popped before that send: the data may have landed before it. */
  poppedBeforeSend: boolean;
  doubts: Doubt[];
}

/** Which pages are stale at the destination, had this policy been the source's. */
export interface MigrationVerdict {
  policy: string;
  /** Pages: certainly stale; by the likely order of sends; at the worst. */
  best: number;
  likely: number;
  worst: number;
  stale: PageRun[];
  possiblyStale: PageRun[];
  healed: { by: HealedBy; runs: PageRun[] }[];
  /** Pages that this policy logged and that were never sent again. */
  loggedNotSent: number;
  /** Another policy fits the sends and logs more: sends count only as far as this one explains them. */
  whatIf: boolean;
  pages: StalePage[];
  pagesWithoutEvidence: number;
}

/** A live migration in the recording. */
export interface MigrationResult {
  from: "qemu" | "ioctl";
  outcome: "completed" | "cancelled" | "failed" | "unfinished";
  logOn: { ns: string; place: Place };
  firstSyncNs: string | null;
  stoppedNs: string | null;
  postcopyNs: string | null;
  endNs: string | null;
  syncs: number;
  states: { state: string; ns: string }[];
  /** Page sends: with data, of zeros (only where a destination was recorded), of no known address. */
  sends: { data: number; zero: number; unplaced: number };
  /** Where the times of sends come from. */
  sendTimes: "source" | "source-and-destination" | "destination" | "none";
  /**
   * Pages that were sent again as pages of zeros unseen, at most: so many stale pages may be none.
   * 0: none was, or the destination's recording shows them. null: not known.
   */
  zeroResendsAtMost: number | null;
  /** How each RAM block was placed in guest-physical memory. */
  blocks: { block: string; placed: string }[];
  /** Pages that vCPUs wrote, as QEMU fetched them from KVM's dirty ring. */
  cpuDirtied: number;
  /** In the order of `policies`. */
  verdicts: MigrationVerdict[];
}

export interface ReplayResult {
  inputs: InputSummary[];
  devices: DeviceSummary[];
  window: LogWindow;
  /** Why this window: asked for, as recorded, or because logging was never on. */
  windowWhy: "asked" | "recorded" | "never-on";
  /** Distinct pages written inside the window. */
  written: number;
  policies: PolicyResult[];
  rounds: Round[];
  /** Rounds that are not listed because there are too many; they count in all totals. */
  moreRounds: number;
  /** In the order in which they began. */
  migrations: MigrationResult[];
  findings: Finding[];
  moreFindings: number;
  limits: Limit[];
  sufficiency: Sufficiency[];
  certainty: Certainty;
  /** False when the recording can carry no verdict (exit status 3); limits say why. */
  verdict: boolean;
  eventsReplayed: number;
}

// ---------------------------------------------------------------- what a replay tells while it runs

/** One request: a chain from vhost_get_vq_desc() to vhost_add_used_n(). */
export interface RequestRecord {
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
  used: { ns: string; place: Place; len: number; idx: number | null } | null;
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
