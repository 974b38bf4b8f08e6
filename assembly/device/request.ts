/** A request at its pop, and when it is used. */
import { EVENT_PLACE, EVENT_TS } from "../event-abi";
import { QUEUE_ID, QUEUE_WRITE_BYTES, REQUEST_CAUSE, REQUEST_HEAD, REQUEST_POP_PLACE, REQUEST_POP_STREAM, REQUEST_POP_TS, REQUEST_QUEUE, REQUEST_SERIAL, REQUEST_SIZE, REQUEST_USED_LEN, REQUEST_USED_PLACE, REQUEST_USED_STREAM, REQUEST_USED_TS, REQUEST_WRITTEN } from "../queue-abi";
import { take } from "../base/memory";
import { atEvent, atStream } from "../known/moment";
import { addCount } from "../known/queue";
import { nextSerial, noMemory } from "./write";

/** A new request of this queue, popped now; `head` -1 where no event tells it. 0: no memory. */
export function popped(q: usize, head: i32): usize {
  let request = take(REQUEST_SIZE);
  if (!request) {
    noMemory();
    return 0;
  }
  store<u64>(request + REQUEST_SERIAL, nextSerial());
  store<u64>(request + REQUEST_POP_TS, load<u64>(atEvent + EVENT_TS));
  store<u64>(request + REQUEST_POP_PLACE, load<u64>(atEvent + EVENT_PLACE));
  store<u16>(request + REQUEST_POP_STREAM, <u16>atStream);
  store<u16>(request + REQUEST_USED_STREAM, 0xffff);
  store<u32>(request + REQUEST_QUEUE, load<u32>(q + QUEUE_ID));
  store<i32>(request + REQUEST_HEAD, head);
  store<i32>(request + REQUEST_CAUSE, -1);
  return request;
}

/** The request is used now, with this length. */
// @ts-ignore: decorator
@inline
export function usedNow(request: usize, length: u32): void {
  store<u64>(request + REQUEST_USED_TS, load<u64>(atEvent + EVENT_TS));
  store<u64>(request + REQUEST_USED_PLACE, load<u64>(atEvent + EVENT_PLACE));
  store<u16>(request + REQUEST_USED_STREAM, <u16>atStream);
  store<u32>(request + REQUEST_USED_LEN, length);
}

/** So many more bytes of the request count as written. */
// @ts-ignore: decorator
@inline
export function countWritten(q: usize, request: usize, bytes: u64): void {
  addCount(q + QUEUE_WRITE_BYTES, bytes);
  addCount(request + REQUEST_WRITTEN, bytes);
}
