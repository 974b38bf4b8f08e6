/** What is known of each virtqueue, and the requests in flight on it. Fields: abi.ts, QUEUE_*. */
import { NO_ADDRESS } from "../abi";
import { EVENT_AVAIL, EVENT_FEAT, EVENT_NUM } from "../event-abi";
import { DESC_SIZE, MAX_HEADS, MAX_QUEUES, QUEUE_AVAIL, QUEUE_AVAIL_POPPED, QUEUE_BAD_RING, QUEUE_FLAGS, QUEUE_HEADS, QUEUE_HEADS_CAP, QUEUE_ID, QUEUE_INDEX, QUEUE_IN_FLIGHT, QUEUE_LOGADDR, QUEUE_LOST_COMPLETIONS, QUEUE_LOST_POPS, QUEUE_MACHINE, QUEUE_NEXT, QUEUE_NEXT_USED, QUEUE_POPPED, QUEUE_SIZE, QUEUE_UNKNOWN_HEAD, QUEUE_VQ, REQUEST_DESCS, REQUEST_DESC_CAP, REQUEST_SIZE } from "../queue-abi";
import { QUEUE_EVENT, QUEUE_RING, QUEUE_SLOT } from "./fields";
import { F_RING_PACKED } from "./fields";
import { enlarge, give, reserve } from "../base/memory";
import { enterMachine, machine } from "./machine";

const SLOTS: u32 = 32768;
let table: usize = 0;
export let firstQueue: usize = 0;
let lastQueue: usize = 0;
export let queueCount: u32 = 0;
/** Queues beyond MAX_QUEUES: their events are not replayed. */
export let queuesRefused: u64 = 0;
/** Queues by their number. */
let byId: usize = 0;
/** One-entry cache: events of one drain follow each other. */
let cachedVq: u64 = 0;
let cached: usize = 0;
/** There was no room for one. */
let full: bool = false;

/**
 * The queue at this kernel address, whose machine is the one that is replayed from here on. 0: it is
 * not known, as there are too many.
 */
// @ts-ignore: decorator
@inline
export function queueOf(vq: u64): usize {
  let q = knownQueue(vq);
  if (q) enterMachine(load<u32>(q + QUEUE_MACHINE));
  else ++queuesRefused;
  return q;
}

/** The queue at this kernel address, 0 when it was not met. */
// @ts-ignore: decorator
@inline
export function knownQueue(vq: u64): usize {
  return vq == cachedVq && cached ? cached : findQueue(vq);
}

/** Largest size of a virtqueue, virtio 1.3, 2.7 and 2.8.10.1. */
const MAX_RING: u32 = 32768;

/** Whether a split virtqueue can have this size; 0 is that of one which is not set up. */
export function isRingSize(num: u32): bool {
  return num <= MAX_RING && (num & (num - 1)) == 0;
}

/**
 * The size of the ring that an event tells; 0, counted, where no virtqueue has it. What is written to a
 * ring is bounded by it, and so is the work that one event can ask for.
 */
export function ringSize(q: usize, event: usize): u32 {
  let num = load<u32>(event + EVENT_NUM);
  if (isRingSize(num)) return num;
  // That of a packed one need be no power of two.
  if (num <= MAX_RING && (load<u64>(event + EVENT_FEAT) & F_RING_PACKED) != 0) return num;
  store<u32>(q + QUEUE_BAD_RING, load<u32>(q + QUEUE_BAD_RING) + 1);
  return 0;
}

/** The slot of a kernel address: that of its queue, or the free one where it belongs. */
function slotOf(vq: u64): usize {
  let slot = <u32>((vq * 0x9e3779b97f4a7c15) >> 49);
  while (true) {
    let at = table + (slot << 2);
    let q = <usize>load<u32>(at);
    if (!q || load<u64>(q + QUEUE_VQ) == vq) return at;
    slot = (slot + 1) & (SLOTS - 1);
  }
}

function findQueue(vq: u64): usize {
  let q = table ? <usize>load<u32>(slotOf(vq)) : 0;
  if (!q) return 0;
  cachedVq = vq;
  cached = q;
  return q;
}

/** A queue found no room: its event is not replayed. */
export function noRoom(): void {
  ++queuesRefused;
}

/** Whether there is room for a queue that was not met. */
export function roomForQueue(): bool {
  return queueCount < <u32>MAX_QUEUES && !full;
}

/** A queue that was not met, of this machine. 0: too many, or no memory. */
export function addQueue(vq: u64, machine: usize): usize {
  if (!table) {
    table = reserve(SLOTS * 4);
    byId = reserve(MAX_QUEUES * 4);
  }
  let q = table && byId && roomForQueue() ? reserve(QUEUE_SIZE) : 0;
  if (!q) {
    full = true;
    return 0;
  }
  store<u64>(q + QUEUE_VQ, vq);
  store<i32>(q + QUEUE_INDEX, -1);
  store<i32>(q + QUEUE_NEXT_USED, -1);
  store<i32>(q + QUEUE_AVAIL, -1);
  store<u64>(q + QUEUE_LOGADDR, NO_ADDRESS);
  store<u64>(q + QUEUE_RING, NO_ADDRESS);
  store<u64>(q + QUEUE_EVENT, NO_ADDRESS);
  store<i32>(q + QUEUE_SLOT, -1);
  store<u32>(q + QUEUE_MACHINE, <u32>machine);
  store<u32>(byId + (queueCount << 2), <u32>q);
  store<u32>(q + QUEUE_ID, queueCount++);
  if (lastQueue) store<u32>(lastQueue + QUEUE_NEXT, <u32>q);
  else firstQueue = q;
  lastQueue = q;
  store<u32>(slotOf(vq), <u32>q);
  return q;
}

/** Top byte of the key of a queue whose address is another one's now; kernel addresses have 0xff. */
const RETIRED: u64 = 0xfe << 56;

/**
 * The memory of this queue was given back to the kernel, and its address may be that of another one: what
 * was replayed stays, and it is not found by its address any more.
 */
export function retireQueue(q: usize): void {
  store<u64>(q + QUEUE_VQ, (load<u64>(q + QUEUE_VQ) & 0x00ffffffffffffff) | RETIRED);
  if (cached == q) cached = 0;
}

/** The queue with this number, which `queueOf` gave it. */
export function queueById(id: u32): usize {
  return load<u32>(byId + (id << 2));
}

/** A completion with a head that is not in flight. */
export function countUnknownHead(q: usize): void {
  addCount(q + QUEUE_UNKNOWN_HEAD, 1);
  ++machine.unknownHeads;
}

/**
 * An event tells last_avail_idx: it has grown by the chains that were popped since it was told last. One
 * that is lower was set anew.
 */
export function noteAvail(q: usize, event: usize): void {
  let avail = <u32>load<u16>(event + EVENT_AVAIL);
  let popped = <u32>load<u64>(q + QUEUE_POPPED);
  let before = load<i32>(q + QUEUE_AVAIL);
  if (before >= 0) {
    let more = (avail - <u32>before - (popped - load<u32>(q + QUEUE_AVAIL_POPPED))) & 0xffff;
    if (more < 0x8000) store<u32>(q + QUEUE_LOST_POPS, load<u32>(q + QUEUE_LOST_POPS) + more);
  }
  store<i32>(q + QUEUE_AVAIL, <i32>avail);
  store<u32>(q + QUEUE_AVAIL_POPPED, popped);
}

/** Completions whose events are lost. */
export function countLostCompletions(q: usize, n: u32): void {
  addCount(q + QUEUE_LOST_COMPLETIONS, n);
  machine.lostCompletions += n;
}

/** The request in flight with this head, 0 when there is none. */
// @ts-ignore: decorator
@inline
export function inFlight(q: usize, head: u32): usize {
  if (head >= load<u32>(q + QUEUE_HEADS_CAP)) return 0;
  return load<u32>(<usize>load<u32>(q + QUEUE_HEADS) + (head << 2));
}

/** Puts a request (or 0) at a head. False: no such head, or out of memory. */
export function setInFlight(q: usize, head: u32, request: usize): bool {
  if (head >= <u32>MAX_HEADS) return false;
  let cap = load<u32>(q + QUEUE_HEADS_CAP);
  let heads = <usize>load<u32>(q + QUEUE_HEADS);
  if (head >= cap) {
    let wanted = max<u32>(256, cap);
    while (wanted <= head) wanted <<= 1;
    heads = enlarge(heads, cap << 2, wanted << 2);
    if (!heads) return false;
    store<u32>(q + QUEUE_HEADS, <u32>heads);
    store<u32>(q + QUEUE_HEADS_CAP, wanted);
  }
  let at = heads + (head << 2);
  let had = load<u32>(at) != 0;
  store<u32>(at, <u32>request);
  let count = load<u32>(q + QUEUE_IN_FLIGHT);
  if (request && !had) store<u32>(q + QUEUE_IN_FLIGHT, count + 1);
  if (!request && had) store<u32>(q + QUEUE_IN_FLIGHT, count - 1);
  return true;
}

/** Gives a request and its descriptors back. */
export function freeRequest(request: usize): void {
  give(load<u32>(request + REQUEST_DESCS), load<u32>(request + REQUEST_DESC_CAP) * DESC_SIZE);
  give(request, REQUEST_SIZE);
}

// @ts-ignore: decorator
@inline
export function setFlag(q: usize, flag: u32, on: bool): void {
  let flags = load<u32>(q + QUEUE_FLAGS);
  store<u32>(q + QUEUE_FLAGS, on ? flags | flag : flags & ~flag);
}

// @ts-ignore: decorator
@inline
export function hasFlag(q: usize, flag: u32): bool {
  return (load<u32>(q + QUEUE_FLAGS) & flag) != 0;
}

// @ts-ignore: decorator
@inline
export function addCount(at: usize, n: u64): void {
  store<u64>(at, load<u64>(at) + n);
}
