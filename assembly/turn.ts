/**
 * Whose turn it is: a heap of the streams that have a record to take, by the time of that record and,
 * at equal times, by the number of the stream. With hundreds of CPUs whose events interleave, looking
 * through all streams for each event costs more than everything else together (measured).
 */
import { EVENT_TS } from "./event-abi";
import { MAX_STREAMS, recordAt, Stream, streamAt, streamCount } from "./decode/stream";

/** A heap's node: u64 time, u32 stream. */
const NODE: u32 = 16;
const NODE_STREAM: u32 = 8;
const heap: usize = memory.data(4096 * 16, 16);
let size: u32 = 0;
/** Streams without a record to take, which are not known to be at their end. */
const waiting: usize = memory.data(4096 * 4, 4);
let waitingCount: u32 = 0;
/** Streams that were seen: those that the host adds later begin to wait then. */
let known: u32 = 0;

if (MAX_STREAMS != 4096) ERROR("turn: room for each stream");

// @ts-ignore: decorator
@inline
function nodeAt(i: u32): usize {
  return heap + i * NODE;
}

/** Whether the node of (ts, stream) comes before the one at `node`. */
// @ts-ignore: decorator
@inline
function before(ts: u64, stream: u32, node: usize): bool {
  let other = load<u64>(node);
  return ts < other || (ts == other && stream < load<u32>(node, NODE_STREAM));
}

// @ts-ignore: decorator
@inline
function put(node: usize, ts: u64, stream: u32): void {
  store<u64>(node, ts);
  store<u32>(node, stream, NODE_STREAM);
}

// @ts-ignore: decorator
@inline
function timeOf(s: Stream): u64 {
  return load<u64>(recordAt(s, s.head) + EVENT_TS);
}

/** A stream that has no record to take, the last one that began to wait; -1: none waits. */
export function nextWaiting(): i32 {
  // The first one is to be looked at first: of two that cannot be read the user hears of it.
  for (let i = streamCount; i > known; ) wait(--i);
  known = streamCount;
  return waitingCount ? <i32>load<u32>(waiting + ((waitingCount - 1) << 2)) : -1;
}

function wait(stream: u32): void {
  store<u32>(waiting + (waitingCount++ << 2), stream);
}

/** The stream of `nextWaiting()` has a record now, or it is at its end and waits no more. */
export function endWait(ended: bool): void {
  let stream = load<u32>(waiting + (--waitingCount << 2));
  if (ended) return;
  let ts = timeOf(streamAt(stream));
  let i = size++;
  while (i) {
    let parent = (i - 1) >> 1;
    if (!before(ts, stream, nodeAt(parent))) break;
    memory.copy(nodeAt(i), nodeAt(parent), NODE);
    i = parent;
  }
  put(nodeAt(i), ts, stream);
}

/** The stream whose turn it is; -1: none has a record. */
// @ts-ignore: decorator
@inline
export function turnOf(): i32 {
  return size ? <i32>load<u32>(heap, NODE_STREAM) : -1;
}

/** Until when its turn lasts: the time of the next other stream's record, all ones without any. */
export let turnEnd: u64 = 0;
/** A record of that very time is the other stream's turn. */
export let turnEndsBefore: bool = false;

/** Sets `turnEnd` and `turnEndsBefore`. */
export function findTurnEnd(): void {
  if (size < 2) {
    turnEnd = ~(<u64>0);
    turnEndsBefore = false;
    return;
  }
  let next = nodeAt(1);
  if (size > 2 && before(load<u64>(nodeAt(2)), load<u32>(nodeAt(2), NODE_STREAM), next)) {
    next = nodeAt(2);
  }
  turnEnd = load<u64>(next);
  turnEndsBefore = load<u32>(next, NODE_STREAM) < load<u32>(heap, NODE_STREAM);
}

/** The stream whose turn it was gave some records: it finds its new place, or waits for more. */
export function endTurn(s: Stream): void {
  let ts: u64;
  let stream = load<u32>(heap, NODE_STREAM);
  if (s.head < s.ready) {
    ts = timeOf(s);
  } else {
    wait(stream);
    if (!--size) return;
    ts = load<u64>(nodeAt(size));
    stream = load<u32>(nodeAt(size), NODE_STREAM);
  }
  let i: u32 = 0;
  while (true) {
    let child: u32 = 2 * i + 1;
    if (child >= size) break;
    let node = nodeAt(child);
    if (child + 1 < size) {
      let right = nodeAt(child + 1);
      if (before(load<u64>(right), load<u32>(right, NODE_STREAM), node)) {
        ++child;
        node = right;
      }
    }
    if (before(ts, stream, node)) break;
    memory.copy(nodeAt(i), node, NODE);
    i = child;
  }
  put(nodeAt(i), ts, stream);
}
