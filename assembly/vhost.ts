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
  Driver,
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
  EVENT_LOGBASE,
  EVENT_N,
  EVENT_NUM,
  EVENT_PID,
  EVENT_PLACE,
  EVENT_Q0,
  EVENT_Q1,
  EVENT_TS,
  EVENT_VQ,
  EventKind,
  MAX_HEADS,
  QUEUE_CAPTURE_ON,
  QUEUE_CAPTURE_UNKNOWN,
  QUEUE_COMPLETED,
  QUEUE_DEV,
  QUEUE_DRAINED,
  QUEUE_DRIVER,
  QUEUE_DROPPED,
  QUEUE_FEAT,
  QUEUE_FEAT_KNOWN,
  QUEUE_FREED,
  QUEUE_ID,
  QUEUE_INDEX,
  QUEUE_LAST_UNKNOWN_PLACE,
  QUEUE_LAST_UNKNOWN_STREAM,
  QUEUE_LATE,
  QUEUE_LOGBASE,
  QUEUE_LOGBASE_KNOWN,
  QUEUE_NEXT_USED,
  QUEUE_NO_BASE,
  QUEUE_NO_BUFFER,
  QUEUE_NUM,
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
  REQUEST_CAPTURED,
  REQUEST_CAPTURE_UNKNOWN,
  REQUEST_CAPTURE_UNSEEN,
  REQUEST_CAUSE,
  REQUEST_DESCS,
  REQUEST_DESC_CAP,
  REQUEST_DESC_COUNT,
  REQUEST_FLAGS,
  REQUEST_FREED,
  REQUEST_HEAD,
  REQUEST_POP_PLACE,
  REQUEST_POP_STREAM,
  REQUEST_POP_TS,
  REQUEST_QUEUE,
  REQUEST_SERIAL,
  REQUEST_SIZE,
  REQUEST_USED_IDX,
  REQUEST_USED_LEN,
  REQUEST_USED_PLACE,
  REQUEST_USED_STREAM,
  REQUEST_USED_TS,
  RequestState,
} from "./abi";
import { driverOf, learnDriver } from "./device";
import { LOG_ALL, learn, NO_ADDRESS, noBase } from "./log-state";
import { capacityOf, take } from "./memory";
import { complete, dropFifo, fillChain, inOrder, inOrderRing, onGiveback, onRx, onRxRet } from "./net";
import { lengthSeen, startParts } from "./planes";
import { addCount, countLostCompletions, countUnknownHead, freeRequest, hasFlag, inFlight, queueOf, setFlag, setInFlight } from "./queue";
import { addDesc, hold, Thread, threadOf } from "./thread";
import { onRearm, onUflags, usedRing } from "./used-ring";
import { finish, noMemory, observeRequests, write, writePrefix } from "./write";

let serial: u64 = 0;
/** Pops for which no queue is known. */
export let popsWithoutQueue: u64 = 0;

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
  if (!load<u32>(q + QUEUE_DRIVER)) store<u32>(q + QUEUE_DRIVER, driverOf(load<u64>(q + QUEUE_DEV)));
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  if (!at) return;
  let thread = changetype<Thread>(at);
  thread.drained = load<u64>(event + EVENT_VQ);
  thread.heldCount = 0;
  thread.backGpa = NO_ADDRESS;
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
  let driver = load<u32>(q + QUEUE_DRIVER);
  let old = inFlight(q, head);
  if (old && driver == Driver.Net) {
    // Several elements in one used event name only the first head.
    setInFlight(q, head, 0);
    complete(q, old, event, stream);
  } else if (old) {
    // Never returned, yet offered again: consumed and dropped, or its used event is lost.
    addCount(q + QUEUE_DROPPED, 1);
    setInFlight(q, head, 0);
    finish(old, RequestState.Dropped);
  }
  let request = take(REQUEST_SIZE);
  if (!request) {
    noMemory();
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
      noMemory();
      freeRequest(request);
      return;
    }
    memory.copy(descs, thread.descs, bytes);
    store<u32>(request + REQUEST_DESCS, <u32>descs);
    store<u32>(request + REQUEST_DESC_COUNT, pending);
    store<u32>(request + REQUEST_DESC_CAP, capacityOf(bytes) / DESC_SIZE);
  }
  if (!setInFlight(q, head, request)) {
    noMemory();
    freeRequest(request);
    return;
  }
  addCount(q + QUEUE_POPPED, 1);
  if (at && driver != Driver.Scsi) hold(thread, serial, head);
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

/**
 * The driver of a queue at a completion. vhost-scsi's used length is always 0 (scsi.c passes it to
 * every vhost_add_used()); vhost-net tells itself by its packets; so a length is vhost-vsock's.
 */
function usedBy(q: usize, len: u32): u32 {
  let driver = load<u32>(q + QUEUE_DRIVER);
  if (driver == Driver.Unknown && len != 0 && load<i32>(q + QUEUE_INDEX) == 0) {
    driver = Driver.Vsock;
    learnDriver(q, driver);
  }
  return driver;
}

/** vhost_transport_do_send_pkt(), vsock.c: header and payload, `len` bytes; never logged. */
function fillVsock(
  q: usize,
  request: usize,
  len: u64,
  feat: u64,
  event: usize,
  stream: u32,
): void {
  // LOG_ALL counts as it is now: nothing of this driver is in flight.
  setFlag(q, QUEUE_CAPTURE_ON, (feat & LOG_ALL) != 0);
  fillChain(q, request, len, Cause.VsockLogged, event, stream);
}

/** Some row logs by the used length: its part is marked beside the whole. */
let parts: bool = false;

export function setParts(on: bool): void {
  parts = on;
}

/** vu_queue_fill(), libvhost-user: descriptors up to the used length. */
function markPart(q: usize, request: usize, feat: u64, len: u64, event: usize, stream: u32): void {
  let cause: u32 = feat & LOG_ALL ? Cause.PartLogged : Cause.PartOff;
  if (cause == Cause.PartLogged && noBase(q)) return;
  writePrefix(cause, len ? len : ~(<u64>0), q, request, event, stream);
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
      countLostCompletions(q, missing);
      usedRing(q, event, stream, expected, missing, false);
    }
  }
  let ordered = inOrder(load<u64>(event + EVENT_FEAT), event);
  let moved = ordered ? inOrderRing(q, event, stream, idx) : n;
  store<i32>(q + QUEUE_NEXT_USED, (idx + moved) & 0xffff);
  if (!ordered) {
    usedRing(q, event, stream, idx, n, true);
    dropFifo(q);
  }
  // Only the first of several elements is recorded; vhost-scsi and vhost-vsock return one.
  if (n != 1) return;
  let head = load<u32>(event + EVENT_HEAD);
  let len = load<u32>(event + EVENT_LEN);
  if (len) addCount(q + QUEUE_USED_LEN, 1);
  let request = inFlight(q, head);
  let driver = usedBy(q, len);
  if (driver == Driver.Net) {
    // A packet whose length no probe gave: the used length is that of its bytes.
    if (request) {
      fillChain(q, request, len, Cause.RxLogged, event, stream);
      setInFlight(q, head, 0);
      complete(q, request, event, stream);
    }
    return;
  }
  if (!request) {
    if (!load<u64>(q + QUEUE_UNKNOWN_HEAD)) {
      store<u64>(q + QUEUE_UNKNOWN_PLACE, load<u64>(event + EVENT_PLACE));
      store<u64>(q + QUEUE_UNKNOWN_TS, load<u64>(event + EVENT_TS));
      store<u16>(q + QUEUE_UNKNOWN_STREAM, <u16>stream);
    }
    store<u64>(q + QUEUE_LAST_UNKNOWN_PLACE, load<u64>(event + EVENT_PLACE));
    store<u16>(q + QUEUE_LAST_UNKNOWN_STREAM, <u16>stream);
    countUnknownHead(q);
    if (observeRequests) noteUnknown(q, event, stream, head);
    return;
  }
  if (driver == Driver.Vsock) {
    fillVsock(q, request, len, load<u64>(event + EVENT_FEAT), event, stream);
    setInFlight(q, head, 0);
    complete(q, request, event, stream);
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
  // Before this request's own marks: what is marked so far had no length.
  if (parts && len != 0 && !lengthSeen) startParts();
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
  if (!writes && driver == Driver.Scsi && load<i32>(q + QUEUE_INDEX) == 1) {
    store<u32>(q + QUEUE_NO_BUFFER, load<u32>(q + QUEUE_NO_BUFFER) + 1);
  }
  addCount(q + QUEUE_WRITE_DESCS, writes);
  addCount(q + QUEUE_WRITE_BYTES, bytes);
  if (parts && lengthSeen) markPart(q, request, load<u64>(event + EVENT_FEAT), len, event, stream);
  addCount(q + QUEUE_COMPLETED, 1);
  setInFlight(q, head, 0);
  finish(request, RequestState.Completed);
}

/** A completion whose pop is not in the recording, as a request without descriptors. */
function noteUnknown(q: usize, event: usize, stream: u32, head: u32): void {
  let request = take(REQUEST_SIZE);
  if (!request) {
    noMemory();
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
    case EventKind.Giveback:
      onGiveback(event);
      return false;
    case EventKind.Rx:
      onRx(event);
      return false;
    case EventKind.RxRet:
      onRxRet(event, stream);
      return false;
    default:
      return true;
  }
}
