/**
 * The core's own bit-planes and sync, called in batches: a call from JavaScript a descriptor would
 * measure the call. Compiled next to assembly/ by bench/core/adapter.mjs with the core's settings.
 */
import { BLOCK_BYTES, RowSet } from "ASSEMBLY/abi";
export { prepare } from "ASSEMBLY/machine";
import { take } from "ASSEMBLY/base/memory";
import {
  entryOf,
  mark,
  orPlanes,
  planesIn,
  planesOf,
  rowLogs,
  rowTable,
  rowWindow,
} from "ASSEMBLY/pages/planes";
import { clearRound, counts, nextBlock, setRuns, sync } from "ASSEMBLY/sync";

export function allocate(bytes: u32): usize {
  return take(bytes);
}
export function rowTablePtr(): usize {
  return rowTable;
}
export function countsPtr(): usize {
  return counts;
}
/** `count` records of 16 bytes: u64 gpa, u32 length, u32 cause. */
export function markBatch(at: usize, count: u32): void {
  for (let end = at + (<usize>count << 4); at < end; at += 16) {
    mark(load<u32>(at + 12), load<u64>(at), load<u32>(at + 8));
  }
}
export function syncRound(): void {
  sync();
}
/** Pages written and not logged in this round: what sync() counts among other things, alone. */
export function differences(row: u32): u32 {
  let windowMask = planesOf(rowWindow(row));
  let logsMask = planesOf(rowLogs(row));
  let pages: u64 = 0;
  for (let block = nextBlock(0, false); block < 1 << 23; block = nextBlock(block + 1, false)) {
    let entry = entryOf(block);
    let written = windowMask & planesIn(entry);
    let logged = logsMask & planesIn(entry);
    for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
      pages += popcnt<u64>(orPlanes(entry, w, written) & ~orPlanes(entry, w, logged));
    }
  }
  return <u32>pages;
}
/** Runs of the same pages, at most `cap` from page `from` on, as the product reads them. */
export function runs(row: u32, from: u32, cap: u32, into: usize): u32 {
  return setRuns(row, <u32>RowSet.Lost, from, cap, into);
}
export function clear(): void {
  clearRound();
}
