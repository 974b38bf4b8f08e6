/**
 * Pages of zeros, which the source does not trace. Where a destination was recorded too, it tells
 * which of them arrived between two pages with data; see profile.ts.
 */
import { draining, drainSend } from "../known/drain";
import { DrainSend } from "../drain-abi";
import { NO_ADDRESS, PAGE_SHIFT } from "../abi";
import { EVENT_TS } from "../event-abi";
import { SaveSlot } from "../qemu-abi";
import { slotOf } from "../base/event-slot";
import { gpaIn, rangeCount } from "../known/ram-ranges";
import { readBy } from "./flight";
import { coverMissing, Healer, markSeen, noteSendTime, sentMake } from "./migration-page";
import { migration, NO_SPACE } from "./migration-state";
import { HASHED, hashPage } from "./profile";
import { recentRows } from "./recent";
import { migrationGap } from "./trackers";

/** Base of each RAM block, which the first save of it tells: {u32 name, u32 space, u64 hva}. */
const MAX_BASES: u32 = 1024;
const bases: usize = memory.data(1024 * 16);
let baseCount: u32 = 0;

/**
 * What the destination of this machine's migration received: `count` runs of zeros in the order of the
 * sends, {u32 data pages before it, u32 name of the RAM block, u32 first page of it, u32 pages}, and
 * hashes of its pages; `more`: it received others after those of the hashes, in post-copy.
 */
export function setZeros(at: usize, count: u32, hashesAt: usize, hashes: u32, more: bool): void {
  let m = migration();
  m.zeros = at;
  m.zeroCount = count;
  m.zeroNext = 0;
  m.hashes = hashesAt;
  m.hashCount = hashes;
  m.hashesEnd = more;
}

/** A new migration: nothing was sent. */
export function restartZeros(): void {
  let m = migration();
  m.zeroNext = 0;
  m.hash = 0;
  m.misaligned = false;
}

/** Compares the pages sent so far with those received. */
// @ts-ignore: decorator
@inline
export function checkPages(event: usize): void {
  if (migration().zeros && !migration().misaligned) comparePages(event);
}

function comparePages(event: usize): void {
  let m = migration();
  m.hash = hashPage(m.hash, <u32>slotOf(event, SaveSlot.rbname), slotOf(event, SaveSlot.offset));
  if (m.saves % HASHED != 0) return;
  let i = <u32>(m.saves / HASHED) - 1;
  if (i < m.hashCount ? load<u64>(m.hashes + (i << 3)) == m.hash : m.hashesEnd) return;
  m.misaligned = true;
  // What was taken for sent since the last equal hash may be another page.
  migrationGap(load<u64>(event + EVENT_TS));
}

/** Host-virtual address of a RAM block of the source. */
export function setRamBase(space: u32, name: u32, hva: u64): void {
  if (baseCount == MAX_BASES) return;
  let at = bases + (baseCount++ << 4);
  store<u32>(at, name);
  store<u32>(at, space, 4);
  store<u64>(at, hva, 8);
}

/** Where a RAM block of the QEMU that sends begins; 0 when it is not known. */
function baseOf(name: u32): usize {
  let source = migration().source;
  for (let at = bases, end = at + (baseCount << 4); at < end; at += 16) {
    if (load<u32>(at) == name && (source == NO_SPACE || load<u32>(at, 4) == source)) return at;
  }
  return 0;
}

/** The zeros between the send number `before` and the one that follows at `ts`. */
export function sendZeros(before: u64, ts: u64): void {
  let m = migration();
  while (!m.misaligned && m.zeroNext < m.zeroCount) {
    let entry = m.zeros + (m.zeroNext << 4);
    if (<u64>load<u32>(entry) > before) return;
    ++m.zeroNext;
    let name = load<u32>(entry, 4);
    let count = load<u32>(entry, 12);
    m.zeroSends += count;
    let base = baseOf(name);
    if (!base) {
      m.unplacedSends += count;
      continue;
    }
    let hva = load<u64>(base, 8) + (<u64>load<u32>(entry, 8) << PAGE_SHIFT);
    sendZeroRun(load<u32>(base, 4), name, hva, count, ts);
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
    if (!found) ++migration().unplacedSends;
  }
}

function sendZero(page: u32, ts: u64): void {
  if (draining) drainSend(page, DrainSend.Zero);
  let sent = sentMake(page >> 9);
  if (!sent) return;
  let first = markSeen(sent, page);
  noteSendTime(sent, page, ts);
  readBy(sent, page, ts);
  coverMissing(page, first ? Healer.FirstSend : Healer.Resend, recentRows(page), first, true);
}
