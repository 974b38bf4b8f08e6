/**
 * Which pages of a QEMU's RAM were sent with data in this migration, to tell a page that is sent
 * again. By host-virtual address, not by guest page: a page that no map places counts too, and two
 * pieces of RAM that the guest had at one address, one after the other, are not one page.
 *
 * Open addressing, doubled when half full: {u64 key, 512 bits} for each 2 MiB. The entry of the page
 * before, which mostly is this one's too, is kept.
 */
import { BLOCK_BYTES } from "../abi";
import { take } from "../base/memory";
import { migration } from "./migration-state";

const ENTRY: u32 = 8 + BLOCK_BYTES;
const MIN_SLOTS: u32 = 256;
/** 2 TiB of RAM at half load; pages beyond are not told apart, and count as sent once. */
const MAX_SLOTS: u32 = 1 << 21;

// @ts-ignore: decorator
@inline
function home(key: u64): u32 {
  return <u32>((key * 0x9e3779b97f4a7c15) >> 32) & (migration().sentSlots - 1);
}

/** The entry of a key, or the free one where it belongs. */
function entryOf(key: u64): usize {
  let slot = home(key);
  while (true) {
    let entry = migration().sentTable + slot * ENTRY;
    let found = load<u64>(entry);
    if (!found || found == key) return entry;
    slot = (slot + 1) & (migration().sentSlots - 1);
  }
}

function grow(): bool {
  let m = migration();
  let wanted = m.sentSlots ? m.sentSlots << 1 : MIN_SLOTS;
  let bigger = wanted > MAX_SLOTS ? <usize>0 : take(wanted * ENTRY);
  if (!bigger) return false;
  let old = m.sentTable;
  let oldSlots = m.sentSlots;
  m.sentTable = bigger;
  m.sentSlots = wanted;
  for (let i: u32 = 0; i < oldSlots; ++i) {
    let entry = old + i * ENTRY;
    let key = load<u64>(entry);
    if (key) memory.copy(entryOf(key), entry, ENTRY);
  }
  return true;
}

/** A new migration: nothing was sent. */
export function clearSent(): void {
  let m = migration();
  m.sentLastKey = 0;
  m.sentUsed = 0;
  if (m.sentSlots) memory.fill(m.sentTable, 0, m.sentSlots * ENTRY);
}

/** Notes that the page at `host` of a QEMU is sent with data; true: it was before. */
export function sendAgain(space: u32, host: u64): bool {
  let m = migration();
  let key = (<u64>(space + 1) << 43) | (host >> 21);
  if (key != m.sentLastKey) {
    let full = (m.sentUsed + 1) << 1 > m.sentSlots;
    if (full && !grow() && m.sentUsed + 1 >= m.sentSlots) return false;
    let entry = entryOf(key);
    if (!load<u64>(entry)) {
      store<u64>(entry, key);
      ++m.sentUsed;
    }
    m.sentLastKey = key;
    m.sentLast = entry;
  }
  let page = <u32>(host >> 12) & 511;
  let word = m.sentLast + 8 + ((page >> 6) << 3);
  let bit = (<u64>1) << (page & 63);
  let bits = load<u64>(word);
  store<u64>(word, bits | bit);
  return (bits & bit) != 0;
}
