/**
 * The bit-planes: for every cause one bit a guest page, kept only for the 2 MiB blocks that were
 * touched, a cache line for each plane of a block.
 *
 *   directory[gpa >> 31] -> 1024 entries {lines, planes of this round, kept, more lines}
 *   lines: [plane 0] … [plane 7]      more: [plane 8] …
 *   kept:  [scratch][row 0: 4 sets][row 1: 4 sets] …
 *
 * A recording has few causes, so planes are numbered in the order in which causes are first met: what
 * marking touches lies close together (measured: with a line for each of 32 causes, and the kept sets
 * behind them, marking and syncs wait for memory). Plane after plane in slabs of blocks instead, a
 * sync walks a page for each of them: slower, measured.
 */
import { BLOCK_BYTES, Cause, CAUSES, GPA_BITS, PAGE_SHIFT, ROW_LOGS, ROW_SIZE, ROW_WINDOW } from "../abi";
import { openSlots, slotKept, slotLines, takeSlot } from "./block-slots";
import { reserve } from "../base/memory";

const BLOCKS: u32 = 1 << (GPA_BITS - 21);
/** Sets that a row keeps over the rounds: ever written, ever logged, ever lost, stale. */
export const KEPT_SETS: u32 = 4;
/** Planes that have a line in every block. */
const FIRST_PLANES: u32 = 8;
/**
 * Two levels, because one table of all blocks is 128 MiB of address space that JavaScript's garbage
 * collector counts as memory to be won back (measured: more time than the second load).
 */
const PART_SHIFT: u32 = 10;
const PART_BLOCKS: u32 = 1 << PART_SHIFT;
/** An entry: u32 lines, u32 kept, u32 more, u64 planes that have a bit in it in this round. */
const ENTRY: u32 = 24;
const ENTRY_KEPT: u32 = 4;
const ENTRY_MORE: u32 = 8;
const ENTRY_PLANES: u32 = 16;
/** Entries of a part in which nothing was ever written. */
const NONE: usize = memory.data(1024 * 24, 16);

/** Number of a cause's plane + 1, 0 when it was not met; the next number. */
const planes: usize = memory.data(CAUSES);
let planeCount: u32 = 0;

let directory: usize = 0;
/** One bit a block: touched in this round; touched ever. */
export let roundSummary: usize = 0;
export let everSummary: usize = 0;

/** Blocks below `firstBlock` and from `endBlock` on were never touched. */
export let firstBlock: u32 = BLOCKS;
export let endBlock: u32 = 0;
/** The same of this round: an empty round costs nothing, wherever the guest's memory lies. */
export let roundFirst: u32 = BLOCKS;
export let roundEnd: u32 = 0;
/** How many blocks exist. */
export let blockCount: u32 = 0;

export let rowTable: usize = 0;
export let rows: u32 = 0;
/** Rows that are still of interest: the first ones. */
export let activeRows: u32 = 0;

/** What mark() found: no new page, range outside the guest-physical space, out of memory. */
export const OUT_OF_RANGE: i32 = -1;
export const NO_MEMORY: i32 = -2;

/** Prepares for `count` rows; once in the life of an instance. False: out of memory. */
export function setRows(count: u32): bool {
  if (CAUSES > 64) ERROR("a mask of causes is a u64: more than 64 causes do not fit");
  rows = count;
  activeRows = count;
  rowTable = reserve(max<u32>(count, 1) * ROW_SIZE);
  directory = reserve((BLOCKS >> PART_SHIFT) * 4);
  roundSummary = reserve(BLOCKS / 8);
  everSummary = reserve(BLOCKS / 8);
  if (!rowTable || !directory || !roundSummary || !everSummary) return false;
  if (!openSlots(FIRST_PLANES, 1 + KEPT_SETS * count)) return false;
  for (let i: u32 = 0; i < BLOCKS >> PART_SHIFT; ++i) store<u32>(directory + (i << 2), <u32>NONE);
  return true;
}

/**
 * From now on only the first `count` rows are computed: a recording that turned out to have logging
 * on needs no row of the assumed window.
 */
export function useRows(count: u32): void {
  activeRows = min<u32>(count, rows);
}

/** A new round: no block is touched. */
export function startRound(): void {
  roundFirst = BLOCKS;
  roundEnd = 0;
}

/** A block's entry in the directory. */
// @ts-ignore: decorator
@inline
export function entryOf(block: u32): usize {
  let part = <usize>load<u32>(directory + ((block >> PART_SHIFT) << 2));
  return part + (block & (PART_BLOCKS - 1)) * ENTRY;
}

/** Gives a block its lines, and its kept sets: both hold nothing now. */
// @ts-ignore: decorator
@inline
export function setLines(entry: usize, at: u32): void {
  store<u32>(entry, at);
}
// @ts-ignore: decorator
@inline
export function setKept(entry: usize, at: u32): void {
  store<u32>(entry, at, ENTRY_KEPT);
}

/** Whether something was ever written in the block of this entry. */
// @ts-ignore: decorator
@inline
export function exists(entry: usize): bool {
  return load<u32>(entry) != 0;
}

/** Planes that have a bit in this block in this round, a bit each. */
// @ts-ignore: decorator
@inline
export function planesIn(entry: usize): u64 {
  return load<u64>(entry, ENTRY_PLANES);
}

/** A cause or a plane as a mask of them. */
// @ts-ignore: decorator
@inline
export function bitOf(n: u32): u64 {
  return (<u64>1) << n;
}

/** A mask of causes as a mask of planes. */
export function planesOf(causes: u64): u64 {
  let mask: u64 = 0;
  for (; causes; causes &= causes - 1) {
    let plane = <u32>load<u8>(planes + <usize>ctz<u64>(causes));
    if (plane) mask |= bitOf(plane - 1);
  }
  return mask;
}

// @ts-ignore: decorator
@inline
function planeOf(cause: u32): u32 {
  let plane = <u32>load<u8>(planes + cause);
  return plane ? plane - 1 : newPlane(cause);
}

function newPlane(cause: u32): u32 {
  store<u8>(planes + cause, <u8>++planeCount);
  return planeCount - 1;
}

/** The line of a plane in a block that exists, 0 when it is one of the later ones and not there. */
// @ts-ignore: decorator
@inline
function lineOf(entry: usize, plane: u32): usize {
  if (plane < FIRST_PLANES) return <usize>load<u32>(entry) + plane * BLOCK_BYTES;
  let more = <usize>load<u32>(entry, ENTRY_MORE);
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
  if (plane >= FIRST_PLANES && !load<u32>(entry, ENTRY_MORE)) {
    let more = reserve((CAUSES - FIRST_PLANES) * BLOCK_BYTES);
    if (!more) return 0;
    store<u32>(entry, <u32>more, ENTRY_MORE);
  }
  return lineOf(entry, plane);
}

/** What nextTouched() returns when there is none. */
export const NO_BLOCK: u32 = BLOCKS;

/** The first block at or after `from` that was touched in this round. */
export function nextTouched(from: u32): u32 {
  from = max<u32>(from, roundFirst);
  while (from < roundEnd) {
    let bits = load<u64>(roundSummary + ((from >> 6) << 3)) >> (from & 63);
    if (bits) return from + <u32>ctz<u64>(bits);
    from = (from | 63) + 1;
  }
  return NO_BLOCK;
}

/** Empties the planes of this round in a block. */
export function clearBlock(block: u32): void {
  let entry = entryOf(block);
  let mask = planesIn(entry);
  store<u64>(entry, 0, ENTRY_PLANES);
  let zero = i64x2.splat(0);
  for (; mask; mask &= mask - 1) {
    let line = lineOf(entry, <u32>ctz<u64>(mask));
    v128.store(line, zero);
    v128.store(line, zero, 16);
    v128.store(line, zero, 32);
    v128.store(line, zero, 48);
  }
}

/** What Part repeats as long as no device tells a length: all of its requests' descriptors. */
const WHOLE: u64 =
  ((<u64>1) << Cause.IoLogged) |
  ((<u64>1) << Cause.IoLate) |
  ((<u64>1) << Cause.IoFreed) |
  ((<u64>1) << Cause.CtlLogged) |
  ((<u64>1) << Cause.CtlLate) |
  ((<u64>1) << Cause.EvtLogged) |
  ((<u64>1) << Cause.IoRefused);
const WHOLE_OFF: u64 =
  ((<u64>1) << Cause.IoOff) | ((<u64>1) << Cause.CtlOff) | ((<u64>1) << Cause.EvtOff);

/** Some request was answered with a used length: Part has planes of its own from then on. */
export let lengthSeen: bool = false;

/**
 * The causes that a row logs. vhost-scsi never tells a length, and marking every descriptor twice
 * would cost a fifth of the replay (measured), so until one is told Part stands for the whole.
 */
// @ts-ignore: decorator
@inline
export function rowLogs(row: u32): u64 {
  let logs = load<u64>(rowTable + row * ROW_SIZE + ROW_LOGS);
  if (lengthSeen) return logs;
  if (logs & bitOf(Cause.PartLogged)) logs |= WHOLE;
  if (logs & bitOf(Cause.PartOff)) logs |= WHOLE_OFF;
  return logs;
}

/** The causes inside a row's window. */
// @ts-ignore: decorator
@inline
export function rowWindow(row: u32): u64 {
  return load<u64>(rowTable + row * ROW_SIZE + ROW_WINDOW);
}

/** Planes of the causes inside a row's window that it does not log. */
// @ts-ignore: decorator
@inline
export function leftOutPlanes(row: u32): u64 {
  return planesOf(rowWindow(row) & ~rowLogs(row));
}

/** From now on Part is marked: so far, in this round, it is the whole. False: out of memory. */
export function startParts(): bool {
  lengthSeen = true;
  let whole = planesOf(WHOLE);
  let wholeOff = planesOf(WHOLE_OFF);
  for (let block = roundFirst; block < roundEnd; ++block) {
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
  store<u64>(entry, planesIn(entry) | bitOf(plane), ENTRY_PLANES);
  return true;
}

/** OR of planes that have a bit in the block, at the word `w` bytes into their lines. */
// @ts-ignore: decorator
@inline
export function orPlanes(entry: usize, w: usize, mask: u64): u64 {
  let bits: u64 = 0;
  let at = <usize>load<u32>(entry) + w;
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
  let at = <usize>load<u32>(entry, ENTRY_MORE) + w;
  for (; mask; mask &= mask - 1) bits |= load<u64>(at + <u32>ctz<u64>(mask) * BLOCK_BYTES);
  return bits;
}

/** A line of the block for whoever needs a set for a while, and leaves it empty. */
// @ts-ignore: decorator
@inline
export function scratchLine(entry: usize): usize {
  return load<u32>(entry, ENTRY_KEPT);
}

/** The line of a row's kept set in a block. */
// @ts-ignore: decorator
@inline
export function keptLine(entry: usize, row: u32, set: u32): usize {
  return <usize>load<u32>(entry, ENTRY_KEPT) + (1 + row * KEPT_SETS + set) * BLOCK_BYTES;
}

function newBlock(block: u32): bool {
  let part = directory + ((block >> PART_SHIFT) << 2);
  if (<usize>load<u32>(part) == NONE) {
    let entries = reserve(PART_BLOCKS * ENTRY);
    if (!entries) return false;
    store<u32>(part, <u32>entries);
  }
  let slot = takeSlot(block);
  if (slot < 0) return false;
  let entry = entryOf(block);
  setLines(entry, slotLines(slot));
  setKept(entry, slotKept(slot));
  let word = everSummary + ((block >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (block & 63)));
  if (block < firstBlock) firstBlock = block;
  if (block >= endBlock) endBlock = block + 1;
  ++blockCount;
  return true;
}

/** Notes that a block has bits of a plane in this round. */
// @ts-ignore: decorator
@inline
function touch(entry: usize, block: u32, plane: u32): void {
  let present = planesIn(entry);
  let bit = bitOf(plane);
  if (present & bit) return;
  store<u64>(entry, present | bit, ENTRY_PLANES);
  if (present) return;
  let word = roundSummary + ((block >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (block & 63)));
  if (block < roundFirst) roundFirst = block;
  if (block >= roundEnd) roundEnd = block + 1;
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
    let lines = <usize>load<u32>(entry);
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
