/**
 * The naive twin of the core: a slow, plain replay of a time-ordered event stream, function for
 * function with vhost and vhost-scsi, sharing nothing with `assembly/` but the names of the causes.
 * Every rule stands in docs/model.md; sets of page numbers stand for bitmaps.
 */
import { GPA_BITS } from "../../assembly/abi.ts";
import { CAUSES, Cause } from "../../assembly/page-abi.ts";
import type {
  DescEvent,
  DrainEvent,
  IoctlEvent,
  NormalisedEvent,
  PopEvent,
  RearmEvent,
  UflagsEvent,
  UsedEvent,
} from "../../src/model/event.ts";
import {
  availEvent,
  emptyLog,
  logWrite,
  type Range,
  usedElements,
  usedFlags,
  usedIdx,
} from "./oracle/log.ts";

const VHOST_F_LOG_ALL = 26n;
const VIRTIO_RING_F_EVENT_IDX = 29n;
const VHOST_SET_FEATURES = 0x4008af00;
const VHOST_TYPE = 0xaf;
const NR_SET_LOG_BASE = 0x04;
const NR_CLEAR_ENDPOINT = 0x41;
/** vq->log_addr after a reset. */
const NO_LOG_ADDR = (1n << 64n) - 1n;
const GPA_END = 1n << BigInt(GPA_BITS);
const MAX_HEAD = 32768;
const U16 = 0x10000;

export {
  bitmapImage,
  PATCHED,
  pagesOf,
  pagesOfImage,
  policyRounds,
  UNPATCHED,
  WINDOW,
} from "./oracle/sets.ts";

export interface OracleRound {
  /** null: what follows the last sync. */
  sync: { number: number; name: string } | null;
  /** Pages per Cause written in this round. */
  causes: Set<number>[];
}
export interface OracleCounters {
  popped: number;
  completed: number;
  unknownHead: number;
  rejected: number;
  /** Pops of a thread of which neither descriptors nor a drain were seen. */
  popsWithoutQueue: number;
  dropped: number;
  inFlightAtEnd: number;
  lostCompletions: number;
  captureUnknown: number;
  /** Ranges that end beyond 2^44, of descriptors and of rings. */
  outOfRange: number;
  gaps: number;
}
export interface OracleResult {
  rounds: OracleRound[];
  counters: OracleCounters;
}

interface Desc {
  vq: bigint;
  gpa: bigint;
  len: bigint;
  acc: number;
}
interface Request {
  writes: Desc[];
  captured: boolean;
  freed: boolean;
}
interface Queue {
  vq: bigint;
  /** From its own drain. */
  dev: bigint | null;
  num: number | null;
  drainFeat: bigint | null;
  lastFeat: bigint | null;
  logbase: { value: bigint; at: number } | null;
  nextUsed: number | null;
  inFlight: Map<number, Request>;
}
interface Device {
  dev: bigint;
  q0: bigint;
  q1: bigint;
}
interface VhostFile {
  vs: bigint;
  logbase: { value: bigint; at: number } | null;
}

const bit = (word: bigint, n: bigint): boolean => ((word >> n) & 1n) === 1n;

/**
 * Replays `events`, which must be in time order, and returns the pages per cause and round (one
 * round per `dirty_sync_begin`, and one for what follows) and the counts. Throws nothing for any
 * stream whose strings are numbers.
 */
export function replayOracle(events: readonly NormalisedEvent[]): OracleResult {
  const queues = new Map<bigint, Queue>();
  const devices = new Map<bigint, Device>();
  const files = new Map<bigint, VhostFile>();
  const pending = new Map<number, Desc[]>();
  const lastDrain = new Map<number, bigint>();
  const ioctls = new Map<number, IoctlEvent>();
  const rounds: OracleRound[] = [];
  const counters: OracleCounters = {
    popped: 0,
    completed: 0,
    unknownHead: 0,
    rejected: 0,
    popsWithoutQueue: 0,
    dropped: 0,
    inFlightAtEnd: 0,
    lostCompletions: 0,
    captureUnknown: 0,
    outOfRange: 0,
    gaps: 0,
  };
  let round = newRound();
  let now = 0;

  const queueOf = (vq: bigint): Queue => {
    let queue = queues.get(vq);
    if (queue === undefined) {
      queue = {
        vq,
        dev: null,
        num: null,
        drainFeat: null,
        lastFeat: null,
        logbase: null,
        nextUsed: null,
        inFlight: new Map(),
      };
      queues.set(vq, queue);
    }
    return queue;
  };
  const indexIn = (queue: Queue, device: Device): bigint | null => {
    const stride = device.q1 - device.q0;
    const offset = queue.vq - device.q0;
    if (stride <= 0n || offset < 0n || offset % stride !== 0n) return null;
    return offset / stride;
  };
  const deviceOf = (queue: Queue): Device | null =>
    queue.dev === null ? null : (devices.get(queue.dev) ?? null);
  const indexOf = (queue: Queue): bigint | null => {
    const device = deviceOf(queue);
    return device === null ? null : indexIn(queue, device);
  };
  /** struct vhost_dev is a member of the driver's own structure. */
  const owns = (file: VhostFile, dev: bigint): boolean => file.vs <= dev && dev < file.vs + 4096n;
  const fileOf = (queue: Queue): VhostFile | null => {
    const device = deviceOf(queue);
    if (device === null) return null;
    for (const file of files.values()) if (owns(file, device.dev)) return file;
    return null;
  };
  /** vq->log_base == NULL as far as it is known: the stores fault and nothing is logged. */
  const noLogBase = (queue: Queue): boolean => {
    const own = queue.logbase;
    const set = fileOf(queue)?.logbase ?? null;
    const last = own === null || (set !== null && set.at > own.at) ? set : own;
    return last !== null && last.value === 0n;
  };

  const mark = (cause: Cause, range: Range): void => {
    if (range.len === 0n) return;
    if (range.gpa + range.len > GPA_END) {
      counters.outOfRange += 1;
      return;
    }
    const log = emptyLog();
    logWrite(log, range.gpa, range.len);
    for (const page of log.pages) round.causes[cause]?.add(page);
  };

  /** log_used() with the state in which the queue is. */
  const logUsed = (queue: Queue, notify: boolean, logused: number, range: Range): void => {
    if (!logused) mark(notify ? Cause.NotifyOff : Cause.RingOff, range);
    else if (noLogBase(queue)) mark(notify ? Cause.NotifyNoBase : Cause.RingNoBase, range);
    else mark(notify ? Cause.NotifyLogged : Cause.RingLogged, range);
  };
  /** The same of an element or the index: other vhosts ask for LOG_ALL, too, or for it alone. */
  const logRing = (queue: Queue, logused: number, feat: bigint, range: Range): void => {
    const all = bit(feat, VHOST_F_LOG_ALL);
    if (logused !== 0 && !all && !noLogBase(queue)) mark(Cause.RingFlag, range);
    else if (logused === 0 && all && !noLogBase(queue)) mark(Cause.RingAll, range);
    else logUsed(queue, false, logused, range);
  };

  const drain = (event: DrainEvent): void => {
    const queue = queueOf(BigInt(event.vq));
    const dev = BigInt(event.dev);
    queue.dev = dev;
    queue.num = event.num;
    queue.drainFeat = BigInt(event.feat);
    queue.lastFeat = queue.drainFeat;
    queue.logbase = { value: BigInt(event.logbase), at: now };
    queue.nextUsed ??= event.used;
    devices.set(dev, { dev, q0: BigInt(event.q0), q1: BigInt(event.q1) });
    lastDrain.set(event.pid, queue.vq);
  };

  const desc = (event: DescEvent): void => {
    const list = pending.get(event.pid) ?? [];
    list.push({
      vq: BigInt(event.vq),
      gpa: BigInt(event.gpa),
      len: BigInt(event.len),
      acc: event.acc,
    });
    pending.set(event.pid, list);
  };

  /** vq->log is chosen once per run of the handler, i.e. per drain. */
  const isCaptured = (queue: Queue): boolean => {
    const feat = queue.drainFeat ?? queue.lastFeat;
    if (feat === null) {
      counters.captureUnknown += 1;
      return false;
    }
    return bit(feat, VHOST_F_LOG_ALL);
  };

  /** vhost_get_vq_desc() returned. */
  const pop = (event: PopEvent): void => {
    const descs = pending.get(event.pid) ?? [];
    pending.delete(event.pid);
    const vq = event.vq === undefined ? descs.at(-1)?.vq : BigInt(event.vq);
    const last = vq ?? lastDrain.get(event.pid);
    if (last === undefined) {
      counters.popsWithoutQueue += 1;
      return;
    }
    const queue = queueOf(last);
    if (event.head < 0) {
      counters.rejected += 1;
      return;
    }
    if (event.head >= MAX_HEAD) return;
    // Descriptors before those of another queue belong to a pop that is not in the recording.
    const own = descs.slice(descs.findLastIndex((d) => d.vq !== last) + 1);
    if (queue.num === null ? own.length === 0 : event.head >= queue.num) return;
    if (queue.inFlight.has(event.head)) counters.dropped += 1;
    counters.popped += 1;
    queue.inFlight.set(event.head, {
      writes: own.filter((d) => d.acc === 2),
      captured: isCaptured(queue),
      freed: false,
    });
  };

  /** What logging of a completed request's write descriptors comes to. */
  const causeOf = (queue: Queue, request: Request, feat: bigint): Cause => {
    const index = indexOf(queue);
    const logAll = bit(feat, VHOST_F_LOG_ALL);
    const noBase = noLogBase(queue);
    if (index === 0n) {
      if (!logAll) return Cause.CtlOff;
      if (noBase) return Cause.CtlNoBase;
      return request.captured ? Cause.CtlLogged : Cause.CtlLate;
    }
    if (index === 1n) {
      if (!logAll) return Cause.EvtOff;
      return noBase ? Cause.EvtNoBase : Cause.EvtLogged;
    }
    if (!logAll) return Cause.IoOff;
    if (noBase) return Cause.IoNoBase;
    if (request.freed) return Cause.IoFreed;
    return request.captured ? Cause.IoLogged : Cause.IoLate;
  };

  /** vhost_scsi_complete_cmd_work() and its like: the element, the index, then the descriptors. */
  const used = (event: UsedEvent): void => {
    const queue = queueOf(BigInt(event.vq));
    const feat = BigInt(event.feat);
    const at = BigInt(event.logaddr);
    queue.num = event.num;
    queue.lastFeat = feat;
    const elements = (start: number, count: number): void => {
      if (at === NO_LOG_ADDR) return;
      for (const range of usedElements(at, event.num, start, count))
        logRing(queue, event.logused, feat, range);
    };
    if (queue.nextUsed !== null) {
      const lost = (event.idx - queue.nextUsed + U16) % U16;
      if (lost > 0 && lost <= event.num) {
        counters.lostCompletions += lost;
        elements(queue.nextUsed, lost);
      }
    }
    queue.nextUsed = (event.idx + event.n) % U16;
    elements(event.idx, event.n);
    if (at !== NO_LOG_ADDR && event.num > 0) logRing(queue, event.logused, feat, usedIdx(at));
    if (event.n !== 1) return;
    const request = queue.inFlight.get(event.head);
    if (request === undefined) {
      counters.unknownHead += 1;
      return;
    }
    queue.inFlight.delete(event.head);
    counters.completed += 1;
    const cause = causeOf(queue, request, feat);
    for (const write of request.writes) mark(cause, write);
  };

  /** vhost_update_used_flags(). */
  const uflags = (event: UflagsEvent): void => {
    const at = BigInt(event.logaddr);
    const queue = queueOf(BigInt(event.vq));
    if (at !== NO_LOG_ADDR) logUsed(queue, true, event.logused, usedFlags(at));
  };

  /** vhost_enable_notify(): vhost_update_avail_event() when notifications were off. */
  const rearm = (event: RearmEvent): void => {
    const at = BigInt(event.logaddr);
    const feat = BigInt(event.feat);
    const queue = queueOf(BigInt(event.vq));
    queue.num = event.num;
    queue.lastFeat = feat;
    if (at === NO_LOG_ADDR || !(event.uflags & 1) || !bit(feat, VIRTIO_RING_F_EVENT_IDX)) return;
    logUsed(queue, true, event.logused, availEvent(at, event.num));
  };

  /** An ioctl that took effect. */
  const ioctlDone = (event: IoctlEvent): void => {
    const vs = BigInt(event.vs);
    const file = files.get(vs) ?? { vs, logbase: null };
    files.set(vs, file);
    const queuesOfFile = [...queues.values()].filter((queue) => {
      const device = deviceOf(queue);
      return device !== null && owns(file, device.dev);
    });
    const type = (event.cmd >>> 8) & 0xff;
    const nr = event.cmd & 0xff;
    if (event.cmd === VHOST_SET_FEATURES) {
      if (bit(BigInt(event.a0), VHOST_F_LOG_ALL)) return;
      for (const queue of queuesOfFile) {
        const index = indexOf(queue);
        if (index === null || index < 2n) continue;
        for (const request of queue.inFlight.values()) if (request.captured) request.freed = true;
      }
    } else if (type === VHOST_TYPE && nr === NR_SET_LOG_BASE) {
      file.logbase = { value: BigInt(event.a0), at: now };
    } else if (type === VHOST_TYPE && nr === NR_CLEAR_ENDPOINT) {
      for (const queue of queuesOfFile) {
        counters.dropped += queue.inFlight.size;
        queue.inFlight.clear();
        // VHOST_SET_VRING_BASE may follow: the index starts anew.
        queue.nextUsed = null;
      }
    }
  };

  for (const event of events) {
    now += 1;
    if (event.event === "drain") drain(event);
    else if (event.event === "desc") desc(event);
    else if (event.event === "pop") pop(event);
    else if (event.event === "used") used(event);
    else if (event.event === "uflags") uflags(event);
    else if (event.event === "rearm") rearm(event);
    else if (event.event === "ioctl") ioctls.set(event.pid, event);
    else if (event.event === "ioctl_ret") {
      const entry = ioctls.get(event.pid);
      ioctls.delete(event.pid);
      if (entry !== undefined && event.ret === 0) ioctlDone(entry);
    } else if (event.event === "marker") {
      const sync = /^dirty_sync_begin (\d+)(?: (.*))?$/.exec(event.text);
      if (sync === null) continue;
      round.sync = { number: Number(sync[1]), name: sync[2] ?? "" };
      rounds.push(round);
      round = newRound();
    } else if (event.event === "gap") counters.gaps += 1;
  }
  rounds.push(round);
  for (const queue of queues.values()) counters.inFlightAtEnd += queue.inFlight.size;
  return { rounds, counters };
}

function newRound(): OracleRound {
  return { sync: null, causes: Array.from({ length: CAUSES }, () => new Set<number>()) };
}
