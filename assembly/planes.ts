/**
 * The bit-planes: for every cause one bit a guest page, kept only for the 2 MiB blocks that were
 * touched. A block holds, one cache line each: the planes of this round, one scratch plane, and
 * the sets that every row keeps over the rounds.
 *
 *   directory[gpa >> 21] -> block: [cause 0][cause 1] … [scratch][row 0: 4 sets][row 1: 4 sets] …
 */
import { BLOCK_BYTES, Cause, CAUSES, GPA_BITS, PAGE_SHIFT, ROW_LOGS, ROW_SIZE } from "./abi";
import { reserve } from "./memory";

const BLOCKS: u32 = 1 << (GPA_BITS - 21);
/** Sets that a row keeps over the rounds: ever written, ever logged, ever lost, stale. */
export const KEPT_SETS: u32 = 4;
export const SCRATCH: u32 = CAUSES;

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
  directory = reserve(BLOCKS * 4);
  roundSummary = reserve(BLOCKS / 8);
  everSummary = reserve(BLOCKS / 8);
  blockBytes = (CAUSES + 1 + KEPT_SETS * count) * BLOCK_BYTES;
  return rowTable != 0 && directory != 0 && roundSummary != 0 && everSummary != 0;
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

/** The block of this number, 0 where nothing was ever written. */
// @ts-ignore: decorator
@inline
export function blockAt(block: u32): usize {
  return load<u32>(directory + (<usize>block << 2));
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
    let base = blockAt(block);
    if (!base) continue;
    for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
      store<u64>(base + Cause.PartLogged * BLOCK_BYTES + w, orPlanes(base + w, WHOLE));
      store<u64>(base + Cause.PartOff * BLOCK_BYTES + w, orPlanes(base + w, WHOLE_OFF));
    }
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
  return base + ((CAUSES + 1 + row * KEPT_SETS + set) * BLOCK_BYTES);
}

function newBlock(block: u32): usize {
  if (slab + blockBytes > slabEnd || !slab) {
    let bytes: usize = blockBytes * 64;
    slab = reserve(bytes);
    if (!slab) return 0;
    slabEnd = slab + bytes;
  }
  let base = slab;
  slab += blockBytes;
  store<u32>(directory + (<usize>block << 2), <u32>base);
  let word = everSummary + ((block >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (block & 63)));
  if (block < firstBlock) firstBlock = block;
  if (block >= endBlock) endBlock = block + 1;
  ++blockCount;
  return base;
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
    if (blockFresh) {
      let word = roundSummary + ((block >> 6) << 3);
      store<u64>(word, load<u64>(word) | ((<u64>1) << (block & 63)));
      if (block < roundFirst) roundFirst = block;
      if (block >= roundEnd) roundEnd = block + 1;
    }
    if (end == lastPage) return fresh;
    page = end + 1;
  }
}
