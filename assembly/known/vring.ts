/** Where the rings of each device lie, as SET_VRING_ADDR says: before its queues are met, and after. */
import {
  QUEUE_DEV,
  QUEUE_INDEX,
  QUEUE_LOGADDR,
  QUEUE_NEXT,
} from "../abi";
import { QUEUE_EVENT, QUEUE_RING, QUEUE_RING_LOG } from "./fields";
import { reserve } from "../base/memory";
import { noteLogUsed } from "./log-state";
import { adoptLogBase, adoptLogEnd } from "./back-end";
import { firstQueue, ofDevice, queueOf, setFlag } from "./queue";

/** u64 vs, u32 index, u32 log flag, u64 log address, u64 descriptor ring, u64 device event area. */
const ENTRY: u32 = 40;
const MAX_VRINGS: u32 = 4096;
let table: usize = 0;
let entries: u32 = 0;

/** SET_VRING_ADDR of this queue; addresses are guest-physical, ~0 where they are not known. */
export function setVring(vs: u64, index: u32, log: bool, logAddress: u64, ring: u64, event: u64): void {
  if (!table) table = reserve(MAX_VRINGS * ENTRY);
  if (!table) return;
  if (log) noteLogUsed();
  let at = find(vs, index);
  if (!at) {
    if (entries == MAX_VRINGS) return;
    at = table + entries++ * ENTRY;
    store<u64>(at, vs);
    store<u32>(at + 8, index);
  }
  store<u32>(at + 12, log ? 1 : 0);
  store<u64>(at + 16, logAddress);
  store<u64>(at + 24, ring);
  store<u64>(at + 32, event);
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    if (load<u32>(q + QUEUE_INDEX) == index && ofDevice(q, vs)) take(q, at);
  }
}

function find(vs: u64, index: u32): usize {
  for (let i: u32 = 0; i < entries; ++i) {
    let at = table + i * ENTRY;
    if (load<u64>(at) == vs && load<u32>(at + 8) == index) return at;
  }
  return 0;
}

function take(q: usize, at: usize): void {
  store<u64>(q + QUEUE_LOGADDR, load<u64>(at + 16));
  store<u64>(q + QUEUE_RING, load<u64>(at + 24));
  store<u64>(q + QUEUE_EVENT, load<u64>(at + 32));
  setFlag(q, QUEUE_RING_LOG, load<u32>(at + 12) != 0);
}

/** A queue that is met after its device's SET_VRING_ADDR. */
export function adoptVring(q: usize): void {
  let dev = load<u64>(q + QUEUE_DEV);
  for (let i: u32 = 0; i < entries; ++i) {
    let at = table + i * ENTRY;
    if (load<u32>(at + 8) == load<u32>(q + QUEUE_INDEX) && dev - load<u64>(at) < 4096) take(q, at);
  }
}

/** SPDK: a queue whose session is one of this device. */
export function adoptQueue(vq: u64, vs: u64): void {
  let q = queueOf(vq);
  if (!q) return;
  store<u64>(q + QUEUE_DEV, vs);
  adoptVring(q);
  adoptLogEnd(q);
  adoptLogBase(q);
}
