/**
 * The record that is being replayed, and whose write it is. Set once for a record, and for each
 * write, and read where evidence is kept: the rules between hand on only what they decide by.
 */

/** The record, and the stream that it is of. */
export let atEvent: usize = 0;
export let atStream: u32 = 0;
/** The queue that writes, and the request that it writes for; 0: its ring. */
export let byQueue: usize = 0;
export let byRequest: usize = 0;

/** A record is replayed from here on. */
// @ts-ignore: decorator
@inline
export function enterMoment(event: usize, stream: u32): void {
  atEvent = event;
  atStream = stream;
}

/** What is written from here on is written by this queue for this request. */
// @ts-ignore: decorator
@inline
export function writesFor(queue: usize, request: usize): void {
  byQueue = queue;
  byRequest = request;
}
