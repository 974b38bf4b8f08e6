/**
 * Pages that a destination receives in post-copy. ram_load_postcopy_loop() names a page by its channel
 * and its offset, not by its RAM block. Once the target pages of a host page are all there,
 * postcopy_place_page(), or _zero(), names the host page by its address; ram_load_loop() told before
 * where each block lies. So a page is known when its host page is placed. With postcopy-preempt there are
 * two channels, and their pages come in no order; the guest of the source is stopped by then, so none is
 * needed. QEMU migration/ram.c ram_load_postcopy(), migration/postcopy-ram.c postcopy_place_page().
 */
import { PAGE_SHIFT } from "../abi";
import { EVENT_TS } from "../event-abi";
import { LoadSlot, PlacedSlot, PostcopyLoadSlot } from "../qemu-abi";
import { slotOf } from "../base/event-slot";

/** RAM_SAVE_FLAG_ZERO and _PAGE, migration/ram.c. */
export const FLAG_ZERO: u64 = 0x02;
const FLAG_PAGE: u64 = 0x08;

/** Where RAM blocks of the destination begin: {u64 host address, u32 name, u32 0}. */
const MAX_BASES: u32 = 1024;
const bases: usize = memory.data(1024 * 16);
let baseCount: u32 = 0;

/** Channels of post-copy: the main one and that of urgent pages. */
const CHANNELS: u32 = 2;
/** Of each channel {u64 offset of the first page that waits, u32 pages, u32 runs of zeros}. */
const waiting: usize = memory.data(2 * 16);
/** A host page has so many runs of zeros at most that are kept: one of 2 MiB has 256. */
const MAX_RUNS: u32 = 4096;
/** Of each channel {u32 first page from the first that waits, u32 pages}. */
const runs: usize = memory.data(2 * 4096 * 8);

/** Pages that were received and that no event placed. */
export let unplacedLoads: u64 = 0;
/** What was placed last: block, first page of it, pages; the channel has its zeros. */
export let placedName: u32 = 0;
export let placedPage: u32 = 0;
export let placedPages: u32 = 0;
let placedChannel: u32 = 0;
export let placedZeroRuns: u32 = 0;

/** ram_load_loop() tells where a block lies. */
export function noteBlock(event: usize): void {
  let name = <u32>slotOf(event, LoadSlot.rbname);
  let last = bases + ((baseCount - 1) << 4);
  if (baseCount && load<u32>(last, 8) == name) return;
  for (let at = bases, end = bases + (baseCount << 4); at < end; at += 16) {
    if (load<u32>(at, 8) == name) return;
  }
  if (baseCount == MAX_BASES) return;
  let at = bases + (baseCount++ << 4);
  store<u64>(at, slotOf(event, LoadSlot.host) - slotOf(event, LoadSlot.addr));
  store<u32>(at, name, 8);
}

/** Whether this event of ram_load_postcopy_loop() is of a page; else it is of the end of a section. */
export function isPostcopyPage(event: usize): bool {
  return (slotOf(event, PostcopyLoadSlot.flags) & (FLAG_ZERO | FLAG_PAGE)) != 0;
}

/** A page arrives; its block is not known yet. */
export function onPostcopyLoad(event: usize): void {
  if (!isPostcopyPage(event)) return;
  let channel = <u32>slotOf(event, PostcopyLoadSlot.channel) & (CHANNELS - 1);
  let at = waiting + (channel << 4);
  let addr = slotOf(event, PostcopyLoadSlot.addr);
  let pages = load<u32>(at, 8);
  if (!pages || addr != load<u64>(at) + (<u64>pages << PAGE_SHIFT)) {
    // Those before were not placed: their block is not known.
    unplacedLoads += pages;
    pages = 0;
    store<u64>(at, addr);
    store<u32>(at, 0, 12);
  }
  store<u32>(at, pages + 1, 8);
  if (slotOf(event, PostcopyLoadSlot.flags) & FLAG_ZERO) addZero(channel, at, pages);
}

function addZero(channel: u32, at: usize, page: u32): void {
  let count = load<u32>(at, 12);
  let last = runs + ((channel * MAX_RUNS + count - 1) << 3);
  if (count && load<u32>(last) + load<u32>(last, 4) == page) {
    store<u32>(last, load<u32>(last, 4) + 1, 4);
    return;
  }
  if (count == MAX_RUNS) {
    ++unplacedLoads;
    return;
  }
  store<u32>(last + 8, page);
  store<u32>(last + 8, 1, 4);
  store<u32>(at, count + 1, 12);
}

/** A host page is placed. True: `placedName` and the like say which pages those are. */
export function onPlaced(event: usize): bool {
  let host = slotOf(event, PlacedSlot.host_addr);
  for (let at = bases, end = bases + (baseCount << 4); at < end; at += 16) {
    let offset = host - load<u64>(at);
    for (let channel: u32 = 0; channel < CHANNELS; ++channel) {
      let own = waiting + (channel << 4);
      if (!load<u32>(own, 8) || load<u64>(own) != offset) continue;
      placedName = load<u32>(at, 8);
      placedPage = <u32>(offset >> PAGE_SHIFT);
      placedPages = load<u32>(own, 8);
      placedChannel = channel;
      placedZeroRuns = load<u32>(own, 12);
      store<u32>(own, 0, 8);
      return true;
    }
  }
  return false;
}

/** Pages that wait to be placed; at the end of a recording none does. */
export function waitingLoads(): u32 {
  return load<u32>(waiting, 8) + load<u32>(waiting + 16, 8);
}

/** First page of run `i` of zeros in what was placed, and how many. */
export function placedZeroPage(i: u32): u32 {
  return placedPage + load<u32>(runs + ((placedChannel * MAX_RUNS + i) << 3));
}
export function placedZeroPages(i: u32): u32 {
  return load<u32>(runs + ((placedChannel * MAX_RUNS + i) << 3), 4);
}
