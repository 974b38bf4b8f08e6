/** A request at its pop. */
import {
  EVENT_PLACE,
  EVENT_TS,
  QUEUE_ID,
  REQUEST_CAUSE,
  REQUEST_HEAD,
  REQUEST_POP_PLACE,
  REQUEST_POP_STREAM,
  REQUEST_POP_TS,
  REQUEST_QUEUE,
  REQUEST_SERIAL,
  REQUEST_SIZE,
  REQUEST_USED_STREAM,
} from "../abi";
import { take } from "../base/memory";
import { nextSerial, noMemory } from "./write";

/** A new request of this queue, popped by `event`; `head` -1 where no event tells it. 0: no memory. */
export function popped(q: usize, head: i32, event: usize, stream: u32): usize {
  let request = take(REQUEST_SIZE);
  if (!request) {
    noMemory();
    return 0;
  }
  store<u64>(request + REQUEST_SERIAL, nextSerial());
  store<u64>(request + REQUEST_POP_TS, load<u64>(event + EVENT_TS));
  store<u64>(request + REQUEST_POP_PLACE, load<u64>(event + EVENT_PLACE));
  store<u16>(request + REQUEST_POP_STREAM, <u16>stream);
  store<u16>(request + REQUEST_USED_STREAM, 0xffff);
  store<u32>(request + REQUEST_QUEUE, load<u32>(q + QUEUE_ID));
  store<i32>(request + REQUEST_HEAD, head);
  store<i32>(request + REQUEST_CAUSE, -1);
  return request;
}
