/**
 * What a replay found: plain data, the same for the text report, the JSON report and a program
 * that uses the library. Addresses are numbers here (a guest-physical address has at most 44 bits)
 * and become hex strings in JSON.
 */
import type { Evidence, PageRun } from "./evidence.ts";
import type { MigrationResult } from "./migration-result.ts";
import type { Place } from "./place.ts";

export type { Evidence, PageRun } from "./evidence.ts";

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
  /** `uname -a` of the host, where the recording says it. */
  uname?: string;
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
  /** It says how many events it holds, and they are there: its end was not cut off unseen. */
  whole: boolean;
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
  /** It is no loss of the recorder: something is there and cannot be read. */
  unread?: true;
  /** It is no loss of the recorder: the input says itself that it holds more events. */
  missing?: true;
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
  /** The same in every answer: from 0, in the order of first appearance, over all machines. */
  number: number;
  /**
   * `vhost-scsi`, `vhost-net`, `vhost-vsock`, or `vhost` when nothing tells; a user-space back end is
   * `vhost-user-scsi`, `-blk`, `-net`, `-fs`, or `vhost-user` when nothing tells its class.
   */
  driver: string;
  /** Policy of the back end that made the recording, where its probes name it; null: they do not. */
  backEnd: string | null;
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

/** Pages of one policy in one round; null: not known, as the recording carries no verdict. */
export interface PolicyRound {
  logged: number | null;
  lost: number | null;
  extra: number | null;
  newlyLost: number | null;
  /** Lost in this round or one before, and not logged since: a running total. */
  stillLost: number | null;
}

export interface Round {
  /** 0-based; the last one may have no sync: what follows the last sync, or the whole recording. */
  index: number;
  sync: SyncMark | null;
  /** Pages written inside the logging window in this round; null: not known. */
  written: number | null;
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
  /**
   * Distinct pages: logged in any round; written and not logged in some round; still so at the end.
   * null: not known, as the recording carries no verdict.
   */
  logged: number | null;
  lost: number | null;
  stillLost: number | null;
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

/**
 * What tells one virtual machine from the others. worker: the name `vhost-PID` of its worker threads;
 * ioctl: the process that made the ioctls of its vhost files; memory: the addresses of its guest
 * memory in a process; qemu: QEMU's own recording.
 */
export type ToldBy = "worker" | "ioctl" | "memory" | "qemu";

/**
 * A virtual machine in the recordings. Guest page numbers are equal in all guests, so whatever is
 * said about pages is said of one machine, and nothing is added up over machines.
 */
export interface MachineResult {
  /** From 1, in the order of first appearance. */
  number: number;
  /** Process of its VMM on the host; null: not told. */
  pid: number | null;
  /** As the user called it; null without a name. */
  name: string | null;
  toldBy: ToldBy[];
  devices: DeviceSummary[];
  window: LogWindow;
  /** Why this window: asked for, as recorded, or because logging was never on. */
  windowWhy: "asked" | "recorded" | "never-on";
  /** Distinct pages written inside the window; null: not known. */
  written: number | null;
  policies: PolicyResult[];
  rounds: Round[];
  /** Rounds that are not listed because there are too many; they count in all totals. */
  moreRounds: number;
  /** In the order in which they began. */
  migrations: MigrationResult[];
  /** The migration that is asked about, its number from 1; without it the main one. */
  askedMigration?: number;
  findings: Finding[];
  moreFindings: number;
  /** Those of the recordings stand with every machine. */
  limits: Limit[];
  sufficiency: Sufficiency[];
  certainty: Certainty;
  /** False when the recording can carry no verdict (exit status 3); limits say why. */
  verdict: boolean;
}

export interface ReplayResult {
  inputs: InputSummary[];
  /** At least one. */
  machines: MachineResult[];
  eventsReplayed: number;
}
