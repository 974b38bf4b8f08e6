/**
 * What a live migration adds to a guest page, kept only for the 2 MiB blocks it concerns:
 *
 *   sent block   [seen][flight] and the time of the last send of each page, and how much later it was read
 *   kept block   header, then for each row (a policy) its lines: see Line
 *
 * Both are found by a directory over the guest-physical space, as the planes are (planes.ts).
 */
import { drainHealed, draining, drainState } from "../known/drain";
import { PageState } from "../drain-abi";
import { BLOCK_BYTES } from "../abi";
import { blockValue, newDirectory, setBlockValue } from "../pages/block-directory";
import { reserve } from "../base/memory";
import { rows, activeRows } from "../pages/rows";
import { migration } from "./migration-state";

/** Lines of 512 bits that a row keeps of a block. */
export enum Line {
  /** Written since it was last sent, as far as that is certain or possible, and not logged since. */
  All = 0,
  /** The same, certainly. A part of Likely. */
  Sure,
  /** The same, likely: later than the last send that is known, but may have begun before. A part of All. */
  Likely,
  /** Three bits: what covered an unlogged write last (`Healer`). */
  Healer0,
  Healer1,
  Healer2,
  /** Logged and not sent since; without page sends in the recording: logged in the last harvest. */
  Pending,
  /** As All, had no page been sent again: for a policy that did not make the recording. */
  Resendless,
  /** Logged in this round so early that the last fetch may have found it (early.ts). */
  Early,
}
export const LINES: u32 = 9;
const HEADER: u32 = BLOCK_BYTES;
const SENT_BYTES: u32 = 3 * BLOCK_BYTES;
const SENT_TIMES: u32 = 2 * BLOCK_BYTES;
const SENT_COUNTS: u32 = 2 * BLOCK_BYTES + 4;
const SENT_NEXT: u32 = 2 * BLOCK_BYTES + 8;
const SENT_LAGS: u32 = 2 * BLOCK_BYTES + 12;
/** Header of a kept block: the times of writes, by row. */
const KEPT_WRITES: u32 = 16;

/** What covered a write that a policy left out of its log: `MIG_HEALED_*` for the host. */
export enum Healer {
  None = 0,
  /** Sent for the first time. */
  FirstSend,
  /** Sent again. */
  Resend,
  /** Logged later, by the policy itself. */
  Log,
  /** A vCPU wrote the page: QEMU sends it. */
  Cpu,
  /** A used ring, which QEMU marks when it stops the device. */
  Stop,
}

/** Bytes of a kept block. */
let keptBytes: u32 = 0;

/** Takes the directories of this machine; false: out of memory. Touched only where something lies. */
export function openPages(): bool {
  let m = migration();
  if (m.sentDirectory) return true;
  m.sentDirectory = newDirectory();
  m.keptDirectory = newDirectory();
  keptBytes = HEADER + rows * LINES * BLOCK_BYTES;
  return m.sentDirectory != 0 && m.keptDirectory != 0;
}

// @ts-ignore: decorator
@inline
export function keptAt(block: u32): usize {
  let directory = migration().keptDirectory;
  return directory ? <usize>blockValue(directory, block) : 0;
}

/** The kept block, made when there is none; 0: out of memory. */
export function keptMake(block: u32): usize {
  let at = keptAt(block);
  let directory = migration().keptDirectory;
  if (at || !directory) return at;
  at = reserve(keptBytes);
  if (!at || !setBlockValue(directory, block, <u32>at)) return 0;
  store<u32>(at, <u32>migration().firstKept);
  store<u32>(at + 4, block);
  migration().firstKept = at;
  return at;
}

// @ts-ignore: decorator
@inline
export function nextKept(at: usize): usize {
  return load<u32>(at);
}

/** Number of a kept block. */
export function blockOf(at: usize): u32 {
  return load<u32>(at + 4);
}

/** Round of the harvest that Line.Pending is of, for a recording without sends. */
// @ts-ignore: decorator
@inline
export function pendingRound(at: usize): u32 {
  return load<u32>(at + 8);
}
export function setPendingRound(at: usize, round: u32): void {
  store<u32>(at + 8, round);
}

/** Round that Line.Early is of. */
// @ts-ignore: decorator
@inline
export function earlyRound(at: usize): u32 {
  return load<u32>(at + 12);
}
export function setEarlyRound(at: usize, round: u32): void {
  store<u32>(at + 12, round);
}

/** The line of a row in a kept block. */
// @ts-ignore: decorator
@inline
export function lineOf(at: usize, row: u32, line: u32): usize {
  return at + HEADER + (row * LINES + line) * BLOCK_BYTES;
}

// @ts-ignore: decorator
@inline
export function sentAt(block: u32): usize {
  let directory = migration().sentDirectory;
  return directory ? <usize>blockValue(directory, block) : 0;
}

export function sentMake(block: u32): usize {
  let at = sentAt(block);
  let directory = migration().sentDirectory;
  if (at || !directory) return at;
  at = reserve(SENT_BYTES);
  if (!at || !setBlockValue(directory, block, <u32>at)) return 0;
  store<u32>(at + SENT_NEXT, <u32>migration().firstSent);
  migration().firstSent = at;
  return at;
}

// @ts-ignore: decorator
@inline
export function seenLine(at: usize): usize {
  return at;
}
// @ts-ignore: decorator
@inline
export function flightLine(at: usize): usize {
  return at + BLOCK_BYTES;
}

/** Times of the last sends of a block's 512 pages, u32 each; 0 when there is no room. */
export function sentTimes(at: usize, make: bool): usize {
  let times = <usize>load<u32>(at + SENT_TIMES);
  if (!times && make) {
    times = reserve(512 * 4);
    store<u32>(at + SENT_TIMES, <u32>times);
  }
  return times;
}

/** How often each page of a block is in flight, a byte each: only needed with a tolerance. */
export function flightCounts(at: usize): usize {
  let counts = <usize>load<u32>(at + SENT_COUNTS);
  if (!counts) {
    counts = reserve(512);
    store<u32>(at + SENT_COUNTS, <u32>counts);
  }
  return counts;
}

/** Notes that a page is sent; true: for the first time, as far as is known. */
export function markSeen(sent: usize, page: u32): bool {
  let seen = seenLine(sent) + wordOf(page);
  let bits = load<u64>(seen);
  store<u64>(seen, bits | bitOfPage(page));
  return (bits & bitOfPage(page)) == 0;
}

/** Microseconds from the start of the migration, plus one; 0: never sent as far as is known. */
// @ts-ignore: decorator
@inline
export function sendTime(sent: usize, page: u32): u32 {
  let times = sent ? sentTimes(sent, false) : 0;
  return times ? load<u32>(times + ((page & 511) << 2)) : 0;
}

/** The page was sent last at `ts`. */
export function noteSendTime(sent: usize, page: u32, ts: u64): void {
  let times = sentTimes(sent, true);
  if (!times) return;
  let us = (ts - migration().startTs) / 1000 + 1;
  store<u32>(times + ((page & 511) << 2), <u32>min<u64>(us, 0xffffffff));
}

/**
 * A lag in nanoseconds in 16 bits, plus one: 12 bits of a number and four that say how often it is to
 * be taken times four. Rounded up, by a thousandth at the most.
 */
function packLag(ns: u64): u32 {
  let times: u32 = 0;
  for (; ns > 4094 && times < 15; ++times) ns = (ns + 3) >> 2;
  return (times << 12) + <u32>min<u64>(ns, 4094) + 1;
}
// @ts-ignore: decorator
@inline
function unpackLag(lag: u32): u64 {
  return <u64>((lag - 1) & 4095) << (((lag - 1) >> 12) << 1);
}

/** The last send of a page was read by `ts` at the latest. */
export function noteRead(sent: usize, page: u32, ts: u64): void {
  let at = sendTime(sent, page);
  if (!at || at == 0xffffffff) return;
  let lags = <usize>load<u32>(sent + SENT_LAGS);
  if (!lags) {
    lags = reserve(512 * 2);
    if (!lags) return;
    store<u32>(sent + SENT_LAGS, <u32>lags);
  }
  let from = migration().startTs + <u64>(at - 1) * 1000;
  store<u16>(lags + ((page & 511) << 1), <u16>packLag(ts > from ? ts - from : 0));
}

/** Whether the page, of which a send is known and none is in flight, may have been read after `ts`. */
export function readAfter(sent: usize, page: u32, ts: u64): bool {
  let at = sendTime(sent, page);
  let lags = <usize>load<u32>(sent + SENT_LAGS);
  let lag = lags ? <u32>load<u16>(lags + ((page & 511) << 1)) : 0;
  // Without a lag it was not seen to be read.
  if (!lag || !at || at == 0xffffffff) return true;
  return ts < migration().startTs + <u64>(at - 1) * 1000 + unpackLag(lag);
}

/** Times of the last writes of a block's 512 pages that a row left out, u32 each; 0: none, or no room. */
export function writeTimes(kept: usize, row: u32, make: bool): usize {
  let table = <usize>load<u32>(kept + KEPT_WRITES);
  if (!table) {
    if (!make) return 0;
    table = reserve(rows * 4);
    if (!table) return 0;
    store<u32>(kept + KEPT_WRITES, <u32>table);
  }
  let times = <usize>load<u32>(table + (row << 2));
  if (!times && make) {
    times = reserve(512 * 4);
    store<u32>(table + (row << 2), <u32>times);
  }
  return times;
}

/** Where in a block's line the word of a page is, in bytes; its bit in that word. */
// @ts-ignore: decorator
@inline
export function wordOf(page: u32): usize {
  return ((page & 511) >> 6) << 3;
}
// @ts-ignore: decorator
@inline
export function bitOfPage(page: u32): u64 {
  return (<u64>1) << (page & 63);
}

/** A new migration: nothing was sent, nothing is missing. */
export function clearPages(): void {
  for (let at = migration().firstKept; at; at = nextKept(at)) {
    memory.fill(at + HEADER, 0, keptBytes - HEADER);
    store<u32>(at + 8, 0xffffffff);
    for (let row: u32 = 0; row < rows; ++row) {
      let times = writeTimes(at, row, false);
      if (times) memory.fill(times, 0, 512 * 4);
    }
  }
  for (let at = migration().firstSent; at; at = load<u32>(at + SENT_NEXT)) {
    memory.fill(at, 0, 2 * BLOCK_BYTES);
    let times = sentTimes(at, false);
    if (times) memory.fill(times, 0, 512 * 4);
    let counts = <usize>load<u32>(at + SENT_COUNTS);
    if (counts) memory.fill(counts, 0, 512);
    let lags = <usize>load<u32>(at + SENT_LAGS);
    if (lags) memory.fill(lags, 0, 512 * 2);
  }
}

/**
 * `bits` of one word are missing from here on: possibly those of `doubt`, likely those of `soft`, and
 * certainly all others.
 */
// @ts-ignore: decorator
@inline
export function missWord(line: usize, bits: u64, doubt: u64, soft: u64): void {
  store<u64>(line, load<u64>(line) | bits);
  let likely = line + Line.Likely * BLOCK_BYTES;
  store<u64>(likely, load<u64>(likely) | (bits & ~doubt));
  let sure = line + Line.Sure * BLOCK_BYTES;
  store<u64>(sure, load<u64>(sure) | (bits & ~doubt & ~soft));
  let resendless = line + Line.Resendless * BLOCK_BYTES;
  store<u64>(resendless, load<u64>(resendless) | bits);
}

/** Takes `bits` of one word out of what is missing, and notes by what. */
// @ts-ignore: decorator
@inline
export function heal(line: usize, bits: u64, healer: u32): void {
  // `line` is that of Line.All; the others follow at their distance.
  clearBits(line, bits);
  makePossible(line, bits);
  for (let i: u32 = 0; i < 3; ++i) {
    let at = line + (Line.Healer0 + i) * BLOCK_BYTES;
    let old = load<u64>(at);
    store<u64>(at, (healer >> i) & 1 ? old | bits : old & ~bits);
  }
}

/** Pages of one word whose unlogged writes were covered last by `healer`, and are covered still. */
export function healedBy(line: usize, healer: u32): u64 {
  let bits = ~load<u64>(line);
  for (let i: u32 = 0; i < 3; ++i) {
    let at = load<u64>(line + (Line.Healer0 + i) * BLOCK_BYTES);
    bits &= (healer >> i) & 1 ? at : ~at;
  }
  return bits;
}

/** All that was ever missing and is covered. */
export function healed(line: usize): u64 {
  let any: u64 = 0;
  for (let i: u32 = 0; i < 3; ++i) any |= load<u64>(line + (Line.Healer0 + i) * BLOCK_BYTES);
  return any & ~load<u64>(line);
}

/**
 * QEMU read a page, or will send it again: what is missing of it is covered by `healer`. For the rows
 * of `doubtful`, a bit each, it may have been before the write, so nothing of it is certain any more.
 * `first`: it would have been read had no page been sent again; `unqueue`: it waits no longer.
 */
export function coverMissing(page: u32, healer: u32, doubtful: u32, first: bool, unqueue: bool): void {
  let kept = keptAt(page >> 9);
  if (!kept) return;
  let bit = bitOfPage(page);
  let offset = wordOf(page);
  for (let row: u32 = 0; row < activeRows(); ++row) {
    let line = lineOf(kept, row, Line.All) + offset;
    let missing = load<u64>(line) & bit;
    if ((doubtful >> row) & 1) {
      if (draining) drainState(page & ~63, missing, row, PageState.Possible);
      makePossible(line, bit);
    } else {
      if (missing) {
        if (draining) drainHealed(page & ~63, bit, row, healer);
        heal(line, bit, healer);
      }
      if (first) clearBits(line + Line.Resendless * BLOCK_BYTES, bit);
    }
    if (unqueue) clearBits(line + Line.Pending * BLOCK_BYTES, bit);
  }
}

/** What is missing of `bits` of one word may be covered: it is possibly missing, no more. */
// @ts-ignore: decorator
@inline
export function makePossible(line: usize, bits: u64): void {
  clearBits(line + Line.Sure * BLOCK_BYTES, bits);
  clearBits(line + Line.Likely * BLOCK_BYTES, bits);
}

// @ts-ignore: decorator
@inline
function clearBits(at: usize, bits: u64): void {
  store<u64>(at, load<u64>(at) & ~bits);
}
