/**
 * What happens at a sync: QEMU fetches and clears the log. For every row:
 *
 *   written = OR of the planes inside the row's window
 *   logged  = OR of the planes that the row's policy logs
 *   lost    = written & ~logged
 *   stale   = (stale | written) & ~logged
 *
 * Only blocks touched in this round are visited: nothing changes in the others.
 */
import { BLOCK_BYTES, BLOCK_WORDS } from "./abi";
import { COUNT_EVER_LOST, COUNT_EXTRA, COUNT_LOGGED, COUNT_LOST, COUNT_NEWLY_LOST, COUNT_STALE, COUNT_WRITTEN, COUNTS_SIZE, MAX_ROWS, RowSet } from "./page-abi";
import { orderKept, orderLines } from "./pages/block-order";
import { beginFetch, endFetch } from "./migration/early";
import { migrationEnded, migrationRoundEnd } from "./migration/migration";
import { migration } from "./migration/migration-state";
import { migrationHarvest } from "./migration/migration-write";
import { findLeftOut, takeBlock } from "./migration/migration-round";
import { migrationWord } from "./migration/migration-set";
import {
  entryOf,
  exists,
  keptLine,
  nextTouched,
  NO_BLOCK,
  planesIn,
  startRound,
  clearBits,
  nextKnown,
  Which,
} from "./pages/blocks";
import { clearBlock, orLine, orPlanes } from "./pages/planes";
import { leftOutPlanes, planesOf, rowLogs, rows, rowWindow, activeRows } from "./pages/rows";
import { pages } from "./pages/page-state";

/** Counts of every row after `sync()`. */
export const counts: usize = memory.data(MAX_ROWS * COUNTS_SIZE);
/** Running totals of a row, kept from round to round: u64 stale, u64 ever lost. */
// @ts-ignore: decorator
@inline
function totalsOf(row: u32): usize {
  return pages().totals + (<usize>row << 4);
}

/** The masks of every row as planes: {u64 written, u64 logged}; see takePlanes(). */
const masks: usize = memory.data(MAX_ROWS * 16);

/** Takes a row's masks of causes for this round: planes get their numbers while marking. */
function takePlanes(row: u32): void {
  store<u64>(masks + (row << 4), planesOf(rowWindow(row)));
  store<u64>(masks + (row << 4), planesOf(rowLogs(row)), 8);
}

/** What a row's window holds, and what its policy logs, of one block: a line each. */
const writtenLine: usize = memory.data(BLOCK_BYTES, 16);
const loggedLine: usize = memory.data(BLOCK_BYTES, 16);

// @ts-ignore: decorator
@inline
function popcntPair(bits: v128): u64 {
  return popcnt<u64>(i64x2.extract_lane(bits, 0)) + popcnt<u64>(i64x2.extract_lane(bits, 1));
}

/** One block, 128 pages at a time. */
function syncBlock(block: u32, entry: usize): void {
  let present = planesIn(entry);
  if (migration().byRound) takeBlock(block, entry);
  let inWindow: u64 = 0;
  let known = false;
  for (let row: u32 = 0; row < activeRows(); ++row) {
    let windowMask = load<u64>(masks + (row << 4)) & present;
    let logsMask = load<u64>(masks + (row << 4), 8) & present;
    if (!(windowMask | logsMask)) continue;
    // Most rows have the same window (measured: a fifth of a sync of 8 rows).
    if (!known || windowMask != inWindow) orLine(entry, windowMask, writtenLine);
    known = true;
    inWindow = windowMask;
    orLine(entry, logsMask, loggedLine);
    let count = counts + row * COUNTS_SIZE;
    let writtenN: u64 = 0;
    let loggedN: u64 = 0;
    let lostN: u64 = 0;
    let extraN: u64 = 0;
    let newlyN: u64 = 0;
    let staleDelta: i64 = 0;
    let line = keptLine(entry, row, 0);
    for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 16, line += 16) {
      let written = v128.load(writtenLine + w);
      let logged = v128.load(loggedLine + w);
      if (!v128.any_true(v128.or(written, logged))) continue;
      writtenN += popcntPair(written);
      loggedN += popcntPair(logged);
      v128.store(line, v128.or(v128.load(line), written));
      v128.store(line, v128.or(v128.load(line, BLOCK_BYTES), logged), BLOCK_BYTES);
      if (migration().underWay) harvestPair(block, row, w, logged);
      let lost = v128.andnot(written, logged);
      if (v128.any_true(lost)) {
        lostN += popcntPair(lost);
        let ever = v128.load(line, 2 * BLOCK_BYTES);
        let newly = v128.andnot(lost, ever);
        if (v128.any_true(newly)) {
          newlyN += popcntPair(newly);
          v128.store(line, v128.or(ever, lost), 2 * BLOCK_BYTES);
        }
      }
      let extra = v128.andnot(logged, written);
      if (v128.any_true(extra)) extraN += popcntPair(extra);
      let stale = v128.load(line, 3 * BLOCK_BYTES);
      let next = v128.andnot(v128.or(stale, written), logged);
      if (v128.any_true(v128.xor(next, stale))) {
        staleDelta += <i64>popcntPair(next) - <i64>popcntPair(stale);
        v128.store(line, next, 3 * BLOCK_BYTES);
      }
    }
    add(count + COUNT_WRITTEN, writtenN);
    add(count + COUNT_LOGGED, loggedN);
    add(count + COUNT_LOST, lostN);
    add(count + COUNT_EXTRA, extraN);
    add(count + COUNT_NEWLY_LOST, newlyN);
    add(totalsOf(row), <u64>staleDelta);
    add(totalsOf(row) + 8, newlyN);
  }
}

/** What a row logged of 128 pages, for its migration. */
function harvestPair(block: u32, row: u32, w: usize, logged: v128): void {
  let low = i64x2.extract_lane(logged, 0);
  let high = i64x2.extract_lane(logged, 1);
  if (low) migrationHarvest(block, row, w, low);
  if (high) migrationHarvest(block, row, w + 8, high);
}

// @ts-ignore: decorator
@inline
function add(at: usize, n: u64): void {
  store<u64>(at, load<u64>(at) + n);
}

/** Pages of this round that a row's policy left out for one write and logged for another one. */
export function coveredPages(row: u32): f64 {
  takePlanes(row);
  let leftOut = leftOutPlanes(row);
  let logs = load<u64>(masks + (row << 4), 8);
  let covered: u64 = 0;
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    let entry = entryOf(block);
    let present = planesIn(entry);
    for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
      covered += popcnt<u64>(orPlanes(entry, w, leftOut & present) & orPlanes(entry, w, logs & present));
    }
  }
  return <f64>covered;
}

/** Ends the round for every row and leaves the counts; the planes stay until `clearRound()`. */
export function sync(): void {
  beginFetch(migrationEnded());
  memory.fill(counts, 0, MAX_ROWS * COUNTS_SIZE);
  for (let row: u32 = 0; row < activeRows(); ++row) takePlanes(row);
  if (migration().byRound) findLeftOut();
  orderKept();
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    syncBlock(block, entryOf(block));
  }
  migrationRoundEnd();
  for (let row: u32 = 0; row < rows; ++row) {
    let count = counts + row * COUNTS_SIZE;
    store<u64>(count + COUNT_STALE, load<u64>(totalsOf(row)));
    store<u64>(count + COUNT_EVER_LOST, load<u64>(totalsOf(row) + 8));
  }
  endFetch();
}

/** Leaves the planes of this round empty. */
export function clearRound(): void {
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    clearBlock(block);
  }
  clearBits(Which.Round);
  orderLines();
  startRound();
}

/** One word of a row's set in a block, by the masks that takePlanes() left. */
function setWord(block: u32, entry: usize, row: u32, set: u32, word: u32): u64 {
  if (!exists(entry)) return 0;
  let w = <usize>(word << 3);
  if (set >= <u32>RowSet.MigStale) return migrationWord(block, row, set, word << 3);
  if (set >= <u32>RowSet.EverWritten) {
    return load<u64>(keptLine(entry, row, set - <u32>RowSet.EverWritten) + w);
  }
  let present = planesIn(entry);
  let logged = load<u64>(masks + (row << 4), 8) & present;
  if (set == <u32>RowSet.Logged) return orPlanes(entry, w, logged);
  let written = orPlanes(entry, w, load<u64>(masks + (row << 4)) & present);
  return set == <u32>RowSet.Written ? written : written & ~orPlanes(entry, w, logged);
}

/** Copies blocks [from, from+blocks) of a row's set to `into`, 64 bytes each. */
export function exportSet(row: u32, set: u32, from: u32, blocks: u32, into: usize): void {
  takePlanes(row);
  for (let i: u32 = 0; i < blocks; ++i) {
    let entry = entryOf(from + i);
    for (let w: u32 = 0; w < <u32>BLOCK_WORDS; ++w) {
      store<u64>(into + i * BLOCK_BYTES + (w << 3), setWord(from + i, entry, row, set, w));
    }
  }
}

/** The first touched block at or after `from`, NO_BLOCK when there is none. */
export function nextBlock(from: u32, ever: bool): u32 {
  return ever ? nextKnown(from) : nextTouched(from);
}

/**
 * Runs of pages of a row's set from page `from` on, at most `cap` of them, as pairs of u32
 * {first page, count} at `into`. Returns how many; go on after the last one's end.
 */
export function setRuns(row: u32, set: u32, from: u32, cap: u32, into: usize): u32 {
  let n: u32 = 0;
  let ever = set >= <u32>RowSet.EverWritten;
  let start: u32 = 0;
  let length: u32 = 0;
  takePlanes(row);
  let block = nextBlock(from >> 9, ever);
  while (block != NO_BLOCK) {
    let entry = entryOf(block);
    for (let w: u32 = 0; w < <u32>BLOCK_WORDS; ++w) {
      let bits = setWord(block, entry, row, set, w);
      let first = (block << 9) + (w << 6);
      if (first < from) {
        if (from - first >= 64) continue;
        bits &= ~(<u64>0) << (from - first);
      }
      while (bits) {
        let bit = <u32>ctz<u64>(bits);
        let ones = <u32>ctz<u64>(~(bits >> bit));
        if (ones > 64 - bit) ones = 64 - bit;
        let page = first + bit;
        if (length && start + length == page) {
          length += ones;
        } else {
          if (length) {
            store<u32>(into + (n << 3), start);
            store<u32>(into + (n << 3) + 4, length);
            if (++n == cap) return n;
          }
          start = page;
          length = ones;
        }
        if (bit + ones >= 64) break;
        bits &= ~(<u64>0) << (bit + ones);
      }
    }
    block = nextBlock(block + 1, ever);
  }
  if (length) {
    store<u32>(into + (n << 3), start);
    store<u32>(into + (n << 3) + 4, length);
    ++n;
  }
  return n;
}
