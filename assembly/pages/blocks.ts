/**
 * The blocks of a machine's guest, 2 MiB each, found in two steps:
 *
 *   directory[gpa >> 31] -> a part: which of its blocks were touched, then 1024 entries
 *   an entry: lines of the first planes, kept sets, lines of the later planes, planes of this round
 *
 * Only parts in which something was written exist, so a machine costs what it touched.
 *
 * Two levels, because one table of all blocks is 128 MiB of address space that JavaScript's garbage
 * collector counts as memory to be won back (measured: more time than the second load).
 */
import { BLOCK_BYTES, GPA_BITS } from "../abi";
import { reserve } from "../base/memory";
import { slotKept, slotLines, takeSlot } from "./block-slots";
import { Pages, pages } from "./page-state";
import { bitOf } from "./rows";

export const BLOCKS: u32 = 1 << (GPA_BITS - 21);
const PART_SHIFT: u32 = 10;
const PART_BLOCKS: u32 = 1 << PART_SHIFT;
const PARTS: u32 = BLOCKS >> PART_SHIFT;
/** Which blocks of a part: touched in this round, touched ever, got their slots in this round. */
export enum Which {
  Round = 0,
  Ever,
  Fresh,
}
const BITS: u32 = PART_BLOCKS / 8;
const HEADER: u32 = 3 * BITS;
/** An entry: u32 lines, u32 kept, u32 more, u64 planes that have a bit in it in this round. */
const ENTRY: u32 = 24;
const ENTRY_KEPT: u32 = 4;
const ENTRY_MORE: u32 = 8;
const ENTRY_PLANES: u32 = 16;
/** A part in which nothing was ever written. */
const NONE: usize = memory.data(384 + 1024 * 24, 16);
/** The directory of a machine without a write. */
let noDirectory: usize = 0;

/** Sets that a row keeps over the rounds: ever written, ever logged, ever lost, stale. */
export const KEPT_SETS: u32 = 4;

function emptyDirectory(): usize {
  let directory = reserve(PARTS * 4);
  if (directory) for (let i: u32 = 0; i < PARTS; ++i) store<u32>(directory + (i << 2), <u32>NONE);
  return directory;
}

/** A new machine: nothing was written. False: out of memory. */
export function openBlocks(p: Pages): bool {
  if (!noDirectory) noDirectory = emptyDirectory();
  p.directory = noDirectory;
  p.firstBlock = BLOCKS;
  p.roundFirst = BLOCKS;
  return noDirectory != 0;
}

/** A new round: no block is touched. */
export function startRound(): void {
  let p = pages();
  p.roundFirst = BLOCKS;
  p.roundEnd = 0;
}

// @ts-ignore: decorator
@inline
function partOf(block: u32): usize {
  return <usize>load<u32>(pages().directory + ((block >> PART_SHIFT) << 2));
}

/** A block's entry. */
// @ts-ignore: decorator
@inline
export function entryOf(block: u32): usize {
  return partOf(block) + HEADER + (block & (PART_BLOCKS - 1)) * ENTRY;
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
// @ts-ignore: decorator
@inline
export function setMore(entry: usize, at: u32): void {
  store<u32>(entry, at, ENTRY_MORE);
}
// @ts-ignore: decorator
@inline
export function setPlanesIn(entry: usize, planes: u64): void {
  store<u64>(entry, planes, ENTRY_PLANES);
}

/** Whether something was ever written in the block of this entry. */
// @ts-ignore: decorator
@inline
export function exists(entry: usize): bool {
  return load<u32>(entry) != 0;
}

/** Lines of the first planes; of the later ones, 0 when there are none. */
// @ts-ignore: decorator
@inline
export function linesOf(entry: usize): usize {
  return load<u32>(entry);
}
// @ts-ignore: decorator
@inline
export function moreOf(entry: usize): usize {
  return load<u32>(entry, ENTRY_MORE);
}

/** Planes that have a bit in this block in this round, a bit each. */
// @ts-ignore: decorator
@inline
export function planesIn(entry: usize): u64 {
  return load<u64>(entry, ENTRY_PLANES);
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

// @ts-ignore: decorator
@inline
function setBit(block: u32, which: u32): void {
  let word = partOf(block) + which * BITS + (((block & (PART_BLOCKS - 1)) >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (block & 63)));
}

/** What nextOf() returns when there is none. */
export const NO_BLOCK: u32 = BLOCKS;

/** The first block of `which` at or after `from` and before `end`. */
function nextOf(which: u32, from: u32, end: u32): u32 {
  while (from < end) {
    let part = partOf(from);
    if (part == NONE) {
      from = (from | (PART_BLOCKS - 1)) + 1;
      continue;
    }
    let bits = load<u64>(part + which * BITS + (((from & (PART_BLOCKS - 1)) >> 6) << 3)) >> (from & 63);
    if (bits) return from + <u32>ctz<u64>(bits);
    from = (from | 63) + 1;
  }
  return NO_BLOCK;
}

/** The first block at or after `from` that was touched in this round. */
export function nextTouched(from: u32): u32 {
  return nextOf(Which.Round, max<u32>(from, pages().roundFirst), pages().roundEnd);
}

/** The same: touched ever. */
export function nextKnown(from: u32): u32 {
  return nextOf(Which.Ever, max<u32>(from, pages().firstBlock), pages().endBlock);
}

/** The same: got its slot in this round. */
export function nextFresh(from: u32): u32 {
  return nextOf(Which.Fresh, max<u32>(from, pages().roundFirst), pages().roundEnd);
}

/** Forgets which blocks are of `which`, in this round's part of the guest. */
export function clearBits(which: u32): void {
  let p = pages();
  for (let block = p.roundFirst; block < p.roundEnd; block = (block | (PART_BLOCKS - 1)) + 1) {
    let part = partOf(block);
    if (part != NONE) memory.fill(part + which * BITS, 0, BITS);
  }
}

/** Makes a block that does not exist. False: out of memory. */
export function newBlock(block: u32): bool {
  let p = pages();
  if (p.directory == noDirectory) {
    let own = emptyDirectory();
    if (!own) return false;
    p.directory = own;
  }
  let part = p.directory + ((block >> PART_SHIFT) << 2);
  if (<usize>load<u32>(part) == NONE) {
    let blocks = reserve(HEADER + PART_BLOCKS * ENTRY);
    if (!blocks) return false;
    store<u32>(part, <u32>blocks);
  }
  let slot = takeSlot();
  if (slot < 0) return false;
  let entry = entryOf(block);
  setLines(entry, slotLines(slot));
  setKept(entry, slotKept(slot));
  setBit(block, Which.Fresh);
  setBit(block, Which.Ever);
  if (block < p.firstBlock) p.firstBlock = block;
  if (block >= p.endBlock) p.endBlock = block + 1;
  ++p.blockCount;
  return true;
}

/** Notes that a block has bits of a plane in this round. */
// @ts-ignore: decorator
@inline
export function touch(entry: usize, block: u32, plane: u32): void {
  let present = planesIn(entry);
  let bit = bitOf(plane);
  if (present & bit) return;
  setPlanesIn(entry, present | bit);
  if (present) return;
  let p = pages();
  setBit(block, Which.Round);
  if (block < p.roundFirst) p.roundFirst = block;
  if (block >= p.roundEnd) p.roundEnd = block + 1;
}
