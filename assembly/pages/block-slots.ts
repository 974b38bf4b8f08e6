/**
 * Memory of the blocks: a slot is the lines of its planes and its kept sets. Blocks are met in any
 * order, but syncs visit them by address, and memory that is read in order is read several times
 * faster (measured: a dense sync of one policy takes a quarter of the time). So the slots that a round
 * took are handed out again by address (block-order.ts), each part when it holds nothing: the kept
 * sets before the first sync of the block, the planes after it.
 */
import { BLOCK_BYTES, GPA_BITS } from "../abi";
import { enlarge, reserve } from "../base/memory";

const BLOCKS: u32 = 1 << (GPA_BITS - 21);
/** Slots taken at a time. */
const SLAB: u32 = 64;

let linesBytes: u32 = 0;
let keptBytes: u32 = 0;
let lines: usize = 0;
let kept: usize = 0;
let left: u32 = 0;

/** Slots taken in this round, in the order of their memory: {u32 lines, u32 kept}. */
let fresh: usize = 0;
let freshCap: u32 = 0;
let freshCount: u32 = 0;
/** One bit a block: got its slot in this round. */
let freshBlocks: usize = 0;

/** How much a slot has. False: out of memory. */
export function openSlots(planes: u32, sets: u32): bool {
  linesBytes = planes * BLOCK_BYTES;
  keptBytes = sets * BLOCK_BYTES;
  freshBlocks = reserve(BLOCKS / 8);
  return freshBlocks != 0;
}

/** A zeroed slot for a block that has none: its number in this round, -1: out of memory. */
export function takeSlot(block: u32): i32 {
  if (!left && !newSlab()) return -1;
  if (freshCount == freshCap) {
    let cap = freshCap ? freshCap << 1 : 256;
    let bigger = enlarge(fresh, freshCap << 3, cap << 3);
    if (!bigger) return -1;
    fresh = bigger;
    freshCap = cap;
  }
  store<u32>(fresh + (freshCount << 3), <u32>lines);
  store<u32>(fresh + (freshCount << 3), <u32>kept, 4);
  lines += linesBytes;
  kept += keptBytes;
  --left;
  let word = freshBlocks + ((block >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (block & 63)));
  return freshCount++;
}

/** Lines of the planes of slot `i` of this round. */
// @ts-ignore: decorator
@inline
export function slotLines(i: u32): u32 {
  return load<u32>(fresh + (i << 3));
}

/** Kept sets of slot `i` of this round. */
// @ts-ignore: decorator
@inline
export function slotKept(i: u32): u32 {
  return load<u32>(fresh + (i << 3), 4);
}

/** Which of 64 blocks got their slots in this round. */
// @ts-ignore: decorator
@inline
export function freshBits(word: u32): u64 {
  return load<u64>(freshBlocks + (<usize>word << 3));
}

/** The round is over for these 64 blocks. */
// @ts-ignore: decorator
@inline
export function clearFreshBits(word: u32): void {
  store<u64>(freshBlocks + (<usize>word << 3), 0);
}

export function anyFresh(): bool {
  return freshCount != 0;
}

/** The round is over. */
export function dropFresh(): void {
  freshCount = 0;
}

function newSlab(): bool {
  lines = reserve(SLAB * linesBytes);
  kept = lines ? reserve(SLAB * keptBytes) : 0;
  if (!kept) return false;
  left = SLAB;
  return true;
}
