/** Where the rings of each device lie, as SET_VRING_ADDR says: before its queues are met, and after. */
import { NO_ADDRESS } from "../abi";
import { QUEUE_DEVICE, QUEUE_INDEX, QUEUE_LOGADDR, QUEUE_MACHINE } from "../queue-abi";
import { QUEUE_EVENT, QUEUE_RING, QUEUE_RING_LOG } from "./fields";
import { reserve } from "../base/memory";
import { Machine } from "./machine";
import { adoptLogBase } from "./back-end";
import { adoptLogEnd, firstOfDevice, linkQueue, nextOfDevice } from "./device";
import { setFlag } from "./queue";

/** u32 device, u32 index, u32 log flag, 4 bytes, u64 log address, u64 descriptor ring, u64 device event area. */
const ENTRY: u32 = 40;
const MAX_VRINGS: u32 = 4096;
let table: usize = 0;
let entries: u32 = 0;

/** SET_VRING_ADDR of this queue; addresses are guest-physical, ~0 where they are not known. */
export function setVring(device: u32, index: u32, log: bool, logAddress: u64, ring: u64, event: u64): void {
  if (!table) table = reserve(MAX_VRINGS * ENTRY);
  if (!table) return;
  let at = find(device, index);
  if (!at) {
    if (entries == MAX_VRINGS) return;
    at = table + entries++ * ENTRY;
    store<u32>(at, device);
    store<u32>(at, index, 4);
  }
  store<u32>(at, log ? 1 : 0, 8);
  store<u64>(at + 16, logAddress);
  store<u64>(at + 24, ring);
  store<u64>(at + 32, event);
  for (let q = firstOfDevice(device); q; q = nextOfDevice(q)) {
    if (load<u32>(q + QUEUE_INDEX) == index) take(q, at);
  }
}

function find(device: u32, index: u32): usize {
  for (let i: u32 = 0; i < entries; ++i) {
    let at = table + i * ENTRY;
    if (load<u32>(at) == device && load<u32>(at, 4) == index) return at;
  }
  return 0;
}

function take(q: usize, at: usize): void {
  store<u64>(q + QUEUE_LOGADDR, load<u64>(at + 16));
  store<u64>(q + QUEUE_RING, load<u64>(at + 24));
  store<u64>(q + QUEUE_EVENT, load<u64>(at + 32));
  let logged = load<u32>(at, 8) != 0;
  setFlag(q, QUEUE_RING_LOG, logged);
  if (logged) changetype<Machine>(load<u32>(q + QUEUE_MACHINE)).sawLogUsed = true;
}

/** A queue that is met after its device's SET_VRING_ADDR. */
export function adoptVring(q: usize): void {
  let device = load<u32>(q + QUEUE_DEVICE);
  let at = device ? find(device - 1, load<u32>(q + QUEUE_INDEX)) : 0;
  if (at) take(q, at);
}

/** What was said of a device holds for a queue that became one of it. */
export function adoptDevice(q: usize): void {
  if (load<u64>(q + QUEUE_RING) == NO_ADDRESS) adoptVring(q);
  adoptLogEnd(q);
}

/** SPDK: a queue whose session is one of this device. */
export function adoptQueue(q: usize, device: u32): void {
  linkQueue(q, device);
  adoptVring(q);
  adoptLogEnd(q);
  adoptLogBase(q);
}
