/**
 * The core's own bit-planes and sync, called in batches: a call from JavaScript a descriptor would
 * measure the call. Compiled next to assembly/ by bench/core/adapter.mjs with the core's settings.
 */
import { take } from "ASSEMBLY/memory";
import { mark, rowTable, setRows } from "ASSEMBLY/planes";
import { clearRound, counts, sync } from "ASSEMBLY/sync";

export function prepare(rows: u32): bool {
  return setRows(rows);
}
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
export function clear(): void {
  clearRound();
}
