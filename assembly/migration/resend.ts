/**
 * Which pages of a QEMU's RAM were sent with data in this migration, to tell a page that is sent
 * again. By host-virtual address, not by guest page: a page that no map places counts too, and two
 * pieces of RAM that the guest had at one address, one after the other, are not one page.
 *
 * Open addressing, doubled when half full: {u64 key, 512 bits} for each 2 MiB.
 */
import { BLOCK_BYTES } from "../abi";
import { take } from "../base/memory";

const ENTRY: u32 = 8 + BLOCK_BYTES;
const MIN_SLOTS: u32 = 256;
/** 2 TiB of RAM at half load; pages beyond are not told apart, and count as sent once. */
const MAX_SLOTS: u32 = 1 << 21;

let table: usize = 0;
let slots: u32 = 0;
let used: u32 = 0;
/** The entry of the page before, which mostly is this one's too. */
let lastKey: u64 = 0;
let lastEntry: usize = 0;

// @ts-ignore: decorator
@inline
function home(key: u64): u32 {
  return <u32>((key * 0x9e3779b97f4a7c15) >> 32) & (slots - 1);
}

/** The entry of a key, or the free one where it belongs. */
function entryOf(key: u64): usize {
  let slot = home(key);
  while (true) {
    let entry = table + slot * ENTRY;
    let found = load<u64>(entry);
    if (!found || found == key) return entry;
    slot = (slot + 1) & (slots - 1);
  }
}

function grow(): bool {
  let wanted = slots ? slots << 1 : MIN_SLOTS;
  let bigger = wanted > MAX_SLOTS ? <usize>0 : take(wanted * ENTRY);
  if (!bigger) return false;
  let old = table;
  let oldSlots = slots;
  table = bigger;
  slots = wanted;
  for (let i: u32 = 0; i < oldSlots; ++i) {
    let entry = old + i * ENTRY;
    let key = load<u64>(entry);
    if (key) memory.copy(entryOf(key), entry, ENTRY);
  }
  return true;
}

/** A new migration: nothing was sent. */
export function clearSent(): void {
  lastKey = 0;
  used = 0;
  if (slots) memory.fill(table, 0, slots * ENTRY);
}

/** Notes that the page at `host` of a QEMU is sent with data; true: it was before. */
export function sendAgain(space: u32, host: u64): bool {
  let key = (<u64>(space + 1) << 43) | (host >> 21);
  if (key != lastKey) {
    if ((used + 1) << 1 > slots && !grow() && used + 1 >= slots) return false;
    let entry = entryOf(key);
    if (!load<u64>(entry)) {
      store<u64>(entry, key);
      ++used;
    }
    lastKey = key;
    lastEntry = entry;
  }
  let page = <u32>(host >> 12) & 511;
  let word = lastEntry + 8 + ((page >> 6) << 3);
  let bit = (<u64>1) << (page & 63);
  let bits = load<u64>(word);
  store<u64>(word, bits | bit);
  return (bits & bit) != 0;
}
