/**
 * Writes since the last send, for pages of zeros that were sent in between: whether one of them was
 * read before or after such a write is not known.
 */
import { reserve } from "../base/memory";
import { migration } from "./migration-state";

const MAX_RECENT: u32 = 4096;
/** {u32 page, u32 count, u32 rows}. */
const RECENT: u32 = 12;

/** A new migration; 0: out of memory. */
export function openRecent(): bool {
  if (!migration().recent) migration().recent = reserve(MAX_RECENT * RECENT);
  clearRecent();
  return migration().recent != 0;
}

/** A page with data was sent: what was written before it is behind us. */
export function clearRecent(): void {
  migration().recentCount = 0;
  migration().recentFull = false;
}

/** Writes that are left in the planes are not told one by one: any page may be one of them. */
export function forgetRecent(): void {
  if (migration().byRound) migration().recentFull = true;
}

/** Some rows, a bit each, left `count` pages from `page` on out of their log. */
export function noteRecent(page: u32, count: u32, rows: u32): void {
  let m = migration();
  if (m.recentCount == MAX_RECENT) {
    m.recentFull = true;
    return;
  }
  let at = m.recent + m.recentCount++ * RECENT;
  store<u32>(at, page);
  store<u32>(at, count, 4);
  store<u32>(at, rows, 8);
}

/** Rows for which this page was written since the last send, so before or after it was read. */
export function recentRows(page: u32): u32 {
  let m = migration();
  let rows: u32 = m.recentFull ? ~0 : 0;
  for (let at = m.recent, end = at + m.recentCount * RECENT; at < end; at += RECENT) {
    if (page - load<u32>(at) < load<u32>(at, 4)) rows |= load<u32>(at, 8);
  }
  return rows;
}
