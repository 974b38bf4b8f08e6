/** What completions of all drivers have in common: causes, used lengths, heads that nobody popped. */
import { EVENT_IDX, EVENT_LEN, EVENT_PLACE, EVENT_TS } from "../event-abi";
import { Cause } from "../page-abi";
import { Driver, QUEUE_DRIVER, QUEUE_ID, QUEUE_INDEX, QUEUE_LAST_UNKNOWN_PLACE, QUEUE_LAST_UNKNOWN_STREAM, QUEUE_UNKNOWN_HEAD, QUEUE_UNKNOWN_PLACE, QUEUE_UNKNOWN_STREAM, QUEUE_UNKNOWN_TS, REQUEST_CAPTURED, REQUEST_CAPTURE_UNKNOWN, REQUEST_CAUSE, REQUEST_FLAGS, REQUEST_FREED, REQUEST_HEAD, REQUEST_POP_STREAM, REQUEST_QUEUE, REQUEST_SERIAL, REQUEST_SIZE, REQUEST_USED_IDX, RequestState } from "../queue-abi";
import { QUEUE_LENGTHS } from "../known/fields";
import { inUserSpace } from "../known/device";
import { draining } from "../known/drain";
import { LOG_ALL, noBase } from "../known/log-state";
import { take } from "../base/memory";
import { takeRound } from "../migration/migration-round";
import { startParts } from "../pages/planes";
import { atStream } from "../known/moment";
import { countUnknownHead, hasFlag } from "../known/queue";
import { usedNow } from "./request";
import { finish, nextSerial, noMemory, observeRequests, writePrefix } from "./write";

/** Cause of a completed request's descriptors: who wrote, and what state the log was in. */
export function descriptorCause(q: usize, flags: u32, feat: u64): u32 {
  let index = load<i32>(q + QUEUE_INDEX);
  let logging = (feat & LOG_ALL) != 0;
  let driver = load<u32>(q + QUEUE_DRIVER);
  // Control and event queue are vhost-scsi's, in the kernel and outside of it.
  if (inUserSpace(driver) && driver != Driver.VhostUserScsi) index = -1;
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

/** Some row logs by the used length: its part is marked beside the whole. */
export let markParts: bool = false;

export function setParts(on: bool): void {
  markParts = on;
}

/** The first used length: from here on a part is not the whole. */
export function tellLengths(): void {
  // What a policy left out so far goes by the planes as they are.
  takeRound();
  if (!startParts()) noMemory();
}

/** vu_queue_fill(), libvhost-user: descriptors up to the used length. */
export function markPart(q: usize, request: usize, feat: u64, len: u64): void {
  let cause: u32 = feat & LOG_ALL ? Cause.PartLogged : Cause.PartOff;
  if (cause == Cause.PartLogged && noBase(q)) return;
  // vhost-scsi tells no length; a queue that told one means it when it says 0.
  let told = len != 0 || hasFlag(q, QUEUE_LENGTHS) || inUserSpace(load<u32>(q + QUEUE_DRIVER));
  writePrefix(cause, told ? len : ~(<u64>0), q, request);
}

/** A completion whose pop is not in the recording. */
export function noteUnknownHead(q: usize, event: usize, head: u32): void {
  if (!load<u64>(q + QUEUE_UNKNOWN_HEAD)) {
    store<u64>(q + QUEUE_UNKNOWN_PLACE, load<u64>(event + EVENT_PLACE));
    store<u64>(q + QUEUE_UNKNOWN_TS, load<u64>(event + EVENT_TS));
    store<u16>(q + QUEUE_UNKNOWN_STREAM, <u16>atStream);
  }
  store<u64>(q + QUEUE_LAST_UNKNOWN_PLACE, load<u64>(event + EVENT_PLACE));
  store<u16>(q + QUEUE_LAST_UNKNOWN_STREAM, <u16>atStream);
  countUnknownHead(q);
  if (observeRequests || draining) noteUnknown(q, event, head);
}

/** The same, as a request without descriptors. */
function noteUnknown(q: usize, event: usize, head: u32): void {
  let request = take(REQUEST_SIZE);
  if (!request) {
    noMemory();
    return;
  }
  store<u64>(request + REQUEST_SERIAL, nextSerial());
  store<u16>(request + REQUEST_POP_STREAM, 0xffff);
  usedNow(request, load<u32>(event + EVENT_LEN));
  store<u32>(request + REQUEST_USED_IDX, load<u16>(event + EVENT_IDX));
  store<u32>(request + REQUEST_QUEUE, load<u32>(q + QUEUE_ID));
  store<u32>(request + REQUEST_HEAD, head);
  store<i32>(request + REQUEST_CAUSE, -1);
  store<u32>(request + REQUEST_FLAGS, REQUEST_CAPTURE_UNKNOWN);
  finish(request, RequestState.UnknownHead);
}
