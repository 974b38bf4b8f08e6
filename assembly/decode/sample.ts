/**
 * A sample of a recording's events by what they say and not by when, so that two recordings of the
 * same events choose the same ones, whatever their form, rounding and losses. Every event is taken
 * until the list is full; then half of what events can say no longer counts, and so on.
 */
import { EVENT_ADDR, EVENT_KIND, EVENT_LEN, EVENT_PID, EVENT_SLOT, EVENT_SLOTS, EVENT_TEXT, EVENT_TS, EVENT_VQ, EventKind, SAMPLES, SAMPLE_SIZE } from "../event-abi";
import { LoadSlot, MapSlot, SaveSlot } from "../qemu-abi";
import { slotOf } from "../base/event-slot";
import { reserve } from "../base/memory";
import { Stream } from "./stream";

/** Entries {u64 what it says, u64 time, u32 stream, u32 kind}. */
export let samples: usize = 0;
export let sampleCount: u32 = 0;
/** An event counts when these bits of what it says are zero. */
export let sampleMask: u64 = 0;

// @ts-ignore: decorator
@inline
function mix(hash: u64, word: u64): u64 {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

/** Bytes of a marker, without the end of its line, which not every form keeps. */
function textHash(event: usize): u64 {
  let at = <usize>load<u64>(event + EVENT_TEXT);
  let end = at + load<u32>(event + EVENT_LEN);
  while (end > at && load<u8>(end - 1) <= 32) --end;
  let hash: u64 = 0;
  for (; at < end; ++at) hash = mix(hash, load<u8>(at));
  return hash;
}

/** Arguments of QEMU's: addresses and, for pages, offsets. Numbers of strings differ between runs. */
function qemuHash(event: usize, kind: u32): u64 {
  let hash: u64 = 0;
  if (kind == EventKind.QSave) return mix(0, slotOf(event, SaveSlot.offset));
  if (kind == EventKind.QLoad) {
    return mix(mix(0, slotOf(event, LoadSlot.addr)), slotOf(event, LoadSlot.flags));
  }
  if (kind == EventKind.QMap) {
    return mix(mix(0, slotOf(event, MapSlot.addr)), slotOf(event, MapSlot.len));
  }
  for (let slot: u32 = 0; slot < <u32>EVENT_SLOTS; ++slot) {
    let word = slotOf(event, slot);
    if (word >> 32) hash = mix(hash, word);
  }
  return hash;
}

/** Events by kind, u32 each. */
export const kindCounts: usize = memory.data(128 * 4);

/** At most so many addresses of a kind are kept. */
const MET: u32 = 256;
/** Addresses of the virtqueues that were met first: no other kernel and no other process has them. */
export const metQueues: usize = memory.data(256 * 8);
export let metQueueCount: u32 = 0;
/** Host addresses of the guest's memory, as vhost was told them: no other process has them. */
export const metMemory: usize = memory.data(256 * 8);
export let metMemoryCount: u32 = 0;
let lastQueue: u64 = 0;

/** Adds an address to a list; returns how many it has. */
function meet(list: usize, count: u32, address: u64): u32 {
  if (!address || count == MET) return count;
  for (let i: u32 = 0; i < count; ++i) if (load<u64>(list + (i << 3)) == address) return count;
  store<u64>(list + (count << 3), address);
  return count + 1;
}

/** Considers one event of a stream. */
export function sample(event: usize, s: Stream): void {
  let kind = <u32>load<u8>(event + EVENT_KIND);
  if (kind == EventKind.Gap || kind == EventKind.Other) return;
  if (kind <= <u32>EventKind.Uflags || kind == EventKind.QPop) {
    let queue = load<u64>(event + EVENT_VQ);
    if (queue != lastQueue) metQueueCount = meet(metQueues, metQueueCount, queue);
    lastQueue = queue;
  } else if (kind == EventKind.Mem) {
    metMemoryCount = meet(metMemory, metMemoryCount, load<u64>(event + EVENT_ADDR));
  }
  if (kind < <u32>EventKind.Other) {
    let ts = load<u64>(event + EVENT_TS);
    if (!s.ownEvents || ts < s.ownFrom) s.ownFrom = ts;
    if (!s.ownEvents || ts > s.ownTo) s.ownTo = ts;
    s.ownEvents++;
  }
  let count = kindCounts + (<usize>(kind & 127) << 2);
  store<u32>(count, load<u32>(count) + 1);
  let hash = mix(0, kind);
  if (kind > <u32>EventKind.Other) hash = mix(hash, qemuHash(event, kind));
  else if (kind == EventKind.Marker) hash = mix(hash, textHash(event));
  else {
    hash = mix(hash, load<u32>(event + EVENT_PID));
    for (let at = event + EVENT_SLOT; at < event + EVENT_SLOT + (EVENT_SLOTS << 3); at += 8) {
      hash = mix(hash, load<u64>(at));
    }
  }
  // The low bits of a product are its weakest.
  hash ^= hash >> 32;
  if (hash & sampleMask) return;
  if (!samples) {
    samples = reserve(SAMPLES * SAMPLE_SIZE);
    if (!samples) return;
  }
  while (sampleCount == SAMPLES) thin();
  if (hash & sampleMask) return;
  let at = samples + <usize>sampleCount * SAMPLE_SIZE;
  ++sampleCount;
  store<u64>(at, hash);
  store<u64>(at + 8, load<u64>(event + EVENT_TS));
  store<u32>(at + 16, s.id);
  store<u32>(at + 20, kind);
}

/** Halves what counts. */
function thin(): void {
  sampleMask = (sampleMask << 1) | 1;
  let to = samples;
  let end = samples + <usize>sampleCount * SAMPLE_SIZE;
  for (let at = samples; at < end; at += SAMPLE_SIZE) {
    if (load<u64>(at) & sampleMask) continue;
    memory.copy(to, at, SAMPLE_SIZE);
    to += SAMPLE_SIZE;
  }
  sampleCount = <u32>((to - samples) / SAMPLE_SIZE);
}
