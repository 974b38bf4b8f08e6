/**
 * A live migration, replayed for every policy at once. A page is stale at the destination when its
 * last change came after it was read for the last time. For each row, per page:
 *
 *   a write that the row's policy leaves out   sets it
 *   a send of the page                         clears it: the change was part of what was sent
 *   a sync, where the policy logged it         clears it: QEMU sends the page again
 *   a vCPU's write that QEMU saw, a stop       clear it: QEMU sends the page again
 *
 * What is left at the end is stale. Where the order of a write and a send is not known it is left as
 * possible, not as certain. semantics.md E.4 as refined by migration.md; QEMU migration/ram.c
 * ram_save_iterate(), migration_bitmap_sync(), ram_save_page().
 */
import {
  BLOCK_BYTES,
  GPA_BITS,
  MAX_HEADS,
  EVENT_PID,
  DirtiedSlot,
  EVENT_TS,
  LoadSlot,
  MIG_DOUBT_FIRST_PASS,
  MIG_DOUBT_FLIGHT,
  MIG_DOUBT_QUEUED,
  NO_ADDRESS,
  PAGE_SHIFT,
  QUEUE_LOGADDR,
  QUEUE_NUM,
  SaveSlot,
} from "../abi";
import { slotOf } from "../base/event-slot";
import { beginFetch, clearEarly, fetchEndsBy } from "./early";
import { afterSlack, clearFlight, flushed, hasSlack, holdFlight, landUntil, takeOff } from "./flight";
import { firstPage, nextPage, NO_PAGE, onePage } from "../known/kvm-slots";
import {
  clearPages,
  firstKept,
  flightLine,
  heal,
  Healer,
  keptAt,
  keptMake,
  Line,
  lineOf,
  nextKept,
  openPages,
  pendingRound,
  seenLine,
  sentAt,
  sentMake,
  sentTimes,
  setPendingRound,
} from "./migration-page";
import { beginInside, beginRound, byRound, takeRound } from "./migration-round";
import { activeRows, bitOf, rowLogs, rowWindow } from "../pages/planes";
import { HASHED, hashPage } from "./profile";
import { gpaIn, ramBlockKnown, rangeCount } from "../known/ram-ranges";
import { atEvent, atStream } from "../known/moment";
import { clearSent, sendAgain } from "./resend";
import { clearEntries, keepsEntries, noteEntry } from "./stale-entry";
import { streamAt } from "../decode/stream";

/** A migration is under way: its dirty log is on. */
export let migrating: bool = false;
/** Between the first sync and the second: no page was sent before. */
let firstPass: bool = true;
/** When that is certain to be over; 0 as long as the second sync is to come. */
let firstPassEnd: u64 = 0;
/** QEMU says that the migration is over; writes until then count. 0: it goes on. */
let endTs: u64 = 0;
/** Until then a lost send may have been after a write. */
let gapEnd: u64 = 0;
let syncs: u32 = 0;
let startTs: u64 = 0;
let lastSendTs: u64 = 0;
/** The first send since `markSends()`; 0: none. */
export let markedSend: u64 = 0;
/** Sends seen: pages with data, pages of zeros, pages outside of every known region. */
export let saves: u64 = 0;
export let zeroSends: u64 = 0;
export let unplacedSends: u64 = 0;
/** Sends with data of a page that had been sent with data before. */
export let resends: u64 = 0;
/** Pages received by a destination. */
export let loads: u64 = 0;
export let zeroLoads: u64 = 0;
/** Pages that a vCPU wrote, as QEMU fetched them from KVM. */
export let cpuDirtied: u64 = 0;
/** Only the destination was recorded: a send was some time before the page arrived. */
let byArrival: bool = false;

// ---------------------------------------------------------------- begin and end

/** The dirty log goes on: from here on an unlogged write may be lost. False: out of memory. */
export function startMigration(ts: u64): bool {
  if (!openPages()) return false;
  clearPages();
  clearFlight();
  clearEarly();
  clearEntries();
  clearSent();
  migrating = true;
  firstPass = true;
  firstPassEnd = 0;
  endTs = 0;
  gapEnd = 0;
  syncs = 0;
  saves = 0;
  zeroSends = 0;
  unplacedSends = 0;
  resends = 0;
  cpuDirtied = 0;
  loads = 0;
  zeroLoads = 0;
  byArrival = false;
  startTs = ts;
  lastSendTs = ts;
  recentCount = 0;
  recentFull = false;
  zeroNext = 0;
  pageHash = 0;
  misaligned = false;
  beginInside(roundsSuffice());
  forgetRecent();
  return true;
}

/** Nothing was seen that decides inside a round, and nobody asks for the single writes. */
function roundsSuffice(): bool {
  return !saves && !byArrival && !keepsEntries && !hasSlack();
}

/** A sync has taken the planes: a new round begins. */
export function migrationRoundEnd(): void {
  if (!migrating) return;
  beginRound(!endTs && roundsSuffice(), firstPass, syncs);
  forgetRecent();
}

/** Writes that are left in the planes are not among `recent`: any page may be one of them. */
function forgetRecent(): void {
  if (byRound) recentFull = true;
}

/**
 * It is over, however: what is missing stays as it is until the next one. With a tolerance it may be
 * over a little later on the clock of the writes, so those count on until then: the host reads the
 * verdict once that is past. True: it is past now.
 */
export function endMigration(ts: u64): bool {
  if (!migrating || endTs) return !migrating;
  takeRound();
  sendZeros(~(<u64>0), ts);
  endTs = afterSlack(ts);
  // What is written until then may be after the end.
  gapEnd = endTs;
  if (endTs == ts) migrating = false;
  return !migrating;
}

/** Whether what happens at `ts` is no part of a migration. */
export function migrationIsOver(ts: u64): bool {
  return !migrating || (endTs != 0 && ts >= endTs);
}

export function migrationEnded(): bool {
  return endTs != 0;
}

/** Nothing follows that could be a part of it. */
export function closeMigration(): void {
  takeRound();
  if (migrating) beginFetch(endTs != 0);
  migrating = false;
}

/** QEMU fetches the dirty log (before: what it fetches is in the planes). */
export function migrationSync(ts: u64): void {
  if (!migrating || endTs) return;
  flushed(ts);
  let end = afterSlack(ts);
  if (end != ts) fetchEndsBy(end);
  if (++syncs != 2) return;
  firstPassEnd = afterSlack(ts);
  if (firstPassEnd == ts) firstPass = false;
}

/** The end of a pass over dirty memory: what was queued is read. */
export function onFlushed(ts: u64): void {
  if (migrating && !endTs) flushed(ts);
}

/** Events were lost: a send may be among them, so nothing that is missing is certain. */
export function migrationGap(ts: u64): void {
  if (!migrating) return;
  takeRound();
  gapEnd = afterSlack(ts);
  for (let at = firstKept; at; at = nextKept(at)) {
    for (let row: u32 = 0; row < activeRows; ++row) {
      memory.fill(lineOf(at, row, Line.Sure), 0, BLOCK_BYTES);
    }
  }
}

// ---------------------------------------------------------------- writes

/** Writes since the last send, for pages of zeros that were sent in between: {u32 page, u32 count, u32 rows}. */
const MAX_RECENT: u32 = 4096;
const recent: usize = memory.data(4096 * 12);
let recentCount: u32 = 0;
let recentFull: bool = false;

/** Rows that leave writes of this cause out of their log, a bit each. */
// @ts-ignore: decorator
@inline
function leftOutBy(cause: u32): u32 {
  let bit = bitOf(cause);
  let out: u32 = 0;
  for (let row: u32 = 0; row < activeRows; ++row) {
    if ((rowWindow(row) & bit) != 0 && (rowLogs(row) & bit) == 0) out |= 1 << row;
  }
  return out;
}

/** Pages of one descriptor whose write is kept as evidence: 16 MiB, more than any driver asks for. */
const MAX_NOTED: u32 = 4096;

/** A device wrote [gpa, gpa+len), which lies inside the guest-physical space. */
export function migrationWrite(cause: u32, gpa: u64, len: u64): void {
  let out = leftOutBy(cause);
  if (!out || !len) return;
  let ts = load<u64>(atEvent + EVENT_TS);
  if (endTs && ts >= endTs) return;
  landUntil(ts);
  if (firstPassEnd && ts >= firstPassEnd) firstPass = false;
  let lost: u64 = ts < gapEnd ? ~0 : 0;
  let page = <u32>(gpa >> PAGE_SHIFT);
  let last = <u32>((gpa + len - 1) >> PAGE_SHIFT);
  let lastNoted = last - page < MAX_NOTED ? last : page + MAX_NOTED - 1;
  if (recentCount == MAX_RECENT) recentFull = true;
  else {
    let at = recent + recentCount++ * 12;
    store<u32>(at, page);
    store<u32>(at + 4, last - page + 1);
    store<u32>(at + 8, out);
  }
  while (true) {
    let wordEnd = min<u32>(last, page | 63);
    let mask = (~(<u64>0) >> (63 - (wordEnd - page))) << (page & 63);
    let kept = keptMake(page >> 9);
    if (!kept) return;
    let offset: usize = ((page & 511) >> 6) << 3;
    let sent = sentAt(page >> 9);
    let seen = sent ? load<u64>(seenLine(sent) + offset) : 0;
    let flight = sent ? load<u64>(flightLine(sent) + offset) : 0;
    for (let rest = out; rest; rest &= rest - 1) {
      let row = <u32>ctz<u32>(rest);
      let line = lineOf(kept, row, Line.All) + offset;
      let unsent = firstPass ? ~seen : 0;
      let queued = !firstPass && !saves && !byArrival ? pendingBits(kept, row, offset) : 0;
      let doubt = flight | unsent | queued | lost;
      let fresh = mask & ~load<u64>(line);
      store<u64>(line, load<u64>(line) | mask);
      let sure = line + Line.Sure * BLOCK_BYTES;
      store<u64>(sure, load<u64>(sure) | (mask & ~doubt));
      let resendless = line + Line.Resendless * BLOCK_BYTES;
      store<u64>(resendless, load<u64>(resendless) | mask);
      if (!keepsEntries || page > lastNoted) continue;
      // Behind the last page of all there is none to compare with.
      for (let p = page, end = min<u32>(wordEnd, lastNoted); ; ++p) {
        let bit = (<u64>1) << (p & 63);
        let why: u32 = 0;
        if (unsent & bit) why |= MIG_DOUBT_FIRST_PASS;
        if (flight & bit) why |= MIG_DOUBT_FLIGHT;
        if (queued & bit) why |= MIG_DOUBT_QUEUED;
        noteEntry(p, row, cause, why, (fresh & bit) != 0, sendTime(sent, p));
        if (p == end) break;
      }
    }
    if (wordEnd == last) break;
    page = wordEnd + 1;
  }
}

/** Pages of the last harvest under a row's policy: they may still be waiting to be sent. */
// @ts-ignore: decorator
@inline
function pendingBits(kept: usize, row: u32, offset: usize): u64 {
  return pendingRound(kept) == syncs ? load<u64>(lineOf(kept, row, Line.Pending) + offset) : 0;
}

/**
 * Whether a block's Line.Pending says what is pending now: without sends it is that of the last
 * harvest which found anything in the block, and only the last one of all counts.
 */
export function pendingCounts(kept: usize): bool {
  return saves != 0 || pendingRound(kept) == syncs;
}

/** At a sync, for one word of a row: what its policy logged is sent again. */
export function migrationHarvest(block: u32, row: u32, offset: usize, logged: u64): void {
  if (endTs) return;
  let kept = keptAt(block);
  if (!kept) {
    if (!logged) return;
    kept = keptMake(block);
    if (!kept) return;
  }
  // migrationSync() counted this sync already.
  if (!saves && pendingRound(kept) != syncs) {
    for (let r: u32 = 0; r < activeRows; ++r) memory.fill(lineOf(kept, r, Line.Pending), 0, BLOCK_BYTES);
    setPendingRound(kept, syncs);
  }
  let line = lineOf(kept, row, Line.All) + offset;
  let covered = load<u64>(line) & logged;
  if (covered) heal(line, covered, Healer.Log);
  let resendless = line + Line.Resendless * BLOCK_BYTES;
  store<u64>(resendless, load<u64>(resendless) & ~logged);
  let pending = line + Line.Pending * BLOCK_BYTES;
  store<u64>(pending, load<u64>(pending) | logged);
}

// ---------------------------------------------------------------- sends

/** Microseconds from the start of the migration, plus one; 0: never sent as far as is known. */
// @ts-ignore: decorator
@inline
function sendTime(sent: usize, page: u32): u32 {
  let times = sent ? sentTimes(sent, false) : 0;
  return times ? load<u32>(times + ((page & 511) << 2)) : 0;
}

function sendPage(page: u32, ts: u64): void {
  let block = page >> 9;
  let sent = sentMake(block);
  if (!sent) return;
  let offset: usize = ((page & 511) >> 6) << 3;
  let bit = (<u64>1) << (page & 63);
  let seen = seenLine(sent) + offset;
  let first = (load<u64>(seen) & bit) == 0;
  store<u64>(seen, load<u64>(seen) | bit);
  let flight = flightLine(sent) + offset;
  store<u64>(flight, load<u64>(flight) | bit);
  takeOff(page, ts);
  let times = sentTimes(sent, true);
  if (times) {
    let us = (ts - startTs) / 1000 + 1;
    store<u32>(times + ((page & 511) << 2), <u32>min<u64>(us, 0xffffffff));
  }
  let kept = keptAt(block);
  if (!kept) return;
  for (let row: u32 = 0; row < activeRows; ++row) {
    let line = lineOf(kept, row, Line.All) + offset;
    if (load<u64>(line) & bit) heal(line, bit, first ? Healer.FirstSend : Healer.Resend);
    let resendless = line + Line.Resendless * BLOCK_BYTES;
    if (first) store<u64>(resendless, load<u64>(resendless) & ~bit);
    let pending = line + Line.Pending * BLOCK_BYTES;
    store<u64>(pending, load<u64>(pending) & ~bit);
  }
}

/** From here on the first send is of interest: it follows a sync. */
export function markSends(): void {
  markedSend = 0;
}

/**
 * ram_save_page(rbname, offset, host). True: the host must place this RAM block
 * first, and call again in the moment of this record.
 */
export function onSave(event: usize): bool {
  if (!migrating || endTs) return false;
  let space = streamAt(atStream).space;
  let name = <u32>slotOf(event, SaveSlot.rbname);
  if (!ramBlockKnown(space, name)) return true;
  let ts = load<u64>(event + EVENT_TS);
  takeRound();
  sendZeros(saves, ts);
  let host = slotOf(event, SaveSlot.host);
  let found = false;
  // An alias of RAM has two guest-physical addresses: both were sent.
  for (let i: u32 = 0; i < rangeCount; ++i) {
    let gpa = gpaIn(i, space, name, host);
    if (gpa == NO_ADDRESS) continue;
    sendPage(<u32>(gpa >> PAGE_SHIFT), ts);
    found = true;
  }
  if (!found) ++unplacedSends;
  if (sendAgain(space, host)) ++resends;
  if (!markedSend) markedSend = ts;
  ++saves;
  if (zeros && !misaligned) checkPages(event);
  lastSendTs = ts;
  recentCount = 0;
  recentFull = false;
  return false;
}

let lastReceiver: u64 = ~(<u64>0);

/** RAM_SAVE_FLAG_ZERO, migration/ram.c. */
const FLAG_ZERO: u64 = 0x02;

/**
 * ram_load_loop(rbname, addr, flags, host), at the destination. With a recording of the source its
 * pages are known from there, and its zeros by their place among them (`setZeros`); alone it says
 * that a page was sent some time before. True: the host must place this RAM block first,
 * and call again in the moment of this record.
 */
export function onLoad(event: usize): bool {
  // A thread that receives is a destination's: the host must know.
  let receiver = (<u64>streamAt(atStream).space << 32) | <u32>load<i32>(event + EVENT_PID);
  if (receiver != lastReceiver) {
    lastReceiver = receiver;
    return true;
  }
  if (slotOf(event, LoadSlot.flags) & FLAG_ZERO) ++zeroLoads;
  else ++loads;
  if (!migrating || endTs || saves) return false;
  let space = streamAt(atStream).space;
  let name = <u32>slotOf(event, LoadSlot.rbname);
  if (!ramBlockKnown(space, name)) {
    if (slotOf(event, LoadSlot.flags) & FLAG_ZERO) --zeroLoads;
    else --loads;
    return true;
  }
  takeRound();
  byArrival = true;
  let host = slotOf(event, LoadSlot.host);
  for (let i: u32 = 0; i < rangeCount; ++i) {
    let gpa = gpaIn(i, space, name, host);
    if (gpa != NO_ADDRESS) arrive(<u32>(gpa >> PAGE_SHIFT), load<u64>(event + EVENT_TS));
  }
  return false;
}

/** A page arrived: what was written before may or may not be in it. */
function arrive(page: u32, ts: u64): void {
  let sent = sentMake(page >> 9);
  if (!sent) return;
  let offset: usize = ((page & 511) >> 6) << 3;
  let bit = (<u64>1) << (page & 63);
  let seen = seenLine(sent) + offset;
  store<u64>(seen, load<u64>(seen) | bit);
  let times = sentTimes(sent, true);
  if (times) store<u32>(times + ((page & 511) << 2), <u32>min<u64>((ts - startTs) / 1000 + 1, 0xffffffff));
  let kept = keptAt(page >> 9);
  if (!kept) return;
  for (let row: u32 = 0; row < activeRows; ++row) {
    let sure = lineOf(kept, row, Line.Sure) + offset;
    store<u64>(sure, load<u64>(sure) & ~bit);
    let pending = lineOf(kept, row, Line.Pending) + offset;
    store<u64>(pending, load<u64>(pending) & ~bit);
  }
}

// ---------------------------------------------------------------- pages of zeros

/**
 * What only the destination shows: pages that were sent as zeros, in the order of the sends. Each
 * entry {u32 data pages before it, u32 name of the RAM block, u32 first page of it, u32 pages}.
 */
let zeros: usize = 0;
let zeroCount: u32 = 0;
let zeroNext: u32 = 0;
/** Base of each block, to find its pages: the first save of it tells. {u32 name, u32 space, u64 hva} */
const bases: usize = memory.data(64 * 16);
let baseCount: u32 = 0;

export function setZeros(at: usize, count: u32, hashesAt: usize, hashes: u32): void {
  zeros = at;
  zeroCount = count;
  zeroNext = 0;
  pageHashes = hashesAt;
  pageHashCount = hashes;
}

/** Hashes of the destination's pages, profile.ts; and whether the source's are others. */
let pageHashes: usize = 0;
let pageHashCount: u32 = 0;
let pageHash: u64 = 0;
export let misaligned: bool = false;

/** Compares the pages sent so far with those received. */
// @ts-ignore: decorator
@inline
function checkPages(event: usize): void {
  pageHash = hashPage(pageHash, <u32>slotOf(event, SaveSlot.rbname), slotOf(event, SaveSlot.offset));
  if (saves % HASHED != 0) return;
  let i = <u32>(saves / HASHED) - 1;
  if (i < pageHashCount && load<u64>(pageHashes + (i << 3)) == pageHash) return;
  misaligned = true;
  // What was taken for sent since the last equal hash may be another page.
  migrationGap(load<u64>(event + EVENT_TS));
}

/** Host-virtual address of a RAM block of the source. */
export function setRamBase(space: u32, name: u32, hva: u64): void {
  if (baseCount == 64) return;
  let at = bases + (baseCount++ << 4);
  store<u32>(at, name);
  store<u32>(at + 4, space);
  store<u64>(at + 8, hva);
}

/** The zeros between the send number `before` and the one that follows at `ts`. */
function sendZeros(before: u64, ts: u64): void {
  while (!misaligned && zeroNext < zeroCount) {
    let entry = zeros + (zeroNext << 4);
    if (<u64>load<u32>(entry) > before) return;
    ++zeroNext;
    let name = load<u32>(entry + 4);
    let count = load<u32>(entry + 12);
    zeroSends += count;
    let based = false;
    for (let b: u32 = 0; b < baseCount; ++b) {
      let base = bases + (b << 4);
      if (load<u32>(base) != name) continue;
      let hva = load<u64>(base + 8) + (<u64>load<u32>(entry + 8) << PAGE_SHIFT);
      sendZeroRun(load<u32>(base + 4), name, hva, count, ts);
      based = true;
      break;
    }
    if (!based) unplacedSends += count;
  }
}

function sendZeroRun(space: u32, name: u32, hva: u64, count: u32, ts: u64): void {
  for (let k: u32 = 0; k < count; ++k) {
    let found = false;
    for (let i: u32 = 0; i < rangeCount; ++i) {
      let gpa = gpaIn(i, space, name, hva + (<u64>k << PAGE_SHIFT));
      if (gpa == NO_ADDRESS) continue;
      sendZero(<u32>(gpa >> PAGE_SHIFT), ts);
      found = true;
    }
    if (!found) ++unplacedSends;
  }
}

/** Rows for which this page was written since the last send, so before or after it was read. */
function recentRows(page: u32): u32 {
  let out: u32 = recentFull ? ~0 : 0;
  for (let i: u32 = 0; i < recentCount; ++i) {
    let at = recent + i * 12;
    if (page - load<u32>(at) < load<u32>(at + 4)) out |= load<u32>(at + 8);
  }
  return out;
}

function sendZero(page: u32, ts: u64): void {
  let block = page >> 9;
  let sent = sentMake(block);
  if (!sent) return;
  let offset: usize = ((page & 511) >> 6) << 3;
  let bit = (<u64>1) << (page & 63);
  let seen = seenLine(sent) + offset;
  let first = (load<u64>(seen) & bit) == 0;
  store<u64>(seen, load<u64>(seen) | bit);
  holdFlight(page, ts);
  let kept = keptAt(block);
  if (!kept) return;
  let times = sentTimes(sent, true);
  if (times) store<u32>(times + ((page & 511) << 2), <u32>min<u64>((ts - startTs) / 1000 + 1, 0xffffffff));
  let doubtful = recentRows(page);
  for (let row: u32 = 0; row < activeRows; ++row) {
    let line = lineOf(kept, row, Line.All) + offset;
    if (load<u64>(line) & bit) {
      if ((doubtful >> row) & 1) {
        let sure = line + Line.Sure * BLOCK_BYTES;
        store<u64>(sure, load<u64>(sure) & ~bit);
      } else heal(line, bit, first ? Healer.FirstSend : Healer.Resend);
    }
    let resendless = line + Line.Resendless * BLOCK_BYTES;
    if (first && !((doubtful >> row) & 1)) store<u64>(resendless, load<u64>(resendless) & ~bit);
    let pending = line + Line.Pending * BLOCK_BYTES;
    store<u64>(pending, load<u64>(pending) & ~bit);
  }
}

// ---------------------------------------------------------------- other trackers

/** QEMU marks [first, last] dirty itself, and sends these pages again. */
function cover(first: u32, last: u32, healer: u32): void {
  takeRound();
  for (let page = first; ; ++page) {
    coverPage(page, healer);
    if (page == last) return;
  }
}

function coverPage(page: u32, healer: u32): void {
  let kept = keptAt(page >> 9);
  if (!kept) return;
  let offset: usize = ((page & 511) >> 6) << 3;
  let bit = (<u64>1) << (page & 63);
  for (let row: u32 = 0; row < activeRows; ++row) {
    let line = lineOf(kept, row, Line.All) + offset;
    if (load<u64>(line) & bit) heal(line, bit, healer);
    let resendless = line + Line.Resendless * BLOCK_BYTES;
    store<u64>(resendless, load<u64>(resendless) & ~bit);
  }
}

/**
 * kvm_dirty_ring_page(vcpu, fetch index, offset): a vCPU wrote the page, some time before. Where the
 * offset fits several slots it is one of their pages, so none of them is certainly missing.
 */
export function onDirtied(event: usize): void {
  if (!migrating || endTs) return;
  ++cpuDirtied;
  let space = streamAt(atStream).space;
  let offset = slotOf(event, DirtiedSlot.offset);
  for (let page = firstPage(space, offset); page != NO_PAGE; page = nextPage(space, offset)) {
    if (onePage()) {
      cover(page, page, Healer.Cpu);
      sentMake(page >> 9);
      holdFlight(page, load<u64>(event + EVENT_TS));
      return;
    }
    doubt(page);
  }
}

/** Whatever is missing of a page may have been covered. */
function doubt(page: u32): void {
  takeRound();
  let kept = keptAt(page >> 9);
  if (!kept) return;
  let offset: usize = ((page & 511) >> 6) << 3;
  let bit = (<u64>1) << (page & 63);
  for (let row: u32 = 0; row < activeRows; ++row) {
    let sure = lineOf(kept, row, Line.Sure) + offset;
    store<u64>(sure, load<u64>(sure) & ~bit);
  }
}

/**
 * vhost_virtqueue_stop(): QEMU unmaps the used ring as written, which marks all of it.
 * hw/virtio/vhost.c; used_size is 4 + 8 * num, and 2 more for avail_event.
 */
export function stopRing(q: usize): void {
  let used = load<u64>(q + QUEUE_LOGADDR);
  if (!migrating || used == NO_ADDRESS) return;
  let num = min<u32>(load<u32>(q + QUEUE_NUM), MAX_HEADS);
  let last = used + 4 + 8 * <u64>num + 1;
  if (last < used || last >> GPA_BITS) return;
  let lastPage = <u32>(last >> PAGE_SHIFT);
  let page = <u32>(used >> PAGE_SHIFT);
  if (!endTs) cover(page, lastPage, Healer.Stop);
  // Within the tolerance it may have come after the end, when nothing is sent any more.
  else for (let n = lastPage - page + 1; n; --n) doubt(page++);
}
