/**
 * Writes of a migration: what each policy leaves out is missing until something covers it, and what it
 * logs is sent again once the log is fetched. Doubt is a mask over the same words: in flight, not sent
 * yet, waiting to be sent.
 */
import { BLOCK_BYTES, PAGE_SHIFT } from "../abi";
import { EVENT_TS } from "../event-abi";
import { MIG_DOUBT_FIRST_PASS, MIG_DOUBT_FLIGHT, MIG_DOUBT_POPPED, MIG_DOUBT_QUEUED, MIG_DOUBT_UNSEEN } from "../page-abi";
import { REQUEST_POP_TS } from "../queue-abi";
import { drainHealed, draining, drainMissing } from "../known/drain";
import { atEvent, byRequest } from "../known/moment";
import { activeRows, bitOf, rowLogs, rowWindow } from "../pages/rows";
import { landUntil } from "./flight";
import {
  bitOfPage,
  flightLine,
  heal,
  Healer,
  keptAt,
  keptMake,
  Line,
  lineOf,
  missWord,
  pendingRound,
  readAfter,
  seenLine,
  sendTime,
  sentAt,
  setPendingRound,
  wordOf,
  writeTimes,
} from "./migration-page";
import { migration } from "./migration-state";
import { noteRecent } from "./recent";
import { noteEntry } from "./stale-entry";

/** Rows that leave writes of this cause out of their log, a bit each. */
// @ts-ignore: decorator
@inline
function leftOutBy(cause: u32): u32 {
  let bit = bitOf(cause);
  let out: u32 = 0;
  for (let row: u32 = 0; row < activeRows(); ++row) {
    if ((rowWindow(row) & bit) != 0 && (rowLogs(row) & bit) == 0) out |= 1 << row;
  }
  return out;
}

/** Pages of one descriptor whose write is kept as evidence: 16 MiB, more than any driver asks for. */
const MAX_NOTED: u32 = 4096;

/** A device wrote [gpa, gpa+len), which lies inside the guest-physical space. */
export function migrationWrite(cause: u32, gpa: u64, len: u64): void {
  let m = migration();
  let out = leftOutBy(cause);
  if (!out || !len) return;
  let ts = load<u64>(atEvent + EVENT_TS);
  if (m.endTs && ts >= m.endTs) return;
  landUntil(ts);
  if (m.firstPassEnd && ts >= m.firstPassEnd) m.firstPass = false;
  let lost: u64 = ts < m.gapEnd ? ~0 : 0;
  let page = <u32>(gpa >> PAGE_SHIFT);
  let last = <u32>((gpa + len - 1) >> PAGE_SHIFT);
  let lastNoted = last - page < MAX_NOTED ? last : page + MAX_NOTED - 1;
  let firstPass = m.firstPass;
  // A request may write from its pop on; a ring is written in this moment.
  let began = byRequest ? load<u64>(byRequest + REQUEST_POP_TS) : ts;
  let recorded = sendsRecorded();
  let mayWait = !firstPass && !m.saves && !m.byArrival;
  noteRecent(page, last - page + 1, out);
  while (true) {
    let wordEnd = min<u32>(last, page | 63);
    let mask = (~(<u64>0) >> (63 - (wordEnd - page))) << (page & 63);
    let kept = keptMake(page >> 9);
    if (!kept) return;
    let offset = wordOf(page);
    let sent = sentAt(page >> 9);
    let seen = sent ? load<u64>(seenLine(sent) + offset) : 0;
    let flight = sent ? load<u64>(flightLine(sent) + offset) : 0;
    let popped = recorded ? mayPrecede(sent, page, wordEnd, began) & seen & ~flight : 0;
    let soft = recorded ? ~seen | popped : ~(<u64>0);
    for (let rest = out; rest; rest &= rest - 1) {
      let row = <u32>ctz<u32>(rest);
      let line = lineOf(kept, row, Line.All) + offset;
      let unsent = firstPass ? ~seen : 0;
      let queued = mayWait ? pendingBits(kept, row, offset) : 0;
      let doubt = flight | unsent | queued | lost;
      let fresh = mask & ~load<u64>(line);
      if (draining) drainWord(line, page, row, mask & ~doubt, soft, fresh & doubt, unsent);
      missWord(line, mask, doubt, soft);
      if (m.unseenData) noteWriteTimes(kept, row, page, wordEnd, ts);
      if (!m.keepsEntries || page > lastNoted) continue;
      // Behind the last page of all there is none to compare with.
      for (let p = page, end = min<u32>(wordEnd, lastNoted); ; ++p) {
        let bit = (<u64>1) << (p & 63);
        let why: u32 = 0;
        if (unsent & bit) why |= MIG_DOUBT_FIRST_PASS;
        if (flight & bit) why |= MIG_DOUBT_FLIGHT;
        if (queued & bit) why |= MIG_DOUBT_QUEUED;
        if (popped & bit) why |= MIG_DOUBT_POPPED;
        if (!(seen & bit)) why |= MIG_DOUBT_UNSEEN;
        noteEntry(p, row, cause, gpa, len, why, (fresh & bit) != 0, sendTime(sent, p));
        if (p == end) break;
      }
    }
    if (wordEnd == last) break;
    page = wordEnd + 1;
  }
}

/**
 * Whether pages with data are told page by page: by the source, or by a destination that names some.
 * Without, nothing is certain.
 */
function sendsRecorded(): bool {
  let m = migration();
  return !m.unseenData && (m.saves != 0 || (m.byArrival && m.loads != 0));
}

/** Pages of [page, last], in one word, that may have been read last after `began`. */
function mayPrecede(sent: usize, page: u32, last: u32, began: u64): u64 {
  let bits: u64 = 0;
  if (!sent) return 0;
  for (let p = page, n = last - page + 1; n; --n, ++p) {
    if (readAfter(sent, p, began)) bits |= bitOfPage(p);
  }
  return bits;
}

/** Tells a history what the pages of a word become, where they are not that already. */
function drainWord(
  line: usize,
  page: u32,
  row: u32,
  ordered: u64,
  soft: u64,
  doubtful: u64,
  unsent: u64,
): void {
  let sure = load<u64>(line + Line.Sure * BLOCK_BYTES);
  let likely = load<u64>(line + Line.Likely * BLOCK_BYTES);
  drainMissing(page, row, ordered & ~(soft | sure), ordered & soft & ~likely, doubtful, unsent);
}

/** Pages [page, last] of a block were written at `ts`; for packets.ts. */
function noteWriteTimes(kept: usize, row: u32, page: u32, last: u32, ts: u64): void {
  let times = writeTimes(kept, row, true);
  if (!times) return;
  let us = <u32>min<u64>((ts - migration().startTs) / 1000 + 1, 0xffffffff);
  for (let p = page, n = last - page + 1; n; --n, ++p) store<u32>(times + ((p & 511) << 2), us);
}

/** Pages of the last harvest under a row's policy: they may still be waiting to be sent. */
// @ts-ignore: decorator
@inline
function pendingBits(kept: usize, row: u32, offset: usize): u64 {
  return pendingRound(kept) == migration().syncs ? load<u64>(lineOf(kept, row, Line.Pending) + offset) : 0;
}

/**
 * Whether a block's Line.Pending says what is pending now: without sends it is that of the last
 * harvest which found anything in the block, and only the last one of all counts.
 */
export function pendingCounts(kept: usize): bool {
  return migration().saves != 0 || pendingRound(kept) == migration().syncs;
}

/** At a sync, for one word of a row: what its policy logged is sent again. */
export function migrationHarvest(block: u32, row: u32, offset: usize, logged: u64): void {
  let m = migration();
  if (m.endTs) return;
  let kept = keptAt(block);
  if (!kept) {
    if (!logged) return;
    kept = keptMake(block);
    if (!kept) return;
  }
  // migrationSync() counted this sync already.
  if (!m.saves && pendingRound(kept) != m.syncs) {
    for (let r: u32 = 0; r < activeRows(); ++r) memory.fill(lineOf(kept, r, Line.Pending), 0, BLOCK_BYTES);
    setPendingRound(kept, m.syncs);
  }
  let line = lineOf(kept, row, Line.All) + offset;
  let covered = load<u64>(line) & logged;
  if (covered) {
    if (draining) drainHealed((block << 9) + (<u32>offset << 3), covered, row, Healer.Log);
    heal(line, covered, Healer.Log);
  }
  let resendless = line + Line.Resendless * BLOCK_BYTES;
  store<u64>(resendless, load<u64>(resendless) & ~logged);
  let pending = line + Line.Pending * BLOCK_BYTES;
  store<u64>(pending, load<u64>(pending) | logged);
}
