/**
 * A fetch of the dirty log that is known only within the tolerance of two clocks. It may have been
 * up to two tolerances later than its event says, so for what the writes' recording has in that time
 * nobody knows which fetch found it:
 *
 *   an entry of the log, then a write of its page that is left out: if the entry was fetched before
 *   the write, the next fetch does not cover the write
 *   a write that is left out, of a page whose entry this fetch found: if the fetch came after the
 *   write, the page was still to be sent
 *
 * In both cases the page is possibly stale: laws C85, C87 and C90.
 */
import { BLOCK_BYTES, GPA_BITS, PAGE_SHIFT } from "../abi";
import { draining, drainState } from "../known/drain";
import { PageState } from "../drain-abi";
import { earlyRound, keptAt, keptMake, Line, lineOf, makePossible, setEarlyRound } from "./migration-page";
import { migration } from "./migration-state";
import { entryOf, nextTouched, NO_BLOCK, planesIn } from "../pages/blocks";
import { orPlanes } from "../pages/planes";
import { bitOf, leftOutPlanes, planesOf, rowLogs, activeRows } from "../pages/rows";

/** A new migration: no fetch was before. */
export function clearEarly(): void {
  migration().fetchUntil = 0;
  migration().nextFetchUntil = 0;
  migration().inexact = false;
}

/** A fetch is under way; what follows it until `end` may have been before it. */
export function fetchEndsBy(end: u64): void {
  migration().nextFetchUntil = end;
}

/** A write that is to be marked: once the time is over, what the round holds is of that time. */
// @ts-ignore: decorator
@inline
export function beforeMark(cause: u32, gpa: u64, len: u64, ts: u64): void {
  if (migration().inexact) lateWrite(cause, gpa, len, ts);
}

function lateWrite(cause: u32, gpa: u64, len: u64, ts: u64): void {
  if (migration().fetchUntil) {
    if (ts < migration().fetchUntil) return;
    settle();
  }
  let end = gpa + len - 1;
  if (!len || end < gpa || end >> GPA_BITS) return;
  // An entry of now is one that the next fetch finds.
  let last = <u32>(end >> PAGE_SHIFT);
  let page = <u32>(gpa >> PAGE_SHIFT);
  while (true) {
    let wordEnd = min<u32>(last, page | 63);
    forgetEarly(cause, page, wordEnd);
    // Not by comparing the next page: behind the last one of all there is none.
    if (wordEnd == last) return;
    page = wordEnd + 1;
  }
}

/** The pages [page, wordEnd] of one word were logged again by the rows that log this cause. */
function forgetEarly(cause: u32, page: u32, wordEnd: u32): void {
  let kept = keptAt(page >> 9);
  if (!kept || earlyRound(kept) != migration().earlyRound) return;
  let mask = (~(<u64>0) >> (63 - (wordEnd - page))) << (page & 63);
  let offset: usize = ((page & 511) >> 6) << 3;
  for (let row: u32 = 0; row < activeRows(); ++row) {
    if (!(rowLogs(row) & bitOf(cause))) continue;
    let line = lineOf(kept, row, Line.Early) + offset;
    store<u64>(line, load<u64>(line) & ~mask);
  }
}

function settle(): void {
  migration().fetchUntil = 0;
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    for (let row: u32 = 0; row < activeRows(); ++row) {
      doubtQueued(block, row);
      noteEntries(block, row);
    }
  }
}

/**
 * Before the planes of a round are taken: finds the pages of which it is not known whether this fetch
 * covers their writes. `ended`: the migration is over; an entry that no fetch found may be one that
 * the last one did.
 */
export function beginFetch(ended: bool): void {
  if (!migration().inexact) return;
  let all = migration().fetchUntil != 0;
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    for (let row: u32 = 0; row < activeRows(); ++row) {
      // No write came after that time: all of the round is of it.
      if (all) {
        doubtQueued(block, row);
        noteEntries(block, row);
      }
      keepUnsure(block, row, ended);
    }
  }
}

/** After: they are as they were. A new round begins. */
export function endFetch(): void {
  if (migration().inexact) {
    for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
      for (let row: u32 = 0; row < activeRows(); ++row) restoreUnsure(block, row);
    }
  }
  migration().fetchUntil = migration().nextFetchUntil;
  migration().nextFetchUntil = 0;
  migration().inexact = migration().fetchUntil != 0;
  ++migration().earlyRound;
}

// @ts-ignore: decorator
@inline
function logsOf(row: u32): u64 {
  return planesOf(rowLogs(row));
}

/** A page that is written while it may wait to be sent is possibly missing, no more. */
function doubtQueued(block: u32, row: u32): void {
  let kept = keptAt(block);
  if (!kept) return;
  let entry = entryOf(block);
  let planes = leftOutPlanes(row) & planesIn(entry);
  for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
    let pending = load<u64>(lineOf(kept, row, Line.Pending) + w);
    if (!pending) continue;
    let line = lineOf(kept, row, Line.All) + w;
    let queued = load<u64>(line + Line.Likely * BLOCK_BYTES) & pending & orPlanes(entry, w, planes);
    if (draining) drainState((block << 9) + (<u32>w << 3), queued, row, PageState.Possible);
    makePossible(line, queued);
  }
}

function noteEntries(block: u32, row: u32): void {
  let entry = entryOf(block);
  let planes = logsOf(row) & planesIn(entry);
  if (!planes) return;
  let kept = keptMake(block);
  if (!kept) return;
  ownLines(kept);
  for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
    store<u64>(lineOf(kept, row, Line.Early) + w, orPlanes(entry, w, planes));
  }
}

/** Line.Early becomes that of this round. */
function ownLines(kept: usize): void {
  if (earlyRound(kept) == migration().earlyRound) return;
  for (let row: u32 = 0; row < activeRows(); ++row) memory.fill(lineOf(kept, row, Line.Early), 0, BLOCK_BYTES);
  setEarlyRound(kept, migration().earlyRound);
}

/** Leaves in Line.Early what restoreUnsure() is to put back. */
function keepUnsure(block: u32, row: u32, ended: bool): void {
  let kept = keptAt(block);
  if (!kept || earlyRound(kept) != migration().earlyRound) return;
  let entry = entryOf(block);
  let leftOut = leftOutPlanes(row) & planesIn(entry);
  for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
    let line = lineOf(kept, row, Line.Early) + w;
    let early = load<u64>(line);
    if (!early) continue;
    let all = lineOf(kept, row, Line.All) + w;
    let unsure = early & load<u64>(all);
    if (!ended) unsure &= orPlanes(entry, w, leftOut);
    store<u64>(line, unsure);
    let likely = load<u64>(all + Line.Likely * BLOCK_BYTES) & unsure;
    if (draining) drainState((block << 9) + (<u32>w << 3), likely, row, PageState.Possible);
    makePossible(all, unsure);
  }
}

function restoreUnsure(block: u32, row: u32): void {
  let kept = keptAt(block);
  if (!kept || earlyRound(kept) != migration().earlyRound) return;
  for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
    let unsure = load<u64>(lineOf(kept, row, Line.Early) + w);
    if (!unsure) continue;
    let all = lineOf(kept, row, Line.All) + w;
    // The harvest healed them.
    if (draining) drainState((block << 9) + (<u32>w << 3), unsure & ~load<u64>(all), row, PageState.Possible);
    store<u64>(all, load<u64>(all) | unsure);
    let resendless = all + Line.Resendless * BLOCK_BYTES;
    store<u64>(resendless, load<u64>(resendless) | unsure);
  }
}
