/**
 * Shapes of lines: kernel text names an event without its group, so two probes may share a name. Which one
 * a line is of, its own fields tell, and the function in its brackets. The host judges a line of each
 * shape once; here is what it said.
 */
import { MAX_SHAPES } from "../decode-abi";
import { take } from "../base/memory";
import { SPACE } from "./number";
import { EventPlan } from "./plan";

const PRIME: u64 = 0x100000001b3;

const EMPTY: u64 = 0xcbf29ce484222325;
let behindFunction: usize = 0;

/**
 * A hash of the function in the brackets at `p`, as the kernel prints them: `(f+0x0/0x10 [module])`,
 * `(caller+0x4/0x9b0 <- f)`.
 */
export function functionOf(p: usize, end: usize): u64 {
  let hash = EMPTY;
  while (p < end && load<u8>(p) == SPACE) ++p;
  behindFunction = p;
  if (p >= end || load<u8>(p) != 0x28) return hash;
  let from = p + 1;
  let close = from;
  for (; close < end && load<u8>(close) != 0x29; ++close) {
    if (load<u8>(close) == 0x2d && load<u8>(close - 1) == 0x3c && close + 2 < end) from = close + 2;
  }
  for (; from < close && load<u8>(from) != 0x2b && load<u8>(from) != SPACE; ++from) {
    hash = (hash ^ load<u8>(from)) * PRIME;
  }
  behindFunction = min<usize>(close + 1, end);
  return hash;
}

/** The same, and the names of the fields behind it, in their order. */
export function signatureOf(p: usize, end: usize): u64 {
  let hash = functionOf(p, end);
  let word = behindFunction;
  let quoted = false;
  for (p = word; p < end; ++p) {
    let c = <u32>load<u8>(p);
    if (c == 0x22) quoted = !quoted;
    else if (quoted) continue;
    else if (c == SPACE) word = p + 1;
    else if (c == 0x3d && word) {
      for (; word <= p; ++word) hash = (hash ^ load<u8>(word)) * PRIME;
      word = 0;
    }
  }
  return hash;
}

/** Whether lines of this shape are another's event. */
export function isForeign(event: EventPlan, signature: u64): bool {
  for (let i: u32 = 0; i < event.shapeCount; ++i) {
    if (load<u64>(event.shapes + (i << 3)) == signature) return true;
  }
  return false;
}

/** Lines of this shape are another's event: they are counted. */
export function addForeign(event: EventPlan, signature: u64): void {
  if (!event.shapes) event.shapes = take(MAX_SHAPES << 3);
  if (!event.shapes || event.shapeCount == <u32>MAX_SHAPES) return;
  store<u64>(event.shapes + (event.shapeCount++ << 3), signature);
}
