/** Where RAM of each QEMU lies in the guest: host-virtual ranges and RAM blocks, placed by the host. */
import { NO_ADDRESS } from "../abi";
import { reserve } from "../base/memory";

/** Ranges of QEMU's RAM: {u64 hva, u64 size, u64 gpa, u32 space, u32 RAM block or 0 for any}. */
const MAX_RANGES: u32 = 4096;
const RANGE: u32 = 32;
let ranges: usize = 0;
export let rangeCount: u32 = 0;
/** RAM blocks that the host has placed: {u32 space, u32 name}. */
const MAX_RAM_BLOCKS: u32 = 1024;
const ramBlocks: usize = memory.data(1024 * 8);
let ramBlockCount: u32 = 0;

/**
 * Host-virtual [hva, hva+size) of a QEMU is guest-physical [gpa, …), of one RAM block where it is
 * told by the block. False: too many.
 */
export function addRange(space: u32, block: u32, hva: u64, size: u64, gpa: u64): bool {
  if (!ranges) ranges = reserve(MAX_RANGES * RANGE);
  if (!ranges || rangeCount == MAX_RANGES) return false;
  let at = ranges + rangeCount++ * RANGE;
  store<u64>(at, hva);
  store<u64>(at + 8, size);
  store<u64>(at + 16, gpa);
  store<u32>(at + 24, space);
  store<u32>(at + 28, block);
  return true;
}

/**
 * The guest-physical address of a host-virtual one in range number i, or NO_ADDRESS where it lies
 * outside. An alias of RAM lies in more than one range, so all of them are asked.
 */
// @ts-ignore: decorator
@inline
export function gpaIn(i: u32, space: u32, block: u32, hva: u64): u64 {
  let range = ranges + i * RANGE;
  let distance = hva - load<u64>(range);
  if (distance >= load<u64>(range + 8) || load<u32>(range + 24) != space) return NO_ADDRESS;
  let own = load<u32>(range + 28);
  if (own != 0 && own != block) return NO_ADDRESS;
  return load<u64>(range + 16) + distance;
}

/** Before the ranges of this QEMU are given anew. */
export function clearRanges(space: u32): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < rangeCount; ++i) {
    let at = ranges + i * RANGE;
    if (load<u32>(at + 24) == space) continue;
    memory.copy(ranges + kept++ * RANGE, at, RANGE);
  }
  rangeCount = kept;
}

export function addRamBlock(space: u32, name: u32): void {
  if (ramBlockCount == MAX_RAM_BLOCKS) return;
  let at = ramBlocks + (ramBlockCount++ << 3);
  store<u32>(at, space);
  store<u32>(at + 4, name);
}

let knownBlock: u64 = ~(<u64>0);

/** Whether the host was asked for this RAM block; with too many of them it is not asked again. */
export function ramBlockKnown(space: u32, name: u32): bool {
  let key = (<u64>space << 32) | name;
  if (key == knownBlock) return true;
  for (let i: u32 = 0; i < ramBlockCount; ++i) {
    let at = ramBlocks + (i << 3);
    if (load<u32>(at) != space || load<u32>(at + 4) != name) continue;
    knownBlock = key;
    return true;
  }
  return ramBlockCount == MAX_RAM_BLOCKS;
}
