/**
 * The last write that a policy left out, for each page of a migration: who wrote what is stale. A
 * hash table over {row, page}; bounded, so beyond it pages count and have no evidence.
 */
import { STALE_DOUBT, STALE_KEY, STALE_SENT, STALE_SIZE } from "../page-abi";
import { reserve } from "../base/memory";
import { fillEvidence } from "../pages/evidence";
import { migration } from "./migration-state";

const MAX_ENTRIES: u32 = 1 << 18;
/** Entries are kept in pieces that are never moved; the table has their numbers. */
const PIECE: u32 = 2048;
const PIECES: u32 = MAX_ENTRIES / PIECE;

/** From the next round on, whether anyone asks for the writes to blame: each is taken then, no round at once. */
export function keepEntries(on: bool): void {
  migration().keepsEntries = on;
}

export function entryAt(i: u32): usize {
  return <usize>load<u32>(migration().entryPieces + ((i / PIECE) << 2)) + (i % PIECE) * STALE_SIZE;
}

// @ts-ignore: decorator
@inline
function keyOf(page: u32, row: u32): u64 {
  return (<u64>row << 32) | page;
}

function slotOf(key: u64): u32 {
  let slot = <u32>((key * 0x9e3779b97f4a7c15) >> 40) & (migration().entrySlots - 1);
  while (true) {
    let number = load<u32>(migration().entryTable + (slot << 2));
    if (!number || load<u64>(entryAt(number - 1) + STALE_KEY) == key) return slot;
    slot = (slot + 1) & (migration().entrySlots - 1);
  }
}

function grow(): bool {
  let m = migration();
  let wanted = m.entrySlots ? m.entrySlots << 1 : 4096;
  if (wanted > MAX_ENTRIES << 1) return false;
  if (!m.entryPieces) m.entryPieces = reserve(PIECES * 4);
  let bigger = m.entryPieces ? reserve(wanted * 4) : 0;
  if (!bigger) return false;
  m.entryTable = bigger;
  m.entrySlots = wanted;
  for (let i: u32 = 0; i < m.entryCount; ++i) {
    store<u32>(bigger + (slotOf(load<u64>(entryAt(i) + STALE_KEY)) << 2), i + 1);
  }
  return true;
}

/** The entry of a page and row, 0 when there is none. */
export function findEntry(page: u32, row: u32): usize {
  if (!migration().entrySlots) return 0;
  let number = load<u32>(migration().entryTable + (slotOf(keyOf(page, row)) << 2));
  return number ? entryAt(number - 1) : 0;
}

/** A new entry of this key; 0: no room. */
function newEntry(key: u64): usize {
  let m = migration();
  if (m.entryCount == MAX_ENTRIES) return 0;
  if ((m.entryCount + 1) << 1 > m.entrySlots && !grow()) return 0;
  let piece = m.entryPieces + ((m.entryCount / PIECE) << 2);
  if (!load<u32>(piece)) {
    let room = reserve(PIECE * STALE_SIZE);
    if (!room) return 0;
    store<u32>(piece, <u32>room);
  }
  // The slot before the count: it looks at entries, and this one has no key yet.
  let slot = slotOf(key);
  let number = ++m.entryCount;
  store<u32>(m.entryTable + (slot << 2), number);
  let at = entryAt(number - 1);
  store<u64>(at + STALE_KEY, key);
  return at;
}

/**
 * Notes the write [gpa, gpa+len) of this page. `why`: doubts about its order with the last send; they add up as long as the page
 * stays missing (`fresh` false), and a write without doubt settles them.
 */
export function noteEntry(
  page: u32,
  row: u32,
  cause: u32,
  gpa: u64,
  len: u64,
  why: u32,
  fresh: bool,
  sent: u32,
): void {
  let at = findEntry(page, row);
  if (!at) {
    at = newEntry(keyOf(page, row));
    if (!at) {
      ++migration().entriesRefused;
      return;
    }
    fresh = true;
  }
  fillEvidence(at, cause, gpa, len);
  store<u32>(at + STALE_SENT, sent);
  store<u32>(at + STALE_DOUBT, fresh || !why ? why : load<u32>(at + STALE_DOUBT) | why);
}

/** A new migration. */
export function clearEntries(): void {
  let m = migration();
  m.entryCount = 0;
  m.entriesRefused = 0;
  if (m.entryTable) memory.fill(m.entryTable, 0, m.entrySlots << 2);
}
