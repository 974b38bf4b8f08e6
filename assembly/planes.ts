/**
 * The bit-planes: for every cause one bit a guest page, kept only for the 2 MiB blocks that were
 * touched. A block holds, one cache line each: the planes of this round, one scratch plane, and
 * the sets that every row keeps over the rounds. (Plane after plane in slabs of blocks, a sync
 * walks twenty pages for each block instead of one: slower, measured.)
 *
 *   directory[gpa >> 31] -> 1024 entries {block, causes of this round}
 *   block: [cause 0][cause 1] … [scratch][row 0: 4 sets][row 1: 4 sets] …
 */
import { BLOCK_BYTES, Cause, CAUSES, GPA_BITS, PAGE_SHIFT, ROW_LOGS, ROW_SIZE } from "./abi";
import { reserve } from "./memory";

const BLOCKS: u32 = 1 << (GPA_BITS - 21);
/** Sets that a row keeps over the rounds: ever written, ever logged, ever lost, stale. */
export const KEPT_SETS: u32 = 4;
export const SCRATCH: u32 = CAUSES;
/**
 * Two levels, because one table of all blocks is 64 MiB of address space that JavaScript's garbage
 * collector counts as memory to be won back (measured: more time than the second load).
 */
const PART_SHIFT: u32 = 10;
const PART_BLOCKS: u32 = 1 << PART_SHIFT;
/** An entry: u32 block, u32 causes that have a bit in it in this round. */
const ENTRY: u32 = 8;
const ENTRY_CAUSES: u32 = 4;
/** Entries of a part in which nothing was ever written. */
const NONE: usize = memory.data(1024 * 8, 8);

let directory: usize = 0;
/** One bit a block: touched in this round; touched ever. */
export let roundSummary: usize = 0;
export let everSummary: usize = 0;
let blockBytes: u32 = 0;
/** Memory for blocks, taken in slabs. */
let slab: usize = 0;
let slabEnd: usize = 0;

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
  rows = count;
  activeRows = count;
  rowTable = reserve(max<u32>(count, 1) * ROW_SIZE);
  directory = reserve((BLOCKS >> PART_SHIFT) * 4);
  roundSummary = reserve(BLOCKS / 8);
  everSummary = reserve(BLOCKS / 8);
  blockBytes = (CAUSES + 1 + KEPT_SETS * count) * BLOCK_BYTES;
  if (!rowTable || !directory || !roundSummary || !everSummary) return false;
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
function entryOf(block: u32): usize {
  let part = <usize>load<u32>(directory + ((block >> PART_SHIFT) << 2));
  return part + (block & (PART_BLOCKS - 1)) * ENTRY;
}

/** The block of this number, 0 where nothing was ever written. */
// @ts-ignore: decorator
@inline
export function blockAt(block: u32): usize {
  return load<u32>(entryOf(block));
}

/** Causes that have a bit in this block in this round. */
// @ts-ignore: decorator
@inline
export function causesOf(block: u32): u32 {
  return load<u32>(entryOf(block), ENTRY_CAUSES);
}

/** Empties the planes of this round in a block. */
export function clearBlock(block: u32): void {
  let entry = entryOf(block);
  let base = <usize>load<u32>(entry);
  let causes = load<u32>(entry, ENTRY_CAUSES);
  store<u32>(entry, 0, ENTRY_CAUSES);
  let zero = i64x2.splat(0);
  for (; causes; causes &= causes - 1) {
    let line = base + ctz<u32>(causes) * BLOCK_BYTES;
    v128.store(line, zero);
    v128.store(line, zero, 16);
    v128.store(line, zero, 32);
    v128.store(line, zero, 48);
  }
}

/** What Part repeats as long as no device tells a length: all of its requests' descriptors. */
const WHOLE: u32 =
  (1 << Cause.IoLogged) |
  (1 << Cause.IoLate) |
  (1 << Cause.IoFreed) |
  (1 << Cause.CtlLogged) |
  (1 << Cause.CtlLate) |
  (1 << Cause.EvtLogged);
const WHOLE_OFF: u32 = (1 << Cause.IoOff) | (1 << Cause.CtlOff) | (1 << Cause.EvtOff);

/** Some request was answered with a used length: Part has planes of its own from then on. */
export let lengthSeen: bool = false;

/**
 * The causes that a row logs. vhost-scsi never tells a length, and marking every descriptor twice
 * would cost a fifth of the replay (measured), so until one is told Part stands for the whole.
 */
// @ts-ignore: decorator
@inline
export function rowLogs(row: u32): u32 {
  let logs = load<u32>(rowTable + row * ROW_SIZE + ROW_LOGS);
  if (lengthSeen) return logs;
  if (logs & (1 << Cause.PartLogged)) logs |= WHOLE;
  if (logs & (1 << Cause.PartOff)) logs |= WHOLE_OFF;
  return logs;
}

/** From now on Part is marked: so far, in this round, it is the whole. */
export function startParts(): void {
  lengthSeen = true;
  for (let block = roundFirst; block < roundEnd; ++block) {
    let causes = causesOf(block);
    if (!(causes & (WHOLE | WHOLE_OFF))) continue;
    let base = blockAt(block);
    for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
      store<u64>(base + Cause.PartLogged * BLOCK_BYTES + w, orPlanes(base + w, WHOLE));
      store<u64>(base + Cause.PartOff * BLOCK_BYTES + w, orPlanes(base + w, WHOLE_OFF));
    }
    causes |= (1 << Cause.PartLogged) | (1 << Cause.PartOff);
    store<u32>(entryOf(block), causes, ENTRY_CAUSES);
  }
}

/** OR of the planes in `mask` at one word of a block. */
// @ts-ignore: decorator
@inline
export function orPlanes(word: usize, mask: u32): u64 {
  let bits: u64 = 0;
  while (mask) {
    bits |= load<u64>(word + ctz<u32>(mask) * BLOCK_BYTES);
    mask &= mask - 1;
  }
  return bits;
}

/** The line of a row's kept set in a block. */
// @ts-ignore: decorator
@inline
export function keptLine(base: usize, row: u32, set: u32): usize {
  return base + (CAUSES + 1 + row * KEPT_SETS + set) * BLOCK_BYTES;
}

function newBlock(block: u32): usize {
  if (slab == slabEnd) {
    let bytes: usize = blockBytes * 64;
    slab = reserve(bytes);
    slabEnd = slab;
    if (!slab) return 0;
    slabEnd = slab + bytes;
  }
  let part = directory + ((block >> PART_SHIFT) << 2);
  if (<usize>load<u32>(part) == NONE) {
    let entries = reserve(PART_BLOCKS * ENTRY);
    if (!entries) return 0;
    store<u32>(part, <u32>entries);
  }
  let base = slab;
  slab += blockBytes;
  store<u32>(entryOf(block), <u32>base);
  let word = everSummary + ((block >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (block & 63)));
  if (block < firstBlock) firstBlock = block;
  if (block >= endBlock) endBlock = block + 1;
  ++blockCount;
  return base;
}

/** Notes that a block has bits of a cause in this round. */
// @ts-ignore: decorator
@inline
function touch(block: u32, cause: u32): void {
  let entry = entryOf(block);
  let causes = load<u32>(entry, ENTRY_CAUSES);
  let bit: u32 = 1 << cause;
  if (causes & bit) return;
  store<u32>(entry, causes | bit, ENTRY_CAUSES);
  if (causes) return;
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
  // Most writes lie in 64 pages of a block that exists; many touch nothing new (measured).
  if (page >> 6 == lastPage >> 6) {
    let base = blockAt(page >> 9);
    if (base) {
      let at = base + cause * BLOCK_BYTES + (((page & 511) >> 6) << 3);
      let mask = (~(<u64>0) >> (63 - (lastPage - page))) << (page & 63);
      let old = load<u64>(at);
      let added = mask & ~old;
      if (!added) return 0;
      store<u64>(at, old | mask);
      freshFirst = (page & ~63) + <u32>ctz<u64>(added);
      freshLast = (page | 63) - <u32>clz<u64>(added);
      touch(page >> 9, cause);
      return 1;
    }
  }
  let fresh = 0;
  while (true) {
    let block = page >> 9;
    let base = blockAt(block);
    if (!base) {
      base = newBlock(block);
      if (!base) return NO_MEMORY;
    }
    let line = base + cause * BLOCK_BYTES;
    let end = min<u32>(lastPage, page | 511);
    let blockFresh = false;
    // Whole words between the first and the last one: measured several times faster than bits.
    while (true) {
      let at = line + (((page & 511) >> 6) << 3);
      let wordEnd = min<u32>(end, page | 63);
      let mask = (~(<u64>0) >> (63 - (wordEnd - page))) << (page & 63);
      let old = load<u64>(at);
      let added = mask & ~old;
      if (added) {
        store<u64>(at, old | mask);
        let wordBase = page & ~63;
        if (!fresh) {
          freshFirst = wordBase + <u32>ctz<u64>(added);
          fresh = 1;
        }
        freshLast = wordBase + 63 - <u32>clz<u64>(added);
        blockFresh = true;
      }
      if (wordEnd == end) break;
      page = wordEnd + 1;
    }
    if (blockFresh) touch(block, cause);
    if (end == lastPage) return fresh;
    page = end + 1;
  }
}
