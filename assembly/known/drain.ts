/**
 * What happened, as rows that the host takes away in bulk: for a history of the recording no object is
 * made for an event, on either side. Four tables, each with rows of one size (DRAIN_* of drain-abi.ts):
 * writes, requests that left their queue, pages that were sent or dirtied, and what became of pages in a
 * migration. Nothing is kept unless the host asks for it.
 */
import { BLOCK_BYTES, PAGE_SHIFT } from "../abi";
import { EVENT_PLACE } from "../event-abi";
import { DESC_ACC, DESC_LEN, DESC_SIZE, QUEUE_ID, REQUEST_CAUSE, REQUEST_CDB, REQUEST_DESC_COUNT, REQUEST_DESCS, REQUEST_FLAGS, REQUEST_HAS_CDB, REQUEST_HEAD, REQUEST_LUN, REQUEST_NAMED, REQUEST_OPCODE, REQUEST_POP_PLACE, REQUEST_POP_STREAM, REQUEST_POP_TS, REQUEST_QUEUE, REQUEST_SERIAL, REQUEST_STATE, REQUEST_USED_PLACE, REQUEST_USED_STREAM, REQUEST_USED_TS } from "../queue-abi";
import {
  DRAIN_BATCH,
  DRAIN_CAUSE,
  DRAIN_HEAD,
  DRAIN_KIND,
  DRAIN_LUN,
  DRAIN_OPCODE,
  DRAIN_PAGE,
  DRAIN_PAGES,
  DRAIN_PLACE,
  DRAIN_POP_PLACE,
  DRAIN_POP_STREAM,
  DRAIN_POP_TS,
  DRAIN_QUEUE,
  DRAIN_READ_BYTES,
  DRAIN_REQUEST,
  DRAIN_REQUEST_CAUSE,
  DRAIN_REQUEST_QUEUE,
  DRAIN_REQUEST_SIZE,
  DRAIN_ROWS,
  DRAIN_SEND_SIZE,
  DRAIN_SERIAL,
  DRAIN_STATE,
  DRAIN_STATE_KIND,
  DRAIN_STATE_SIZE,
  DRAIN_STREAM,
  DRAIN_TS,
  DRAIN_USED_PLACE,
  DRAIN_USED_STREAM,
  DRAIN_USED_TS,
  DRAIN_WRITE_BYTES,
  DRAIN_WRITE_SIZE,
  DrainTable,
  PageState,
} from "../drain-abi";
import { enlarge, take } from "../base/memory";
import { machine } from "./machine";
import { atEvent, atStream, byQueue, byRequest } from "./moment";

/** The host takes rows. */
export let draining: bool = false;
/** Number of the machine whose rows are kept; -1: of every one. */
let only: i32 = -1;
/** Policies whose states are kept, a bit a row. */
let shownRows: u32 = ~0;
/** Some table has a batch: run() goes back to the host. */
export let drainFull: bool = false;
/** There was no room for a row: what the host has is not whole. */
let failed: bool = false;
/** Time of the event that is being applied. */
let now: u64 = 0;

/** For each table: u32 rows, u32 count, u32 capacity. */
const TABLES: u32 = 4;
const tables: usize = memory.data(4 * 12);

// @ts-ignore: decorator
@inline
function sizeOf(table: u32): u32 {
  if (table == <u32>DrainTable.Writes) return DRAIN_WRITE_SIZE;
  if (table == <u32>DrainTable.Requests) return DRAIN_REQUEST_SIZE;
  return table == <u32>DrainTable.Sends ? DRAIN_SEND_SIZE : DRAIN_STATE_SIZE;
}

/** Rows are kept from now on. False: out of memory. */
export function startDrain(): bool {
  for (let table: u32 = 0; table < TABLES; ++table) {
    let at = take(DRAIN_BATCH * sizeOf(table));
    if (!at) return false;
    store<u32>(tables + table * 12, <u32>at);
    store<u32>(tables + table * 12, DRAIN_BATCH, 8);
  }
  draining = true;
  return true;
}

/** Only what happens to this machine is kept from now on, and states of these policies, a bit a row. */
export function drainOnly(number: i32, policyRows: u32): void {
  only = number;
  shownRows = policyRows;
}

/** Whether what happens now is kept. */
// @ts-ignore: decorator
@inline
function wanted(): bool {
  return only < 0 || <i32>machine.number == only;
}

export function drainFailed(): bool {
  return failed;
}
export function drainPtr(table: u32): usize {
  return <usize>load<u32>(tables + table * 12);
}
export function drainLength(table: u32): u32 {
  return load<u32>(tables + table * 12, 4);
}

/** The host has the rows of all tables. */
export function drainTaken(): void {
  for (let table: u32 = 0; table < TABLES; ++table) store<u32>(tables + table * 12, 0, 4);
  drainFull = false;
  lastCount = 0;
}

/** Every event that is applied says its time. */
// @ts-ignore: decorator
@inline
export function drainTime(ts: u64): void {
  now = ts;
}

/** Room for a row, 0 when there is none. */
function newRow(table: u32): usize {
  let at = tables + table * 12;
  let count = load<u32>(at, 4);
  let size = sizeOf(table);
  if (count == load<u32>(at, 8)) {
    // One event may make many rows, a sync above all.
    let bigger = enlarge(load<u32>(at), count * size, (count * size) << 1);
    if (!bigger) {
      failed = true;
      return 0;
    }
    store<u32>(at, <u32>bigger);
    store<u32>(at, count << 1, 8);
  }
  store<u32>(at, count + 1, 4);
  if (count + 1 >= <u32>DRAIN_BATCH) drainFull = true;
  return <usize>load<u32>(at) + count * size;
}

/** A write to [gpa, gpa+len) that lies inside the guest-physical space. */
export function drainWrite(cause: u32, gpa: u64, len: u64): void {
  if (!len || !wanted()) return;
  let page = <u32>(gpa >> PAGE_SHIFT);
  // A used element and the ring's index behind it: one write of the page.
  if (!byRequest && sameRing(page, len + (gpa & 4095), cause)) return;
  let row = newRow(DrainTable.Writes);
  if (!row) return;
  store<u64>(row + DRAIN_TS, now);
  store<u64>(row + DRAIN_PLACE, load<u64>(atEvent + EVENT_PLACE));
  store<u32>(row + DRAIN_PAGE, page);
  store<u32>(row + DRAIN_PAGES, <u32>((gpa + len - 1) >> PAGE_SHIFT) - page + 1);
  store<u32>(row + DRAIN_REQUEST, byRequest ? <u32>load<u64>(byRequest + REQUEST_SERIAL) : 0);
  store<u32>(row + DRAIN_QUEUE, load<u32>(byQueue + QUEUE_ID));
  store<u16>(row + DRAIN_STREAM, <u16>atStream);
  store<u16>(row + DRAIN_CAUSE, <u16>cause);
}

/** Whether the last row is a write of this event to this page of the queue's ring. */
function sameRing(page: u32, end: u64, cause: u32): bool {
  let count = drainLength(DrainTable.Writes);
  if (!count || end > 4096) return false;
  let row = drainPtr(DrainTable.Writes) + (count - 1) * DRAIN_WRITE_SIZE;
  return (
    load<u32>(row + DRAIN_PAGE) == page &&
    load<u64>(row + DRAIN_TS) == now &&
    load<u32>(row + DRAIN_PAGES) == 1 &&
    load<u32>(row + DRAIN_REQUEST) == 0 &&
    load<u32>(row + DRAIN_QUEUE) == load<u32>(byQueue + QUEUE_ID) &&
    <u32>load<u16>(row + DRAIN_CAUSE) == cause
  );
}

/** A request that left its queue, or is in it at the end. */
export function drainRequest(request: usize): void {
  if (!wanted()) return;
  let row = newRow(DrainTable.Requests);
  if (!row) return;
  let flags = load<u32>(request + REQUEST_FLAGS);
  store<u64>(row + DRAIN_POP_TS, load<u64>(request + REQUEST_POP_TS));
  store<u64>(row + DRAIN_USED_TS, load<u64>(request + REQUEST_USED_TS));
  store<u64>(row + DRAIN_POP_PLACE, load<u64>(request + REQUEST_POP_PLACE));
  store<u64>(row + DRAIN_USED_PLACE, load<u64>(request + REQUEST_USED_PLACE));
  store<u32>(row + DRAIN_SERIAL, <u32>load<u64>(request + REQUEST_SERIAL));
  store<u32>(row + DRAIN_REQUEST_QUEUE, load<u32>(request + REQUEST_QUEUE));
  store<i32>(row + DRAIN_HEAD, load<i32>(request + REQUEST_HEAD));
  store<i32>(row + DRAIN_REQUEST_CAUSE, load<i32>(request + REQUEST_CAUSE));
  store<u16>(row + DRAIN_POP_STREAM, load<u16>(request + REQUEST_POP_STREAM));
  store<u16>(row + DRAIN_USED_STREAM, load<u16>(request + REQUEST_USED_STREAM));
  store<u32>(row + DRAIN_STATE, load<u32>(request + REQUEST_STATE));
  let written: u64 = 0;
  let read: u64 = 0;
  let desc = <usize>load<u32>(request + REQUEST_DESCS);
  let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
  for (; desc < end; desc += DESC_SIZE) {
    let length = <u64>load<u32>(desc + DESC_LEN);
    if (load<u32>(desc + DESC_ACC) == 2) written += length;
    else read += length;
  }
  store<u64>(row + DRAIN_WRITE_BYTES, written);
  store<u64>(row + DRAIN_READ_BYTES, read);
  let lun = -1;
  let opcode = -1;
  if (flags & (REQUEST_NAMED | REQUEST_HAS_CDB)) lun = load<i32>(request + REQUEST_LUN);
  if (flags & REQUEST_HAS_CDB) opcode = <i32>load<u8>(request + REQUEST_CDB);
  else if (flags & REQUEST_NAMED) opcode = load<i32>(request + REQUEST_OPCODE);
  store<i32>(row + DRAIN_LUN, lun);
  store<i32>(row + DRAIN_OPCODE, opcode);
}

/** A page was sent, arrived or was dirtied by a vCPU: DrainSend. Zeros are many at one moment. */
export function drainSend(page: u32, kind: u32): void {
  if (!wanted()) return;
  let count = drainLength(DrainTable.Sends);
  if (count) {
    let last = drainPtr(DrainTable.Sends) + (count - 1) * DRAIN_SEND_SIZE;
    let pages = load<u32>(last + DRAIN_PAGES);
    if (
      load<u32>(last + DRAIN_PAGE) + pages == page &&
      load<u32>(last + DRAIN_KIND) == kind &&
      load<u64>(last + DRAIN_TS) == now
    ) {
      store<u32>(last + DRAIN_PAGES, pages + 1);
      return;
    }
  }
  let row = newRow(DrainTable.Sends);
  if (!row) return;
  store<u64>(row + DRAIN_TS, now);
  store<u32>(row + DRAIN_PAGE, page);
  store<u32>(row + DRAIN_PAGES, 1);
  store<u32>(row + DRAIN_KIND, kind);
}

/** The rows of the last word: those of other policies are mostly the same. */
let lastFirst: u32 = 0;
let lastCount: u32 = 0;
let lastBase: u32 = 0;
let lastBits: u64 = 0;
let lastState: u32 = 0;
let lastTs: u64 = 0;

/** Pages of one word become `state` (PageState) under the policy of `policyRow`. `base`: its first page. */
export function drainState(base: u32, bits: u64, policyRow: u32, state: u32): void {
  if (!bits || !((shownRows >> policyRow) & 1) || !wanted()) return;
  let same =
    lastCount != 0 && lastBase == base && lastBits == bits && lastState == state && lastTs == now;
  if (same) {
    let row = drainPtr(DrainTable.States) + lastFirst * DRAIN_STATE_SIZE;
    for (let i: u32 = 0; i < lastCount; ++i, row += DRAIN_STATE_SIZE) {
      store<u32>(row + DRAIN_ROWS, load<u32>(row + DRAIN_ROWS) | (1 << policyRow));
    }
    return;
  }
  lastFirst = drainLength(DrainTable.States);
  lastBase = base;
  lastBits = bits;
  lastState = state;
  lastTs = now;
  while (bits) {
    let bit = <u32>ctz<u64>(bits);
    let ones = <u32>ctz<u64>(~(bits >> bit));
    if (ones > 64 - bit) ones = 64 - bit;
    stateRow(base + bit, ones, 1 << policyRow, state);
    if (bit + ones >= 64) break;
    bits &= ~(<u64>0) << (bit + ones);
  }
  lastCount = drainLength(DrainTable.States) - lastFirst;
}

function stateRow(page: u32, pages: u32, rows: u32, state: u32): void {
  let row = newRow(DrainTable.States);
  if (!row) return;
  store<u64>(row + DRAIN_TS, now);
  store<u32>(row + DRAIN_PAGE, page);
  store<u32>(row + DRAIN_PAGES, pages);
  store<u32>(row + DRAIN_ROWS, rows);
  store<u32>(row + DRAIN_STATE_KIND, state);
}

/** The pages of a line of 512 become `state`. */
export function drainLine(block: u32, row: u32, line: usize, state: u32): void {
  for (let w: u32 = 0; w < <u32>BLOCK_BYTES; w += 8) {
    drainState((block << 9) + (w << 3), load<u64>(line + w), row, state);
  }
}

/** Pages of the word of `page` are missing from now on: certainly, likely, or with a doubt. */
export function drainMissing(
  page: u32,
  row: u32,
  certain: u64,
  likely: u64,
  doubtful: u64,
  unsent: u64,
): void {
  let base = page & ~63;
  drainState(base, certain, row, PageState.Missing);
  drainState(base, likely, row, PageState.Likely);
  drainState(base, doubtful & unsent, row, PageState.Unsent);
  drainState(base, doubtful & ~unsent, row, PageState.Possible);
}

/** Pages of one word are covered by `healer` (migration-page.ts). */
// @ts-ignore: decorator
@inline
export function drainHealed(base: u32, bits: u64, row: u32, healer: u32): void {
  drainState(base, bits, row, <u32>PageState.Healed + healer);
}

/** A migration begins: no page is missing under any policy. */
export function drainBegin(state: u32): void {
  if (!wanted()) return;
  lastCount = 0;
  stateRow(0, 0, ~0, state);
}
