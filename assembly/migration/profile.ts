/**
 * A first look at one input, when several are to be merged: which pages a destination received as
 * zeros, and where among the others; how many pages a source sent. Nothing is replayed.
 *
 * Source and destination see the same pages in the same order, so a page of zeros, which the source
 * does not trace, was read between the two pages with data around it. A hash of every thousand pages
 * tells whether both recordings are of the same migration.
 */
import { PAGE_SHIFT } from "../abi";
import { EVENT_KIND, EventKind, ORDER_HASHES } from "../event-abi";
import { LoadSlot, SaveSlot } from "../qemu-abi";
import { slotOf } from "../base/event-slot";
import { enlarge, reserve } from "../base/memory";
import { stringPtr } from "../known/string";
import {
  FLAG_ZERO,
  noteBlock,
  onPlaced,
  onPostcopyLoad,
  placedName,
  placedPages,
  placedZeroPage,
  placedZeroPages,
  placedZeroRuns,
} from "./postcopy-loads";

export let profiling: bool = false;
export let profileSaves: u64 = 0;
export let profileLoads: u64 = 0;
export let profileZeros: u64 = 0;
/** Pages with data that were received in post-copy; they are in no hash. */
export let profilePlaced: u64 = 0;
export let profilePops: u64 = 0;

/** Entries {u32 data pages before, u32 name, u32 first page, u32 pages}. */
export let zeroRuns: usize = 0;
export let zeroRunCount: u32 = 0;
let zeroRunCap: u32 = 0;
/** 128 MiB of them; beyond it the list ends, and the host says so. */
const MAX_ZERO_RUNS: u32 = 1 << 23;
export let zeroRunsFull: bool = false;

/** Pages in one hash. */
export const HASHED: u64 = 1024;
const MAX_HASHES: u32 = 1 << 20;
export let hashes: usize = 0;
export let hashCount: u32 = 0;
let hash: u64 = 0;

/** Hash of the first 2^n pages that were sent, and that were received, u64 each, both lists alike. */
export const sentOrder: usize = memory.data(ORDER_HASHES * 8);
export const receivedOrder: usize = memory.data(ORDER_HASHES * 8);
let sentHash: u64 = 0;

/** Pages sent so far in this migration. */
export let sentInOrder: u64 = 0;

/** Another migration begins. */
export function restartOrder(): void {
  sentHash = 0;
  sentInOrder = 0;
}

function addOrder(list: usize, count: u64, value: u64): void {
  if (popcnt(count) == 1) store<u64>(list + (<usize>ctz(count) << 3), value);
}

export function setProfiling(on: bool): void {
  profiling = on;
}

/** A page {block, offset} into a running hash; the block by its name's first bytes. */
// @ts-ignore: decorator
@inline
export function hashPage(before: u64, name: u32, offset: u64): u64 {
  let text = stringPtr(name);
  let block = text ? load<u64>(text + 4) ^ load<u32>(text) : 0;
  return (before ^ offset ^ block) * 0x9e3779b97f4a7c15 + 1;
}

function addHash(): void {
  if (!hashes) hashes = reserve(MAX_HASHES * 8);
  if (!hashes || hashCount == MAX_HASHES) return;
  store<u64>(hashes + (hashCount++ << 3), hash);
}

function addZero(name: u32, page: u32, pages: u32): void {
  let before = <u32>(profileLoads + profilePlaced);
  if (zeroRunCount) {
    let last = zeroRuns + ((zeroRunCount - 1) << 4);
    if (
      load<u32>(last) == before &&
      load<u32>(last + 4) == name &&
      load<u32>(last + 8) + load<u32>(last + 12) == page
    ) {
      store<u32>(last + 12, load<u32>(last + 12) + pages);
      return;
    }
  }
  if (zeroRunCount == zeroRunCap) {
    let cap = zeroRunCap ? zeroRunCap << 1 : 1024;
    let bigger = cap > MAX_ZERO_RUNS ? <usize>0 : enlarge(zeroRuns, zeroRunCap << 4, cap << 4);
    if (!bigger) {
      zeroRunsFull = true;
      return;
    }
    zeroRuns = bigger;
    zeroRunCap = cap;
  }
  let at = zeroRuns + (zeroRunCount++ << 4);
  store<u32>(at, before);
  store<u32>(at + 4, name);
  store<u32>(at + 8, page);
  store<u32>(at + 12, pages);
}

/** Pages that post-copy placed. */
function addPlaced(): void {
  let zeros: u32 = 0;
  for (let i: u32 = 0; i < placedZeroRuns; ++i) {
    addZero(placedName, placedZeroPage(i), placedZeroPages(i));
    zeros += placedZeroPages(i);
  }
  profileZeros += zeros;
  profilePlaced += placedPages - zeros;
}

/** One event of the first look. True: the host wants to see it. */
export function profile(event: usize): bool {
  let kind = <u32>load<u8>(event + EVENT_KIND);
  if (kind == EventKind.QSave) {
    sentHash = hashPage(sentHash, <u32>slotOf(event, SaveSlot.rbname), slotOf(event, SaveSlot.offset));
    addOrder(sentOrder, ++sentInOrder, sentHash);
    return ++profileSaves <= 64;
  }
  if (kind == EventKind.QLoad) {
    let name = <u32>slotOf(event, LoadSlot.rbname);
    let offset = slotOf(event, LoadSlot.addr);
    noteBlock(event);
    if (slotOf(event, LoadSlot.flags) & FLAG_ZERO) {
      ++profileZeros;
      addZero(name, <u32>(offset >> PAGE_SHIFT), 1);
      return false;
    }
    ++profileLoads;
    hash = hashPage(hash, name, offset);
    addOrder(receivedOrder, profileLoads, hash);
    if (profileLoads % HASHED == 0) addHash();
    return false;
  }
  if (kind == EventKind.QPostcopyLoad) {
    onPostcopyLoad(event);
    return false;
  }
  if (kind == EventKind.QPlaced) {
    if (onPlaced(event)) addPlaced();
    return false;
  }
  if (kind == EventKind.QPop) return ++profilePops <= 64;
  if (kind == EventKind.Ioctl || kind == EventKind.IoctlRet || kind == EventKind.Gap) return true;
  if (kind == EventKind.Marker) return true;
  return kind >= <u32>EventKind.QStatus && kind != EventKind.QConfigWrite;
}
