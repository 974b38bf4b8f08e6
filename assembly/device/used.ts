/**
 * Completions: what vhost_add_used_n() returns to the guest was written by then. Used ring first,
 * then the descriptors, with the cause that the log's state gives them.
 */
import { EVENT_FEAT, EVENT_HEAD, EVENT_IDX, EVENT_LEN, EVENT_N, EVENT_NUM, EVENT_VQ } from "../event-abi";
import { Cause } from "../page-abi";
import { DESC_ACC, DESC_GPA, DESC_LEN, DESC_SIZE, Driver, QUEUE_BAD_RING, QUEUE_CAPTURE_ON, QUEUE_COMPLETED, QUEUE_FREED, QUEUE_INDEX, QUEUE_LATE, QUEUE_NEXT_USED, QUEUE_NO_BASE, QUEUE_NO_BUFFER, QUEUE_NUM, QUEUE_USED_LEN, QUEUE_WRITE_DESCS, REQUEST_CAUSE, REQUEST_DESCS, REQUEST_DESC_COUNT, REQUEST_FLAGS, REQUEST_USED_IDX, RequestState } from "../queue-abi";
import { decide } from "../known/back-end";
import { inUserSpace } from "../known/device";
import { F_RING_PACKED } from "../known/fields";
import { LOG_ALL, learn } from "../known/log-state";
import { complete, dropFifo, fillChain, inOrder, inOrderRing, published } from "./net";
import {
  addCount,
  countLostCompletions,
  inFlight,
  queueOf,
  ringSize,
  setFlag,
  setInFlight,
} from "../known/queue";
import { countWritten, usedNow } from "./request";
import { usedRing } from "./used-ring";
import { loseSlots, packedRing, splitRing, userCompletion } from "./user-used";
import { finish, write } from "./write";
import { pages } from "../pages/page-state";
import { descriptorCause, markParts, tellLengths, markPart, noteUnknownHead } from "./completion";

/** vhost_transport_do_send_pkt(), vsock.c: header and payload, `len` bytes; never logged. */
function fillVsock(q: usize, request: usize, len: u64, feat: u64): void {
  // LOG_ALL counts as it is now: nothing of this driver is in flight.
  setFlag(q, QUEUE_CAPTURE_ON, (feat & LOG_ALL) != 0);
  fillChain(q, request, len, Cause.VsockLogged);
}

/** vhost_add_used_n(): the used ring first, then the descriptors of the request. */
export function onUsed(event: usize): void {
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return;
  learn(q, event, true);
  let num = ringSize(q, event);
  let idx = <u32>load<u16>(event + EVENT_IDX);
  let n = load<u32>(event + EVENT_N);
  // A ring that is not set up has size 0, and completes nothing.
  if (!num && !load<u32>(event + EVENT_NUM)) store<u32>(q + QUEUE_BAD_RING, load<u32>(q + QUEUE_BAD_RING) + 1);
  else store<u32>(q + QUEUE_NUM, num);
  let head = load<u32>(event + EVENT_HEAD);
  let request = n == 1 ? inFlight(q, head) : 0;
  let driver = decide(q, event, request != 0 && hasReads(request));
  let user = inUserSpace(driver);
  let packed = user && (load<u64>(event + EVENT_FEAT) & F_RING_PACKED) != 0;
  // A hole in the used index: completions whose events are lost. Their slots were written.
  let expected = load<i32>(q + QUEUE_NEXT_USED);
  if (expected != -1) {
    let missing = (idx - expected) & 0xffff;
    if (missing && missing <= num) {
      countLostCompletions(q, missing);
      if (packed) loseSlots(q);
      else if (user) splitRing(q, event, num, expected, missing, false);
      else usedRing(q, event, num, expected, missing, false);
    }
  }
  if (user) {
    store<i32>(q + QUEUE_NEXT_USED, (idx + n) & 0xffff);
    if (packed) packedRing(q, event, num, request);
    else splitRing(q, event, num, idx, n, true);
    userCompletion(q, event, request, n);
    return;
  }
  let ordered = inOrder(load<u64>(event + EVENT_FEAT), event);
  let moved = ordered ? inOrderRing(q, event, num, idx) : n;
  store<i32>(q + QUEUE_NEXT_USED, (idx + moved) & 0xffff);
  published(q);
  if (!ordered) {
    usedRing(q, event, num, idx, n, true);
    dropFifo(q);
  }
  // Only the first of several elements is recorded; vhost-scsi and vhost-vsock return one.
  if (n != 1) return;
  let len = load<u32>(event + EVENT_LEN);
  if (len) addCount(q + QUEUE_USED_LEN, 1);
  if (driver == Driver.Net) {
    // A packet whose length no probe gave: the used length is that of its bytes.
    if (request) {
      fillChain(q, request, len, Cause.RxLogged);
      setInFlight(q, head, 0);
      complete(q, request, len, idx);
    }
    return;
  }
  if (!request) {
    noteUnknownHead(q, event, head);
    return;
  }
  if (driver == Driver.Vsock) {
    fillVsock(q, request, len, load<u64>(event + EVENT_FEAT));
    setInFlight(q, head, 0);
    complete(q, request, len, idx);
    return;
  }
  let flags = load<u32>(request + REQUEST_FLAGS);
  let cause = descriptorCause(q, flags, load<u64>(event + EVENT_FEAT));
  if (cause == Cause.IoLate || cause == Cause.CtlLate) addCount(q + QUEUE_LATE, 1);
  if (cause == Cause.IoFreed) addCount(q + QUEUE_FREED, 1);
  if (cause == Cause.IoNoBase || cause == Cause.CtlNoBase || cause == Cause.EvtNoBase) {
    addCount(q + QUEUE_NO_BASE, 1);
  }
  usedNow(request, len);
  store<u32>(request + REQUEST_USED_IDX, idx);
  // Before this request's own marks: what is marked so far had no length.
  if (markParts && len != 0 && !pages().lengthSeen) tellLengths();
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
    write(cause, load<u64>(desc + DESC_GPA), length, q, request);
  }
  if (!writes && driver == Driver.Scsi && load<i32>(q + QUEUE_INDEX) == 1) {
    store<u32>(q + QUEUE_NO_BUFFER, load<u32>(q + QUEUE_NO_BUFFER) + 1);
  }
  addCount(q + QUEUE_WRITE_DESCS, writes);
  countWritten(q, request, bytes);
  if (markParts && pages().lengthSeen) markPart(q, request, load<u64>(event + EVENT_FEAT), len);
  addCount(q + QUEUE_COMPLETED, 1);
  setInFlight(q, head, 0);
  finish(request, RequestState.Completed);
}

/** Whether a chain has a readable descriptor. */
function hasReads(request: usize): bool {
  let desc = <usize>load<u32>(request + REQUEST_DESCS);
  return load<u32>(request + REQUEST_DESC_COUNT) != 0 && load<u32>(desc + DESC_ACC) == 1;
}

