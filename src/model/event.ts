/**
 * A normalised event as `dump` prints it, one JSON object a line, and as the NDJSON format reads
 * it back. The replay itself never makes these: it works on the records of `assembly/event-abi.ts`.
 *
 * Every 64-bit value is a hex string (`"0x…"`), every smaller one a number. `ts` is nanoseconds as
 * a decimal string. `place` is informative and ignored when read back.
 */
interface EventBase {
  ts: string;
  cpu: number;
  pid: number;
  /** The thread is a worker called `vhost-PID`: the thread that made it. It tells machines apart. */
  owner?: number;
  /** The process of the thread, where the recorder writes it. */
  tgid?: number;
  place?: string;
}

/** translate_desc(): a descriptor of the chain being popped; `acc` 1 = device reads, 2 = writes. */
export interface DescEvent extends EventBase {
  event: "desc";
  vq: string;
  gpa: string;
  len: number;
  acc: number;
  iov: string;
}
/** Return of vhost_get_vq_desc(): head, num when the ring is empty, negative errno when rejected. */
export interface PopEvent extends EventBase {
  event: "pop";
  /** Only in the BTF form of the probe. */
  vq?: string;
  head: number;
}
/** vhost_add_used_n(): `n` elements from used index `idx`, the first of them {head, len}. */
export interface UsedEvent extends EventBase {
  event: "used";
  vq: string;
  head: number;
  len: number;
  n: number;
  idx: number;
  num: number;
  logused: number;
  logaddr: string;
  feat: string;
  nheads?: string;
  nh0?: number;
  nh1?: number;
}
/** vhost_disable_notify(): a queue starts to be drained. */
export interface DrainEvent extends EventBase {
  event: "drain";
  vq: string;
  num: number;
  avail: number;
  used: number;
  uflags: number;
  logused: number;
  logaddr: string;
  feat: string;
  logbase: string;
  dev: string;
  q0: string;
  q1: string;
}
/** vhost_enable_notify(). */
export interface RearmEvent extends EventBase {
  event: "rearm";
  vq: string;
  num: number;
  avail: number;
  uflags: number;
  logused: number;
  logaddr: string;
  feat: string;
}
/** vhost_update_used_flags(). */
export interface UflagsEvent extends EventBase {
  event: "uflags";
  vq: string;
  uflags: number;
  logused: number;
  logaddr: string;
}
/** vhost_iotlb_add_range(): a region [start, last] of the memory map. */
export interface MemEvent extends EventBase {
  event: "mem";
  iotlb: string;
  start: string;
  last: string;
  addr: string;
  perm: number;
}
/** vhost_*_ioctl(), entry; a0 to a4 are the first 40 bytes of what `arg` points to. */
export interface IoctlEvent extends EventBase {
  event: "ioctl";
  file: string;
  cmd: number;
  vs: string;
  arg: string;
  a0: string;
  a1: string;
  a2: string;
  a3: string;
  a4: string;
  /**
   * By the probed function, where the recording says it: `vhost-scsi`, `vhost-net`, `vhost-vsock`; or
   * `vhost-user` with its class, as in `vhost-user-blk`, for a message that is written as an ioctl.
   */
  driver?: string;
  /** The function of the kernel that the probe is in, where the recording says it. */
  fn?: string;
}
export interface IoctlRetEvent extends EventBase {
  event: "ioctl_ret";
  /** Digits in a string where a number of JSON is not exact. */
  ret: number | string;
}
/** A line written to trace_marker. */
export interface MarkerEvent extends EventBase {
  event: "marker";
  text: string;
}
/** The recorder lost events on this CPU before this point; `lost` null when it does not say how many. */
export interface GapEvent extends EventBase {
  event: "gap";
  lost: number | null;
}
/** vhost_discard_vq_desc(): the last `n` chains are given back. */
export interface GivebackEvent extends EventBase {
  event: "giveback";
  vq: string;
  n: number;
}
/** tun_recvmsg() and its like: a packet of `len` bytes goes into the chains popped by this pid. */
export interface RxEvent extends EventBase {
  event: "rx";
  len: number;
}
export interface RxRetEvent extends EventBase {
  event: "rx_ret";
  /** As that of `ioctl_ret`. */
  ret: number | string;
}

/** target_submit_prep(): LUN, data length and the first 16 bytes of the CDB, little endian. */
export interface CdbEvent extends EventBase {
  event: "cdb";
  lun: string;
  dlen: number;
  c0: string;
  c1: string;
}

/** A vhost-user message as the back end handles it; w0 to w4 are the first 40 bytes of its payload. */
export interface MessageEvent extends EventBase {
  event: "message";
  /** Number of the connection. */
  vid: string;
  request: number;
  size: number;
  w0: string;
  w1: string;
  w2: string;
  w3: string;
  w4: string;
}
/** SPDK, vhost_vq_get_desc(): a chain is looked up, at its pop or for the log at its completion. */
export interface SpdkGetEvent extends EventBase {
  event: "spdk_get";
  vs: string;
  vq: string;
  head: number;
  num: number;
  used: number;
  index: number;
  feat: string;
}
/** SPDK, vhost_vring_desc_to_iov(): a descriptor of the chain that this thread looks up. */
export interface SpdkDescEvent extends EventBase {
  event: "spdk_desc";
  vs: string;
  gpa: string;
  len: number;
  flags: number;
}
/** SPDK, vhost_vq_used_ring_enqueue(), entry. */
export interface SpdkUsedEvent extends EventBase {
  event: "spdk_used";
  vs: string;
  vq: string;
  head: number;
  len: number;
  num: number;
  idx: number;
  index: number;
  feat: string;
}
/** libvhost-user, vu_queue_pop(), entry: state of the queue. */
export interface VuPopEntryEvent extends EventBase {
  event: "vu_pop_entry";
  dev: string;
  vq: string;
  q0?: string;
  num: number;
  used: number;
  logaddr: string;
  flags: number;
  feat: string;
  /** 1: the next two are recorded; log_table and log_size, 0 without a log. */
  told?: number;
  logbase?: string;
  logsize?: string;
}
/** libvhost-user, vu_gpa_to_va(): an address of the chain that this thread pops. */
export interface VuAddressEvent extends EventBase {
  event: "vu_gpa";
  gpa: string;
  len: number;
  dev?: string;
}
/** libvhost-user, vu_queue_pop(), return; `elem` 0: the ring was empty. */
export interface VuPopEvent extends EventBase {
  event: "vu_pop";
  elem: string;
  head: number;
  out: number;
  in: number;
}
/** libvhost-user, vu_queue_fill(), entry. */
export interface VuFillEvent extends EventBase {
  event: "vu_fill";
  dev: string;
  vq: string;
  q0?: string;
  num?: number;
  head: number;
  len: number;
  idx: number;
  logaddr: string;
  flags: number;
  feat: string;
  /** 1: the next two are recorded; log_table and log_size, 0 without a log. */
  told?: number;
  logbase?: string;
  logsize?: string;
}

/** What uprobes in a user-space back end record. */
export type BackEndEvent =
  | MessageEvent
  | SpdkGetEvent
  | SpdkDescEvent
  | SpdkUsedEvent
  | VuPopEntryEvent
  | VuAddressEvent
  | VuPopEvent
  | VuFillEvent;

/** An event of QEMU with its arguments by their names in trace-events; addresses are hex strings. */
export interface QemuTraceEvent extends EventBase {
  event: "qemu";
  name: string;
  args: Record<string, string | number>;
}

/**
 * What may stand in the first line of an NDJSON recording: facts about it that no event tells.
 * `redact` writes it and a RecordingEnd. `dump` writes a header where there is no event to write, and no end:
 * there every line is an event.
 */
export interface RecordingHeader {
  event: "recording";
  /** Name of the clock: `mono`, `realtime`. */
  clock?: string;
  /**
   * The times are on the clock of the first recording of a set, and this is how well they are, ns
   * as a decimal string.
   */
  tolerance?: string;
  /** Losses that the recorder noted outside of its events. */
  gaps?: RecordedGap[];
  /** The last line is a RecordingEnd: without it the recording was cut off. */
  ends?: boolean;
}

/** A loss that stands in no place; `missing`: the recording said itself that it held more events. */
export interface RecordedGap {
  cpu: number | null;
  lost: number | null;
  missing?: true;
}

/** The last line of an NDJSON recording. */
export interface RecordingEnd {
  event: "end";
  /** Events, gaps among them; with fewer in front of it some were filtered out. */
  events: number;
  /** The recording that it is made from said that it was whole. */
  whole: boolean;
  /** Losses that the recorder noted outside of its events. */
  gaps?: RecordedGap[];
}

export type NormalisedEvent =
  | DescEvent
  | PopEvent
  | UsedEvent
  | DrainEvent
  | RearmEvent
  | UflagsEvent
  | MemEvent
  | IoctlEvent
  | IoctlRetEvent
  | MarkerEvent
  | GapEvent
  | GivebackEvent
  | RxEvent
  | RxRetEvent
  | CdbEvent
  | BackEndEvent
  | QemuTraceEvent;
