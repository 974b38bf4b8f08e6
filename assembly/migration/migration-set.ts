/** Sets of the last migration, one word at a time: what setRuns() and exportSet() read. */
import { BLOCK_BYTES } from "../abi";
import { RowSet } from "../page-abi";
import { healedBy, keptAt, Line, lineOf } from "./migration-page";
import { pendingCounts } from "./migration-write";

// @ts-ignore: decorator
@inline
function at(line: usize, which: u32): u64 {
  return load<u64>(line + which * BLOCK_BYTES);
}

/** 64 pages of a set of RowSet.Mig*; `offset` is the word's in its block, in bytes. */
export function migrationWord(block: u32, row: u32, set: u32, offset: u32): u64 {
  let kept = keptAt(block);
  if (!kept) return 0;
  let line = lineOf(kept, row, Line.All) + offset;
  switch (set) {
    case RowSet.MigStale:
      return at(line, Line.Sure);
    case RowSet.MigLikely:
      return at(line, Line.Likely) & ~at(line, Line.Sure);
    case RowSet.MigPossible:
      return at(line, Line.All) & ~at(line, Line.Likely);
    case RowSet.MigPending:
      return pendingCounts(kept) ? at(line, Line.Pending) : 0;
    case RowSet.MigResendless:
      return at(line, Line.Resendless) & ~at(line, Line.Sure);
    default:
      return healedBy(line, set - <u32>RowSet.MigFirstSend + 1);
  }
}
