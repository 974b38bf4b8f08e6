/** Who left the open pages of a migration: the causes of the writes to blame, counted. */
import { CAUSES, EVIDENCE_CAUSE, STALE_KEY } from "../page-abi";
import { bitOfPage, keptAt, Line, lineOf, wordOf } from "./migration-page";
import { migration } from "./migration-state";
import { entryAt } from "./stale-entry";

const counts: usize = memory.data(CAUSES * 4);

/**
 * Pages that a row left open, by the cause of their last write that it left out: CAUSES numbers of 32
 * bits. Pages whose write is not kept are not among them.
 */
export function countOpenCauses(row: u32): usize {
  memory.fill(counts, 0, CAUSES * 4);
  for (let i: u32 = 0; i < migration().entryCount; ++i) {
    let entry = entryAt(i);
    let key = load<u64>(entry + STALE_KEY);
    if (<u32>(key >> 32) != row) continue;
    let page = <u32>key;
    let kept = keptAt(page >> 9);
    if (!kept) continue;
    let open = load<u64>(lineOf(kept, row, Line.All) + wordOf(page));
    if (!(open & bitOfPage(page))) continue;
    let count = counts + (load<u32>(entry + EVIDENCE_CAUSE) << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  return counts;
}
