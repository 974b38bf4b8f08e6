/**
 * Memory of the blocks: a slot is the lines of its planes and its kept sets. Blocks are met in any
 * order, but syncs visit them by address, and memory that is read in order is read several times
 * faster (measured: a dense sync of one policy takes a quarter of the time). So the slots that a round
 * took are handed out again by address (block-order.ts), each part when it holds nothing: the kept
 * sets before the first sync of the block, the planes after it. Slots are cut from the same slabs for
 * all machines.
 */
import { BLOCK_BYTES } from "../abi";
import { enlarge, reserve } from "../base/memory";
import { pages } from "./page-state";

/** Slots taken at a time. */
const SLAB: u32 = 64;

let linesBytes: u32 = 0;
let keptBytes: u32 = 0;
let lines: usize = 0;
let kept: usize = 0;
let left: u32 = 0;

/** How much a slot has. */
export function openSlots(planes: u32, sets: u32): void {
  linesBytes = planes * BLOCK_BYTES;
  keptBytes = sets * BLOCK_BYTES;
}

/** A zeroed slot for a block that has none: its number in this round, -1: out of memory. */
export function takeSlot(): i32 {
  let p = pages();
  if (!left && !newSlab()) return -1;
  if (p.freshCount == p.freshCap) {
    let cap = p.freshCap ? p.freshCap << 1 : 16;
    let bigger = enlarge(p.fresh, p.freshCap << 3, cap << 3);
    if (!bigger) return -1;
    p.fresh = bigger;
    p.freshCap = cap;
  }
  store<u32>(p.fresh + (p.freshCount << 3), <u32>lines);
  store<u32>(p.fresh + (p.freshCount << 3), <u32>kept, 4);
  lines += linesBytes;
  kept += keptBytes;
  --left;
  return p.freshCount++;
}

/** Lines of the planes of slot `i` of this round. */
// @ts-ignore: decorator
@inline
export function slotLines(i: u32): u32 {
  return load<u32>(pages().fresh + (i << 3));
}

/** Kept sets of slot `i` of this round. */
// @ts-ignore: decorator
@inline
export function slotKept(i: u32): u32 {
  return load<u32>(pages().fresh + (i << 3), 4);
}

export function anyFresh(): bool {
  return pages().freshCount != 0;
}

/** The round is over. */
export function dropFresh(): void {
  pages().freshCount = 0;
}

function newSlab(): bool {
  lines = reserve(SLAB * linesBytes);
  kept = lines ? reserve(SLAB * keptBytes) : 0;
  if (!kept) return false;
  left = SLAB;
  return true;
}
