/**
 * The bit-planes: for every cause one bit a guest page, kept only for the 2 MiB blocks that were
 * touched, a cache line for each plane of a block (blocks.ts).
 *
 *   lines: [plane 0] … [plane 7]      more: [plane 8] …
 *   kept:  [scratch][row 0: 4 sets][row 1: 4 sets] …
 *
 * A recording has few causes, so planes are numbered in the order in which causes are first met: what
 * marking touches lies close together (measured: with a line for each of 32 causes, and the kept sets
 * behind them, marking and syncs wait for memory). Plane after plane in slabs of blocks instead, a
 * sync walks a page for each of them: slower, measured.
 */
import { BLOCK_BYTES, GPA_BITS, PAGE_SHIFT } from "../abi";
import { Cause, CAUSES } from "../page-abi";
import { openSlots } from "./block-slots";
import {
  entryOf,
  exists,
  KEPT_SETS,
  linesOf,
  moreOf,
  newBlock,
  nextTouched,
  NO_BLOCK,
  planesIn,
  setMore,
  setPlanesIn,
  touch,
} from "./blocks";
import { reserve } from "../base/memory";
import { pages } from "./page-state";
import { bitOf, planeOf, planesOf, rows, WHOLE, WHOLE_OFF } from "./rows";

/** Planes that have a line in every block. */
const FIRST_PLANES: u32 = 8;

/** What mark() found: no new page, range outside the guest-physical space, out of memory. */
export const OUT_OF_RANGE: i32 = -1;
export const NO_MEMORY: i32 = -2;

/** Prepares for the blocks of all machines, once the rows are set. */
export function openPlanes(): void {
  openSlots(FIRST_PLANES, 1 + KEPT_SETS * rows);
}

/** The line of a plane in a block that exists, 0 when it is one of the later ones and not there. */
// @ts-ignore: decorator
@inline
function lineOf(entry: usize, plane: u32): usize {
  if (plane < FIRST_PLANES) return linesOf(entry) + plane * BLOCK_BYTES;
  let more = moreOf(entry);
  return more ? more + (plane - FIRST_PLANES) * BLOCK_BYTES : 0;
}

/** The same, made when it is not there; 0: out of memory. */
// @ts-ignore: decorator
@inline
function makeLine(block: u32, plane: u32): usize {
  let entry = entryOf(block);
  return exists(entry) && plane < FIRST_PLANES ? lineOf(entry, plane) : newLine(block, plane);
}

function newLine(block: u32, plane: u32): usize {
  let entry = entryOf(block);
  if (!exists(entry) && !newBlock(block)) return 0;
  entry = entryOf(block);
  if (plane >= FIRST_PLANES && !moreOf(entry)) {
    let more = reserve((CAUSES - FIRST_PLANES) * BLOCK_BYTES);
    if (!more) return 0;
    setMore(entry, <u32>more);
  }
  return lineOf(entry, plane);
}

/** Empties the planes of this round in a block. */
export function clearBlock(block: u32): void {
  let entry = entryOf(block);
  let mask = planesIn(entry);
  setPlanesIn(entry, 0);
  let zero = i64x2.splat(0);
  for (; mask; mask &= mask - 1) {
    let line = lineOf(entry, <u32>ctz<u64>(mask));
    v128.store(line, zero);
    v128.store(line, zero, 16);
    v128.store(line, zero, 32);
    v128.store(line, zero, 48);
  }
}

/** From now on Part is marked: so far, in this round, it is the whole. False: out of memory. */
export function startParts(): bool {
  pages().lengthSeen = true;
  let whole = planesOf(WHOLE);
  let wholeOff = planesOf(WHOLE_OFF);
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    let present = planesIn(entryOf(block));
    if (present & whole && !copyPlanes(block, Cause.PartLogged, present & whole)) return false;
    if (present & wholeOff && !copyPlanes(block, Cause.PartOff, present & wholeOff)) return false;
  }
  return true;
}

function copyPlanes(block: u32, cause: u32, from: u64): bool {
  let plane = planeOf(cause);
  let line = makeLine(block, plane);
  if (!line) return false;
  let entry = entryOf(block);
  for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
    store<u64>(line + w, orPlanes(entry, w, from));
  }
  setPlanesIn(entry, planesIn(entry) | bitOf(plane));
  return true;
}

/** OR of planes that have a bit in the block, at the word `w` bytes into their lines. */
// @ts-ignore: decorator
@inline
export function orPlanes(entry: usize, w: usize, mask: u64): u64 {
  let bits: u64 = 0;
  let at = linesOf(entry) + w;
  for (let first = <u32>mask & ((1 << FIRST_PLANES) - 1); first; first &= first - 1) {
    bits |= load<u64>(at + ctz<u32>(first) * BLOCK_BYTES);
  }
  if (mask >> FIRST_PLANES) bits |= orMore(entry, w, mask >> FIRST_PLANES);
  return bits;
}

/** The same of the whole block: a line of 512 pages into `into`. */
export function orLine(entry: usize, mask: u64, into: usize): void {
  let zero = i64x2.splat(0);
  v128.store(into, zero);
  v128.store(into, zero, 16);
  v128.store(into, zero, 32);
  v128.store(into, zero, 48);
  for (; mask; mask &= mask - 1) {
    let line = lineOf(entry, <u32>ctz<u64>(mask));
    v128.store(into, v128.or(v128.load(into), v128.load(line)));
    v128.store(into, v128.or(v128.load(into, 16), v128.load(line, 16)), 16);
    v128.store(into, v128.or(v128.load(into, 32), v128.load(line, 32)), 32);
    v128.store(into, v128.or(v128.load(into, 48), v128.load(line, 48)), 48);
  }
}

function orMore(entry: usize, w: usize, mask: u64): u64 {
  let bits: u64 = 0;
  let at = moreOf(entry) + w;
  for (; mask; mask &= mask - 1) bits |= load<u64>(at + <u32>ctz<u64>(mask) * BLOCK_BYTES);
  return bits;
}

/** First and last page that mark() set anew; meaningful when it returned 1. */
export let freshFirst: u32 = 0;
export let freshLast: u32 = 0;

/**
 * Sets the pages of [gpa, gpa+len) in the plane of a cause: log_write(), drivers/vhost/vhost.c.
 * A zero length marks nothing. Returns 1 when some page was not marked before in this round, 0
 * when all were, OUT_OF_RANGE (nothing marked) or NO_MEMORY (a prefix marked).
 */
export function mark(cause: u32, gpa: u64, len: u64): i32 {
  if (len == 0) return 0;
  let last = gpa + (len - 1);
  if (last < gpa || last >> GPA_BITS != 0) return OUT_OF_RANGE;
  let page = <u32>(gpa >> PAGE_SHIFT);
  let lastPage = <u32>(last >> PAGE_SHIFT);
  let plane = planeOf(cause);
  // Most writes lie in 64 pages of a block that exists; many touch nothing new (measured).
  if (page >> 6 == lastPage >> 6 && plane < FIRST_PLANES) {
    let entry = entryOf(page >> 9);
    let lines = linesOf(entry);
    if (lines) {
      let at = lines + plane * BLOCK_BYTES + (((page & 511) >> 6) << 3);
      let mask = (~(<u64>0) >> (63 - (lastPage - page))) << (page & 63);
      let old = load<u64>(at);
      let added = mask & ~old;
      if (!added) return 0;
      store<u64>(at, old | mask);
      freshFirst = (page & ~63) + <u32>ctz<u64>(added);
      freshLast = (page | 63) - <u32>clz<u64>(added);
      touch(entry, page >> 9, plane);
      return 1;
    }
  }
  return markRange(plane, page, lastPage);
}

function markRange(plane: u32, page: u32, lastPage: u32): i32 {
  let first: u32 = 0;
  let last: u32 = 0;
  let any: u64 = 0;
  while (true) {
    let block = page >> 9;
    let end = min<u32>(lastPage, page | 511);
    let line = makeLine(block, plane);
    if (!line) return NO_MEMORY;
    let at = line + (((page & 511) >> 6) << 3);
    let mask = ~(<u64>0) << (page & 63);
    let fresh: u64 = 0;
    // Whole words between the first and the last one: measured several times faster than bits. What
    // was added is picked, not branched on: it is as good as random (measured).
    for (let base = page & ~63; ; base += 64, at += 8) {
      if (end - base < 64) mask &= ~(<u64>0) >> (63 - (end - base));
      let old = load<u64>(at);
      let added = mask & ~old;
      store<u64>(at, old | mask);
      first = select<u32>(base + <u32>ctz<u64>(added), first, !(any | fresh));
      fresh |= added;
      last = select<u32>(base + 63 - <u32>clz<u64>(added), last, added != 0);
      if (end - base < 64) break;
      mask = ~(<u64>0);
    }
    if (fresh) touch(entryOf(block), block, plane);
    any |= fresh;
    if (end == lastPage) break;
    page = end + 1;
  }
  if (!any) return 0;
  freshFirst = first;
  freshLast = last;
  return 1;
}
