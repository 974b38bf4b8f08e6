/**
 * A u32 for every block of guest-physical space, found in two steps. One table of all blocks is 32 MiB
 * of address space that JavaScript's garbage collector counts as memory to be won back (measured: more
 * time than the second step).
 */
import { GPA_BITS } from "../abi";
import { reserve } from "../base/memory";

const PARTS: u32 = 1 << (GPA_BITS - 31);
const PART_BLOCKS: u32 = 1 << 10;
/** The part of blocks for which nothing was stored. */
const NONE: usize = memory.data(1024 * 4, 16);

/** A directory with 0 for every block; 0: out of memory. */
export function newDirectory(): usize {
  let directory = reserve(PARTS * 4);
  if (directory) for (let i: u32 = 0; i < PARTS; ++i) store<u32>(directory + (i << 2), <u32>NONE);
  return directory;
}

// @ts-ignore: decorator
@inline
export function blockValue(directory: usize, block: u32): u32 {
  let part = <usize>load<u32>(directory + ((block >> 10) << 2));
  return load<u32>(part + ((block & (PART_BLOCKS - 1)) << 2));
}

/** False: out of memory. */
export function setBlockValue(directory: usize, block: u32, value: u32): bool {
  let at = directory + ((block >> 10) << 2);
  if (<usize>load<u32>(at) == NONE) {
    let part = reserve(PART_BLOCKS * 4);
    if (!part) return false;
    store<u32>(at, <u32>part);
  }
  store<u32>(<usize>load<u32>(at) + ((block & (PART_BLOCKS - 1)) << 2), value);
  return true;
}
