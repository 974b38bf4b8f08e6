/**
 * Pages on their way out of the source. QEMU puts a page into the iovec of its QEMUFile by
 * reference and reads it when that is flushed: at most 32 pages later (64 entries, two a page), at
 * the end of a pass of ram_save_iterate(), or before the next sync. A write in between may or may
 * not be part of what was sent. migration/qemu-file.c qemu_put_buffer_async(), qemu_fflush().
 *
 * With a clock tolerance a page stays in flight that much longer.
 */
import { enlarge, take } from "../base/memory";
import { flightCounts, flightLine, noteRead, sentAt } from "./migration-page";
import { migration } from "./migration-state";

const IOVEC_PAGES: u32 = 32;
const MAX_DELAYED: u32 = 1 << 20;

/** Two tolerances, in nanoseconds: a send may be one earlier and one later than its event says. */
let slack: u64 = 0;

export function setSlack(ns: u64): void {
  slack = ns;
}

/** Whether two clocks may disagree about the order of a send and a write. */
export function hasSlack(): bool {
  return slack != 0;
}

/** What is at `ts` on the clock of the sends may be that much later on the clock of the writes. */
export function afterSlack(ts: u64): u64 {
  return ts + slack;
}

/** The page, or one send of it, was read by `ts`. */
function landed(page: u32, ts: u64): void {
  let m = migration();
  let at = sentAt(page >> 9);
  if (!at) return;
  if (slack) {
    let count = flightCounts(at) + (page & 511);
    let left = <u32>load<u8>(count);
    // 255 stands for all above it: then the page stays in flight, which only adds doubt.
    if (left == 255 || left == 0) return;
    store<u8>(count, <u8>(left - 1));
    if (left > 1) return;
  } else {
    for (let i: u32 = 0; i < m.iovecCount; ++i) {
      if (load<u32>(m.iovec + (((m.iovecFirst + i) & 31) << 2)) == page) return;
    }
  }
  let word = flightLine(at) + (((page & 511) >> 6) << 3);
  store<u64>(word, load<u64>(word) & ~((<u64>1) << (page & 63)));
  noteRead(at, page, ts);
}

function delay(page: u32, until: u64): void {
  let m = migration();
  if (m.delayedCount == m.delayedCap) {
    let cap = m.delayedCap ? m.delayedCap << 1 : 256;
    let bigger = cap > MAX_DELAYED ? <usize>0 : enlarge(m.delayed, m.delayedCap << 4, cap << 4);
    // Without room the page stays in flight for good: doubt, not certainty.
    if (!bigger) return;
    // The ring's end moves behind its beginning.
    for (let i: u32 = 0; i < m.delayedFirst; ++i) {
      memory.copy(bigger + ((m.delayedCap + i) << 4), bigger + (i << 4), 16);
    }
    m.delayed = bigger;
    m.delayedCap = cap;
  }
  let at = m.delayed + (((m.delayedFirst + m.delayedCount++) & (m.delayedCap - 1)) << 4);
  store<u64>(at, until);
  store<u32>(at + 8, page);
}

function flushOne(ts: u64): void {
  let m = migration();
  let page = load<u32>(m.iovec + (m.iovecFirst << 2));
  m.iovecFirst = (m.iovecFirst + 1) & 31;
  --m.iovecCount;
  if (slack) delay(page, ts + slack);
  else landed(page, ts);
}

/** A page takes off at `ts`. */
export function takeOff(page: u32, ts: u64): void {
  let m = migration();
  if (m.iovecCount == IOVEC_PAGES) flushOne(ts);
  let at = sentAt(page >> 9);
  if (at && slack) {
    let count = flightCounts(at) + (page & 511);
    let n = <u32>load<u8>(count);
    if (n < 255) store<u8>(count, <u8>(n + 1));
  }
  store<u32>(m.iovec + (((m.iovecFirst + m.iovecCount++) & 31) << 2), page);
}

/**
 * A page was read at `ts`, or marked dirty by QEMU: at once, but with a tolerance a write that
 * follows may have been before it.
 */
export function holdFlight(page: u32, ts: u64): void {
  let at = slack ? sentAt(page >> 9) : 0;
  if (!at) return;
  let count = flightCounts(at) + (page & 511);
  let n = <u32>load<u8>(count);
  if (n < 255) store<u8>(count, <u8>(n + 1));
  let word = flightLine(at) + (((page & 511) >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (page & 63)));
  delay(page, ts + slack);
}

/** A page that was sent was read at `ts` at the latest. */
export function readBy(sent: usize, page: u32, ts: u64): void {
  if (slack) holdFlight(page, ts);
  else noteRead(sent, page, ts);
}

/** QEMUFile is flushed at `ts`. */
export function flushed(ts: u64): void {
  let m = migration();
  while (m.iovecCount) flushOne(ts);
}

/** Time has passed: pages within the tolerance until now have landed. */
// @ts-ignore: decorator
@inline
export function landUntil(ts: u64): void {
  let m = migration();
  while (m.delayedCount && load<u64>(m.delayed + (m.delayedFirst << 4)) <= ts) {
    let until = load<u64>(m.delayed + (m.delayedFirst << 4));
    let page = load<u32>(m.delayed + (m.delayedFirst << 4) + 8);
    m.delayedFirst = (m.delayedFirst + 1) & (m.delayedCap - 1);
    --m.delayedCount;
    landed(page, until);
  }
}

/** Room for what is in flight; false: out of memory. */
export function openFlight(): bool {
  if (!migration().iovec) migration().iovec = take(IOVEC_PAGES * 4);
  return migration().iovec != 0;
}

/** A new migration: nothing is in flight. */
export function clearFlight(): void {
  let m = migration();
  m.iovecCount = 0;
  m.delayedCount = 0;
}
