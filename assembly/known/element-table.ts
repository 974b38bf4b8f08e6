/**
 * VirtQueueElements of QEMU's own devices that are popped and not filled, by their address: open
 * addressing, doubled when half full. An address is used again as soon as its element is filled.
 */
import { give, take } from "../base/memory";

const ENTRY: u32 = 16;
const MIN_SLOTS: u32 = 1024;
/** More elements than this are in flight in no sane recording; the rest is counted. */
const MAX_SLOTS: u32 = 1 << 21;

let table: usize = 0;
let slots: u32 = 0;
let used: u32 = 0;
/** Elements for which there was no room. */
export let elementsRefused: u64 = 0;

// @ts-ignore: decorator
@inline
function home(key: u64): u32 {
  return <u32>((key * 0x9e3779b97f4a7c15) >> 32) & (slots - 1);
}

function insert(key: u64, request: u32): void {
  let slot = home(key);
  while (load<u64>(table + slot * ENTRY)) slot = (slot + 1) & (slots - 1);
  store<u64>(table + slot * ENTRY, key);
  store<u32>(table + slot * ENTRY + 8, request);
}

function grow(): bool {
  let wanted = slots ? slots << 1 : MIN_SLOTS;
  if (wanted > MAX_SLOTS) return false;
  let bigger = take(wanted * ENTRY);
  if (!bigger) return false;
  let old = table;
  let oldSlots = slots;
  table = bigger;
  slots = wanted;
  for (let i: u32 = 0; i < oldSlots; ++i) {
    let key = load<u64>(old + i * ENTRY);
    if (key) insert(key, load<u32>(old + i * ENTRY + 8));
  }
  give(old, oldSlots * ENTRY);
  return true;
}

/** The request of an element, 0 when none is known. */
export function elementOf(key: u64): usize {
  if (!slots) return 0;
  let slot = home(key);
  while (true) {
    let found = load<u64>(table + slot * ENTRY);
    if (!found) return 0;
    if (found == key) return load<u32>(table + slot * ENTRY + 8);
    slot = (slot + 1) & (slots - 1);
  }
}

/** Notes an element that is not in the table. False: no room. */
export function addElement(key: u64, request: usize): bool {
  if ((used + 1) << 1 > slots && !grow() && used + 1 >= slots) {
    ++elementsRefused;
    return false;
  }
  insert(key, <u32>request);
  ++used;
  return true;
}

/** Forgets an element. */
export function dropElement(key: u64): void {
  if (!slots) return;
  let slot = home(key);
  while (load<u64>(table + slot * ENTRY) != key) {
    if (!load<u64>(table + slot * ENTRY)) return;
    slot = (slot + 1) & (slots - 1);
  }
  --used;
  // Close the hole: an entry moves into it unless its home lies behind it.
  let hole = slot;
  while (true) {
    slot = (slot + 1) & (slots - 1);
    let key = load<u64>(table + slot * ENTRY);
    if (!key) break;
    let from = home(key);
    let stays = hole <= slot ? from > hole && from <= slot : from > hole || from <= slot;
    if (stays) continue;
    store<u64>(table + hole * ENTRY, key);
    store<u32>(table + hole * ENTRY + 8, load<u32>(table + slot * ENTRY + 8));
    hole = slot;
  }
  store<u64>(table + hole * ENTRY, 0);
}

/** Slots of the table, for a walk over what is left: `elementAt(i)` for i below it. */
export function elementSlots(): u32 {
  return slots;
}
export function elementAt(i: u32): usize {
  return load<u64>(table + i * ENTRY) ? <usize>load<u32>(table + i * ENTRY + 8) : 0;
}
