/**
 * Events to writes: what vhost and vhost-scsi do between vhost_get_vq_desc() and vhost_add_used_n(),
 * as far as the recorded events tell. docs/model.md states each rule with its source.
 */
import {
  Cause,
  DESC_ACC,
  DESC_GPA,
  DESC_LEN,
  DESC_SIZE,
  EVENT_ACC,
  EVENT_DEV,
  EVENT_FEAT,
  EVENT_FLAGS,
  EVENT_GPA,
  EVENT_HAS_VQ,
  EVENT_HEAD,
  EVENT_IDX,
  EVENT_KIND,
  EVENT_LEN,
  EVENT_LOGADDR,
  EVENT_LOGBASE,
  EVENT_LOGUSED,
  EVENT_N,
  EVENT_NUM,
  EVENT_PID,
  EVENT_PLACE,
  EVENT_Q0,
  EVENT_Q1,
  EVENT_TS,
  EVENT_UFLAGS,
  EVENT_VQ,
  EVIDENCE_CAUSE,
  EVIDENCE_GPA,
  EVIDENCE_HEAD,
  EVIDENCE_LEN,
  EVIDENCE_PLACE,
  EVIDENCE_POP_PLACE,
  EVIDENCE_POP_STREAM,
  EVIDENCE_POP_TS,
  EVIDENCE_QUEUE,
  EVIDENCE_REQUEST,
  EVIDENCE_ROUND,
  EVIDENCE_SIZE,
  EVIDENCE_STREAM,
  EVIDENCE_TS,
  EventKind,
  MAX_HEADS,
  PAGE_SHIFT,
  QUEUE_CAPTURE_ON,
  QUEUE_CAPTURE_UNKNOWN,
  QUEUE_COMPLETED,
  QUEUE_DEV,
  QUEUE_DRAINED,
  QUEUE_DROPPED,
  QUEUE_FEAT,
  QUEUE_FEAT_KNOWN,
  QUEUE_FREED,
  QUEUE_HEADS,
  QUEUE_HEADS_CAP,
  QUEUE_ID,
  QUEUE_INDEX,
  QUEUE_LAST_UNKNOWN_PLACE,
  QUEUE_LAST_UNKNOWN_STREAM,
  QUEUE_LATE,
  QUEUE_LOGADDR,
  QUEUE_LOGBASE,
  QUEUE_LOGBASE_KNOWN,
  QUEUE_LOST_COMPLETIONS,
  QUEUE_NEXT,
  QUEUE_NEXT_USED,
  QUEUE_NO_BASE,
  QUEUE_NUM,
  QUEUE_OUT_OF_RANGE,
  QUEUE_POPPED,
  QUEUE_Q0,
  QUEUE_REJECTED,
  QUEUE_STEP,
  QUEUE_UNKNOWN_HEAD,
  QUEUE_UNKNOWN_PLACE,
  QUEUE_UNKNOWN_STREAM,
  QUEUE_UNKNOWN_TS,
  QUEUE_USED_LEN,
  QUEUE_WRITE_BYTES,
  QUEUE_WRITE_DESCS,
  REQUEST_CAPTURE_UNKNOWN,
  REQUEST_CAPTURE_UNSEEN,
  REQUEST_CAPTURED,
  REQUEST_CAUSE,
  REQUEST_DESC_CAP,
  REQUEST_DESC_COUNT,
  REQUEST_DESCS,
  REQUEST_FLAGS,
  REQUEST_FREED,
  REQUEST_HEAD,
  REQUEST_POP_PLACE,
  REQUEST_POP_STREAM,
  REQUEST_POP_TS,
  REQUEST_QUEUE,
  REQUEST_SERIAL,
  REQUEST_SIZE,
  REQUEST_STATE,
  REQUEST_USED_IDX,
  REQUEST_USED_LEN,
  REQUEST_USED_PLACE,
  REQUEST_USED_STREAM,
  REQUEST_USED_TS,
  RequestState,
} from "./abi";
import { nameQueue, newEvidence } from "./evidence";
import { capacityOf, give, take } from "./memory";
import { freshFirst, freshLast, mark, NO_MEMORY, OUT_OF_RANGE } from "./planes";
import {
  addCount,
  firstQueue,
  freeRequest,
  hasFlag,
  inFlight,
  ofDevice,
  queueOf,
  setFlag,
  setInFlight,
} from "./queue";
import { addDesc, Thread, threadOf } from "./thread";

/** VHOST_F_LOG_ALL and VIRTIO_RING_F_EVENT_IDX. */
const LOG_ALL: u64 = 1 << 26;
const RING_F_EVENT_IDX: u64 = 1 << 29;
const NO_ADDRESS: u64 = ~(<u64>0);

export let round: u32 = 0;
let serial: u64 = 0;
export let outOfMemory: bool = false;
/** Some event had LOG_ALL, or the ring's log flag, on. */
export let sawLogAll: bool = false;
export let sawLogUsed: bool = false;
/** Pops for which no queue is known. */
export let popsWithoutQueue: u64 = 0;

export function nextRound(): void {
  ++round;
}

// ---------------------------------------------------------------- what the host observes

/** Requests that left their queue; kept until `dropDone()`. */
let observeRequests: bool = false;
export let done: usize = 0;
export let doneCount: u32 = 0;
let doneCap: u32 = 0;

/** Watched range of pages [first, last]; writes into it are EVIDENCE records. */
let watching: bool = false;
let watchFirst: u64 = 0;
let watchLast: u64 = 0;
export let watched: usize = 0;
export let watchedCount: u32 = 0;
let watchedCap: u32 = 0;

export function observe(requests: bool): void {
  observeRequests = requests;
}

/** Watches the pages of [gpa, gpa+len). */
export function watch(gpa: u64, len: u64): void {
  watching = len != 0;
  watchFirst = gpa >> PAGE_SHIFT;
  watchLast = (gpa + len - 1) >> PAGE_SHIFT;
}

export function dropWatched(): void {
  watchedCount = 0;
}

/** Lets go of the requests that the host has seen. */
export function dropDone(): void {
  for (let i: u32 = 0; i < doneCount; ++i) freeRequest(load<u32>(done + (i << 2)));
  doneCount = 0;
}

function finish(request: usize, state: u32): void {
  store<u32>(request + REQUEST_STATE, state);
  if (!observeRequests) {
    freeRequest(request);
    return;
  }
  if (doneCount == doneCap) {
    let cap = doneCap ? doneCap << 1 : 256;
    let bigger = take(cap << 2);
    if (!bigger) {
      outOfMemory = true;
      freeRequest(request);
      return;
    }
    if (doneCap) {
      memory.copy(bigger, done, doneCount << 2);
      give(done, doneCap << 2);
    }
    done = bigger;
    doneCap = cap;
  }
  store<u32>(done + (doneCount++ << 2), <u32>request);
}

function fillEvidence(
  at: usize,
  cause: u32,
  gpa: u64,
  len: u64,
  q: usize,
  request: usize,
  event: usize,
  stream: u32,
): void {
  store<u64>(at + EVIDENCE_GPA, gpa);
  store<u64>(at + EVIDENCE_LEN, len);
  store<u64>(at + EVIDENCE_TS, load<u64>(event + EVENT_TS));
  store<u64>(at + EVIDENCE_PLACE, load<u64>(event + EVENT_PLACE));
  store<u16>(at + EVIDENCE_STREAM, <u16>stream);
  store<u32>(at + EVIDENCE_ROUND, round);
  store<u32>(at + EVIDENCE_CAUSE, cause);
  store<u32>(at + EVIDENCE_QUEUE, load<u32>(q + QUEUE_ID));
  store<u64>(at + EVIDENCE_REQUEST, request ? load<u64>(request + REQUEST_SERIAL) : 0);
  store<i32>(at + EVIDENCE_HEAD, request ? load<i32>(request + REQUEST_HEAD) : -1);
  store<u64>(at + EVIDENCE_POP_TS, request ? load<u64>(request + REQUEST_POP_TS) : 0);
  store<u64>(at + EVIDENCE_POP_PLACE, request ? load<u64>(request + REQUEST_POP_PLACE) : 0);
  store<u16>(
    at + EVIDENCE_POP_STREAM,
    request ? load<u16>(request + REQUEST_POP_STREAM) : 0xffff,
  );
}

function noteWatched(
  cause: u32,
  gpa: u64,
  len: u64,
  q: usize,
  request: usize,
  event: usize,
  stream: u32,
): void {
  if (watchedCount == watchedCap) {
    let cap = watchedCap ? watchedCap << 1 : 64;
    let bigger = take(cap * EVIDENCE_SIZE);
    if (!bigger) {
      outOfMemory = true;
      return;
    }
    if (watchedCap) {
      memory.copy(bigger, watched, watchedCount * EVIDENCE_SIZE);
      give(watched, watchedCap * EVIDENCE_SIZE);
    }
    watched = bigger;
    watchedCap = cap;
  }
  let at = watched + watchedCount++ * EVIDENCE_SIZE;
  fillEvidence(at, cause, gpa, len, q, request, event, stream);
}

/** One write: into the plane of its cause, and into the evidence when it is the first there. */
function write(
  cause: u32,
  gpa: u64,
  len: u64,
  q: usize,
  request: usize,
  event: usize,
  stream: u32,
): void {
  let found = mark(cause, gpa, len);
  if (found > 0) {
    let at = newEvidence();
    if (at) {
      let first = max<u64>(gpa, <u64>freshFirst << PAGE_SHIFT);
      let end = min<u64>(gpa + len, (<u64>freshLast + 1) << PAGE_SHIFT);
      fillEvidence(at, cause, first, end - first, q, request, event, stream);
    }
  } else if (found < 0) {
    if (found == OUT_OF_RANGE) addCount(q + QUEUE_OUT_OF_RANGE, 1);
    if (found == NO_MEMORY) outOfMemory = true;
    return;
  }
  if (
    watching &&
    len != 0 &&
    gpa >> PAGE_SHIFT <= watchLast &&
    (gpa + len - 1) >> PAGE_SHIFT >= watchFirst
  ) {
    noteWatched(cause, gpa, len, q, request, event, stream);
  }
}

// ---------------------------------------------------------------- state of the log

// @ts-ignore: decorator
@inline
function noBase(q: usize): bool {
  return hasFlag(q, QUEUE_LOGBASE_KNOWN) && load<u64>(q + QUEUE_LOGBASE) == 0;
}

/** Which of {Logged, NoBase, Off} a ring write is, as an offset to RingLogged or NotifyLogged. */
// @ts-ignore: decorator
@inline
function ringState(q: usize, logused: u32): u32 {
  return logused ? (noBase(q) ? 1 : 0) : 2;
}

/** Takes over what an event says of its queue. */
// @ts-ignore: decorator
@inline
function learn(q: usize, event: usize, features: bool): void {
  store<u64>(q + QUEUE_LOGADDR, load<u64>(event + EVENT_LOGADDR));
  if (load<u8>(event + EVENT_LOGUSED)) sawLogUsed = true;
  if (features) {
    let feat = load<u64>(event + EVENT_FEAT);
    store<u64>(q + QUEUE_FEAT, feat);
    setFlag(q, QUEUE_FEAT_KNOWN, true);
    if (feat & LOG_ALL) sawLogAll = true;
  }
}

// ---------------------------------------------------------------- events

/**
 * A snapshot of last_used_idx. Completions that it shows and that were not seen are lost; their
 * slots are marked at the next used event, whose expectation stays what it was.
 */
// @ts-ignore: decorator
@inline
function noteExpected(q: usize, idx: u32): void {
  if (load<i32>(q + QUEUE_NEXT_USED) == -1) store<i32>(q + QUEUE_NEXT_USED, idx);
}

/** vhost_disable_notify(): the driver reads LOG_ALL once per drain, here. */
function onDrain(event: usize): void {
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return;
  learn(q, event, true);
  let feat = load<u64>(event + EVENT_FEAT);
  store<u64>(q + QUEUE_DEV, load<u64>(event + EVENT_DEV));
  store<u32>(q + QUEUE_NUM, load<u32>(event + EVENT_NUM));
  store<u64>(q + QUEUE_LOGBASE, load<u64>(event + EVENT_LOGBASE));
  setFlag(q, QUEUE_LOGBASE_KNOWN | QUEUE_DRAINED, true);
  setFlag(q, QUEUE_CAPTURE_ON, (feat & LOG_ALL) != 0);
  let q0 = load<u64>(event + EVENT_Q0);
  let step = load<u64>(event + EVENT_Q1) - q0;
  let distance = load<u64>(event + EVENT_VQ) - q0;
  store<u64>(q + QUEUE_Q0, q0);
  store<u64>(q + QUEUE_STEP, step);
  // The virtqueues of one device are one array (vhost_scsi_open(), vhost_net_open()).
  if (load<i32>(q + QUEUE_INDEX) == -1) {
    if (step && distance % step == 0 && distance / step < 4096) {
      store<i32>(q + QUEUE_INDEX, <i32>(distance / step));
    } else if (!distance) {
      store<i32>(q + QUEUE_INDEX, 0);
    }
  }
  noteExpected(q, load<u16>(event + EVENT_IDX));
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  if (at) changetype<Thread>(at).drained = load<u64>(event + EVENT_VQ);
}

function onDesc(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  if (!at) return;
  addDesc(
    changetype<Thread>(at),
    load<u64>(event + EVENT_VQ),
    load<u64>(event + EVENT_GPA),
    load<u32>(event + EVENT_LEN),
    load<u8>(event + EVENT_ACC),
  );
}

/** Return of vhost_get_vq_desc(): a chain, an empty ring (head == num) or an error (negative). */
function onPop(event: usize, stream: u32): void {
  let head = load<i32>(event + EVENT_HEAD);
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  let thread = changetype<Thread>(at);
  let own = (load<u8>(event + EVENT_FLAGS) & EVENT_HAS_VQ) != 0;
  let pending = at ? thread.count : 0;
  if (pending && own && thread.vq != load<u64>(event + EVENT_VQ)) pending = 0;
  let vq: u64 = own ? load<u64>(event + EVENT_VQ) : pending ? thread.vq : at ? thread.drained : 0;
  if (at) thread.count = 0;
  let q: usize = vq ? queueOf(vq) : 0;
  if (!q) {
    ++popsWithoutQueue;
    return;
  }
  if (head < 0) {
    addCount(q + QUEUE_REJECTED, 1);
    return;
  }
  let num = load<u32>(q + QUEUE_NUM);
  // Without descriptors (a recording filtered to acc == 2) only the ring's size tells.
  if (<u32>head >= <u32>MAX_HEADS || (num && <u32>head >= num) || (!pending && !num)) return;
  let old = inFlight(q, head);
  if (old) {
    // Never returned, yet offered again: consumed and dropped, or its used event is lost.
    addCount(q + QUEUE_DROPPED, 1);
    setInFlight(q, head, 0);
    finish(old, RequestState.Dropped);
  }
  let request = take(REQUEST_SIZE);
  if (!request) {
    outOfMemory = true;
    return;
  }
  store<u64>(request + REQUEST_SERIAL, ++serial);
  store<u64>(request + REQUEST_POP_TS, load<u64>(event + EVENT_TS));
  store<u64>(request + REQUEST_POP_PLACE, load<u64>(event + EVENT_PLACE));
  store<u16>(request + REQUEST_POP_STREAM, <u16>stream);
  store<u16>(request + REQUEST_USED_STREAM, 0xffff);
  store<u32>(request + REQUEST_QUEUE, load<u32>(q + QUEUE_ID));
  store<i32>(request + REQUEST_HEAD, head);
  store<i32>(request + REQUEST_CAUSE, -1);
  let flags: u32 = 0;
  if (hasFlag(q, QUEUE_DRAINED)) {
    if (hasFlag(q, QUEUE_CAPTURE_ON)) flags = REQUEST_CAPTURED;
  } else {
    flags = REQUEST_CAPTURE_UNSEEN;
    if (hasFlag(q, QUEUE_FEAT_KNOWN)) {
      if (load<u64>(q + QUEUE_FEAT) & LOG_ALL) flags |= REQUEST_CAPTURED;
    } else {
      flags |= REQUEST_CAPTURE_UNKNOWN;
      addCount(q + QUEUE_CAPTURE_UNKNOWN, 1);
    }
  }
  store<u32>(request + REQUEST_FLAGS, flags);
  if (pending) {
    let bytes = pending * DESC_SIZE;
    let descs = take(bytes);
    if (!descs) {
      outOfMemory = true;
      freeRequest(request);
      return;
    }
    memory.copy(descs, thread.descs, bytes);
    store<u32>(request + REQUEST_DESCS, <u32>descs);
    store<u32>(request + REQUEST_DESC_COUNT, pending);
    store<u32>(request + REQUEST_DESC_CAP, capacityOf(bytes) / DESC_SIZE);
  }
  if (!setInFlight(q, head, request)) {
    outOfMemory = true;
    freeRequest(request);
    return;
  }
  addCount(q + QUEUE_POPPED, 1);
}

/** The used ring's part of vhost_add_used_n(): elements from `idx` on, then the index word. */
function usedRing(q: usize, event: usize, stream: u32, idx: u32, n: u32, index: bool): void {
  let base = load<u64>(event + EVENT_LOGADDR);
  let num = load<u32>(event + EVENT_NUM);
  if (base == NO_ADDRESS || !num) return;
  let cause = <u32>Cause.RingLogged + ringState(q, load<u8>(event + EVENT_LOGUSED));
  let slot = idx & (num - 1);
  let first = min<u32>(n, num - slot);
  write(cause, base + 4 + 8 * <u64>slot, 8 * <u64>first, q, 0, event, stream);
  if (n > first) write(cause, base + 4, 8 * <u64>min<u32>(n - first, num), q, 0, event, stream);
  if (index) write(cause, base + 2, 2, q, 0, event, stream);
}

/** Cause of a completed request's descriptors: who wrote, and what state the log was in. */
function descriptorCause(q: usize, flags: u32, feat: u64): u32 {
  let index = load<i32>(q + QUEUE_INDEX);
  let logging = (feat & LOG_ALL) != 0;
  if (index == 1) {
    if (!logging) return Cause.EvtOff;
    return noBase(q) ? Cause.EvtNoBase : Cause.EvtLogged;
  }
  if (index == 0) {
    if (!logging) return Cause.CtlOff;
    if (noBase(q)) return Cause.CtlNoBase;
    return flags & REQUEST_CAPTURED ? Cause.CtlLogged : Cause.CtlLate;
  }
  if (!logging) return Cause.IoOff;
  if (noBase(q)) return Cause.IoNoBase;
  if (flags & REQUEST_FREED) return Cause.IoFreed;
  return flags & REQUEST_CAPTURED ? Cause.IoLogged : Cause.IoLate;
}

/** vhost_add_used_n(): the used ring first, then the descriptors of the request. */
function onUsed(event: usize, stream: u32): void {
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return;
  learn(q, event, true);
  let num = load<u32>(event + EVENT_NUM);
  let idx = <u32>load<u16>(event + EVENT_IDX);
  let n = load<u32>(event + EVENT_N);
  store<u32>(q + QUEUE_NUM, num);
  // A hole in the used index: completions whose events are lost. Their slots were written.
  let expected = load<i32>(q + QUEUE_NEXT_USED);
  if (expected != -1) {
    let missing = (idx - expected) & 0xffff;
    if (missing && missing <= num) {
      addCount(q + QUEUE_LOST_COMPLETIONS, missing);
      usedRing(q, event, stream, expected, missing, false);
    }
  }
  store<i32>(q + QUEUE_NEXT_USED, (idx + n) & 0xffff);
  usedRing(q, event, stream, idx, n, true);
  // Only the first of several elements is recorded; vhost-scsi always returns one.
  if (n != 1) return;
  let head = load<u32>(event + EVENT_HEAD);
  let len = load<u32>(event + EVENT_LEN);
  if (len) addCount(q + QUEUE_USED_LEN, 1);
  let request = inFlight(q, head);
  if (!request) {
    if (!load<u64>(q + QUEUE_UNKNOWN_HEAD)) {
      store<u64>(q + QUEUE_UNKNOWN_PLACE, load<u64>(event + EVENT_PLACE));
      store<u64>(q + QUEUE_UNKNOWN_TS, load<u64>(event + EVENT_TS));
      store<u16>(q + QUEUE_UNKNOWN_STREAM, <u16>stream);
    }
    store<u64>(q + QUEUE_LAST_UNKNOWN_PLACE, load<u64>(event + EVENT_PLACE));
    store<u16>(q + QUEUE_LAST_UNKNOWN_STREAM, <u16>stream);
    addCount(q + QUEUE_UNKNOWN_HEAD, 1);
    if (observeRequests) noteUnknown(q, event, stream, head);
    return;
  }
  let flags = load<u32>(request + REQUEST_FLAGS);
  let cause = descriptorCause(q, flags, load<u64>(event + EVENT_FEAT));
  if (cause == Cause.IoLate || cause == Cause.CtlLate) addCount(q + QUEUE_LATE, 1);
  if (cause == Cause.IoFreed) addCount(q + QUEUE_FREED, 1);
  if (cause == Cause.IoNoBase || cause == Cause.CtlNoBase || cause == Cause.EvtNoBase) {
    addCount(q + QUEUE_NO_BASE, 1);
  }
  store<u64>(request + REQUEST_USED_TS, load<u64>(event + EVENT_TS));
  store<u64>(request + REQUEST_USED_PLACE, load<u64>(event + EVENT_PLACE));
  store<u16>(request + REQUEST_USED_STREAM, <u16>stream);
  store<u32>(request + REQUEST_USED_LEN, len);
  store<u32>(request + REQUEST_USED_IDX, idx);
  store<u32>(request + REQUEST_CAUSE, cause);
  let desc = <usize>load<u32>(request + REQUEST_DESCS);
  let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
  let writes: u64 = 0;
  let bytes: u64 = 0;
  for (; desc < end; desc += DESC_SIZE) {
    if (load<u32>(desc + DESC_ACC) != 2) continue;
    let length = <u64>load<u32>(desc + DESC_LEN);
    ++writes;
    bytes += length;
    write(cause, load<u64>(desc + DESC_GPA), length, q, request, event, stream);
  }
  addCount(q + QUEUE_WRITE_DESCS, writes);
  addCount(q + QUEUE_WRITE_BYTES, bytes);
  addCount(q + QUEUE_COMPLETED, 1);
  setInFlight(q, head, 0);
  finish(request, RequestState.Completed);
}

/** A completion whose pop is not in the recording, as a request without descriptors. */
function noteUnknown(q: usize, event: usize, stream: u32, head: u32): void {
  let request = take(REQUEST_SIZE);
  if (!request) {
    outOfMemory = true;
    return;
  }
  store<u64>(request + REQUEST_SERIAL, ++serial);
  store<u16>(request + REQUEST_POP_STREAM, 0xffff);
  store<u64>(request + REQUEST_USED_TS, load<u64>(event + EVENT_TS));
  store<u64>(request + REQUEST_USED_PLACE, load<u64>(event + EVENT_PLACE));
  store<u16>(request + REQUEST_USED_STREAM, <u16>stream);
  store<u32>(request + REQUEST_USED_LEN, load<u32>(event + EVENT_LEN));
  store<u32>(request + REQUEST_USED_IDX, load<u16>(event + EVENT_IDX));
  store<u32>(request + REQUEST_QUEUE, load<u32>(q + QUEUE_ID));
  store<u32>(request + REQUEST_HEAD, head);
  store<i32>(request + REQUEST_CAUSE, -1);
  store<u32>(request + REQUEST_FLAGS, REQUEST_CAPTURE_UNKNOWN);
  finish(request, RequestState.UnknownHead);
}

/** vhost_enable_notify(): writes avail_event when notifications were off and EVENT_IDX is on. */
function onRearm(event: usize, stream: u32): void {
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return;
  learn(q, event, true);
  store<u32>(q + QUEUE_NUM, load<u32>(event + EVENT_NUM));
  let base = load<u64>(event + EVENT_LOGADDR);
  if (base == NO_ADDRESS) return;
  if (!(load<u16>(event + EVENT_UFLAGS) & 1) || !(load<u64>(event + EVENT_FEAT) & RING_F_EVENT_IDX)) return;
  let cause = <u32>Cause.NotifyLogged + ringState(q, load<u8>(event + EVENT_LOGUSED));
  write(cause, base + 4 + 8 * <u64>load<u32>(event + EVENT_NUM), 2, q, 0, event, stream);
}

/** vhost_update_used_flags(): writes used->flags. */
function onUflags(event: usize, stream: u32): void {
  let base = load<u64>(event + EVENT_LOGADDR);
  // SET_ENDPOINT does this on queues that were never set up, too.
  if (base == NO_ADDRESS) return;
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return;
  learn(q, event, false);
  let cause = <u32>Cause.NotifyLogged + ringState(q, load<u8>(event + EVENT_LOGUSED));
  write(cause, base, 2, q, 0, event, stream);
}

/** Replays one record. True: the host must look at it. */
export function apply(event: usize, stream: u32): bool {
  switch (<u32>load<u8>(event + EVENT_KIND)) {
    case EventKind.Desc:
      onDesc(event);
      return false;
    case EventKind.Pop:
      onPop(event, stream);
      return false;
    case EventKind.Used:
      onUsed(event, stream);
      return false;
    case EventKind.Drain:
      onDrain(event);
      return false;
    case EventKind.Rearm:
      onRearm(event, stream);
      return false;
    case EventKind.Uflags:
      onUflags(event, stream);
      return false;
    default:
      return true;
  }
}

// ---------------------------------------------------------------- what the host tells

/**
 * A SET_FEATURES of this device succeeded. Without LOG_ALL it frees the captured log entries of
 * every command in flight on the I/O queues (vhost_scsi_set_features(), 6.16).
 */
export function setFeatures(vs: u64, features: u64): void {
  if (features & LOG_ALL) sawLogAll = true;
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    if (!ofDevice(q, vs)) continue;
    store<u64>(q + QUEUE_FEAT, features);
    setFlag(q, QUEUE_FEAT_KNOWN, true);
    if (features & LOG_ALL || load<i32>(q + QUEUE_INDEX) < 2) continue;
    let heads = <usize>load<u32>(q + QUEUE_HEADS);
    for (let i: u32 = 0, n = load<u32>(q + QUEUE_HEADS_CAP); i < n; ++i) {
      let request = <usize>load<u32>(heads + (i << 2));
      if (!request) continue;
      let flags = load<u32>(request + REQUEST_FLAGS);
      if (flags & REQUEST_CAPTURED) store<u32>(request + REQUEST_FLAGS, flags | REQUEST_FREED);
    }
  }
}

/** A SET_LOG_BASE of this device succeeded: VHOST_SET_LOG_BASE sets it on every queue. */
export function setLogBase(vs: u64, base: u64): void {
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    if (!ofDevice(q, vs)) continue;
    store<u64>(q + QUEUE_LOGBASE, base);
    setFlag(q, QUEUE_LOGBASE_KNOWN, true);
  }
}

/** CLEAR_ENDPOINT succeeded: it waits for every command, so what is still here was dropped. */
export function clearEndpoint(vs: u64): void {
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    if (!ofDevice(q, vs)) continue;
    store<i32>(q + QUEUE_NEXT_USED, -1);
    endQueue(q, RequestState.Dropped, true);
  }
}

function endQueue(q: usize, state: u32, count: bool): void {
  let heads = <usize>load<u32>(q + QUEUE_HEADS);
  for (let i: u32 = 0, n = load<u32>(q + QUEUE_HEADS_CAP); i < n; ++i) {
    let request = <usize>load<u32>(heads + (i << 2));
    if (!request) continue;
    if (count) addCount(q + QUEUE_DROPPED, 1);
    setInFlight(q, i, 0);
    finish(request, state);
  }
}

/** At the end of the recording: the requests still in flight become observable. */
export function endInFlight(): void {
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) endQueue(q, RequestState.InFlight, false);
}

/** Registers the queues for the findings; before attribute(). False: out of memory. */
export function nameQueues(): bool {
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    if (!nameQueue(load<u32>(q + QUEUE_ID), q)) return false;
  }
  return true;
}

/** Pages that requests in flight may write: for the bounds in the report. */
export function inFlightWriteBytes(): f64 {
  let bytes: f64 = 0;
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    let heads = <usize>load<u32>(q + QUEUE_HEADS);
    for (let i: u32 = 0, n = load<u32>(q + QUEUE_HEADS_CAP); i < n; ++i) {
      let request = <usize>load<u32>(heads + (i << 2));
      if (!request) continue;
      let desc = <usize>load<u32>(request + REQUEST_DESCS);
      let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
      for (; desc < end; desc += DESC_SIZE) {
        if (load<u32>(desc + DESC_ACC) == 2) bytes += <f64>load<u32>(desc + DESC_LEN);
      }
    }
  }
  return bytes;
}
