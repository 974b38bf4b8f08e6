/**
 * The last write that a policy left out, for each page of a migration: who wrote what is stale. A
 * hash table over {row, page}; bounded, so beyond it pages count and have no evidence.
 */
import { STALE_DOUBT, STALE_KEY, STALE_SENT, STALE_SIZE } from "../abi";
import { reserve } from "../base/memory";
import { fillEvidence } from "../pages/evidence";

const MAX_ENTRIES: u32 = 1 << 18;
/** Entries are kept in pieces that are never moved; the table has their numbers. */
const PIECE: u32 = 2048;
const pieces: usize = memory.data(128 * 4);
let table: usize = 0;
let slots: u32 = 0;
export let entryCount: u32 = 0;
/** Writes that found no room. */
export let entriesRefused: u64 = 0;

/** Whether anyone asks for the writes to blame. */
export let keepsEntries: bool = false;

export function keepEntries(on: bool): void {
  keepsEntries = on;
}

export function entryAt(i: u32): usize {
  return <usize>load<u32>(pieces + ((i / PIECE) << 2)) + (i % PIECE) * STALE_SIZE;
}

// @ts-ignore: decorator
@inline
function keyOf(page: u32, row: u32): u64 {
  return (<u64>row << 32) | page;
}

function slotOf(key: u64): u32 {
  let slot = <u32>((key * 0x9e3779b97f4a7c15) >> 40) & (slots - 1);
  while (true) {
    let number = load<u32>(table + (slot << 2));
    if (!number || load<u64>(entryAt(number - 1) + STALE_KEY) == key) return slot;
    slot = (slot + 1) & (slots - 1);
  }
}

function grow(): bool {
  let wanted = slots ? slots << 1 : 4096;
  if (wanted > MAX_ENTRIES << 1) return false;
  let bigger = reserve(wanted * 4);
  if (!bigger) return false;
  table = bigger;
  slots = wanted;
  for (let i: u32 = 0; i < entryCount; ++i) {
    store<u32>(table + (slotOf(load<u64>(entryAt(i) + STALE_KEY)) << 2), i + 1);
  }
  return true;
}

/** The entry of a page and row, 0 when there is none. */
export function findEntry(page: u32, row: u32): usize {
  if (!slots) return 0;
  let number = load<u32>(table + (slotOf(keyOf(page, row)) << 2));
  return number ? entryAt(number - 1) : 0;
}

/**
 * Notes a write. `why`: doubts about its order with the last send; they add up as long as the page
 * stays missing (`fresh` false), and a write without doubt settles them.
 */
export function noteEntry(
  page: u32,
  row: u32,
  cause: u32,
  why: u32,
  fresh: bool,
  sent: u32,
): void {
  if (!slots && !grow()) {
    ++entriesRefused;
    return;
  }
  let key = keyOf(page, row);
  let slot = slotOf(key);
  let number = load<u32>(table + (slot << 2));
  if (!number) {
    if (entryCount == MAX_ENTRIES) {
      ++entriesRefused;
      return;
    }
    if ((entryCount + 1) << 1 > slots) {
      if (!grow()) {
        ++entriesRefused;
        return;
      }
      slot = slotOf(key);
    }
    let piece = pieces + ((entryCount / PIECE) << 2);
    if (!load<u32>(piece)) {
      let room = reserve(PIECE * STALE_SIZE);
      if (!room) {
        ++entriesRefused;
        return;
      }
      store<u32>(piece, <u32>room);
    }
    number = ++entryCount;
    store<u32>(table + (slot << 2), number);
    store<u64>(entryAt(number - 1) + STALE_KEY, key);
    fresh = true;
  }
  let at = entryAt(number - 1);
  fillEvidence(at, cause, <u64>page << 12, 4096);
  store<u32>(at + STALE_SENT, sent);
  store<u32>(at + STALE_DOUBT, fresh || !why ? why : load<u32>(at + STALE_DOUBT) | why);
}

/** A new migration. */
export function clearEntries(): void {
  entryCount = 0;
  entriesRefused = 0;
  if (table) memory.fill(table, 0, slots << 2);
}
