/**
 * What each thread is doing: the descriptors it translated since its last pop, and the queue it
 * drains. Only a thread that translated descriptors or drained a queue has an entry.
 */
import { DESC_SIZE, MAX_CHAIN } from "../queue-abi";
import { enlarge, reserve } from "../base/memory";

@unmanaged
export class Thread {
  pid: i32;
  used: u32;
  /** Queue of the pending descriptors, and of the last drain. */
  vq: u64;
  drained: u64;
  descs: usize;
  count: u32;
  cap: u32;
  /** vhost-net: chains popped in this run and not yet used for a packet: {u64 serial, u32 head}. */
  held: usize;
  heldCount: u32;
  heldCap: u32;
  /** A packet is being received: its length, and whether no chain is held for it. */
  receiving: u32;
  overrun: u32;
  rxLen: u64;
  /** First byte of the chains that were given back last. */
  backGpa: u64;
  /** Queue and head of the chain popped last, until a cdb event names it; 0: none. */
  poppedVq: u64;
  poppedHead: u32;
  /** A thread of QEMU: key of the element it popped last, 0 once that is named; what answers next. */
  element: u64;
  answer: u32;
  answerTag: u32;
  /** First descriptor that lies outside of the queue's own iov, i.e. an indirect table, plus 1; 0: none. */
  table: u32;
  /** A later descriptor does so, too; some descriptor lies inside. */
  lateTable: u32;
  inside: u32;
  /** A user-space back end looks up a chain of this queue; 0: it does not. */
  chainVq: u64;
  chainHead: i32;
  chainStream: u32;
  chainTs: u64;
  chainPlace: u64;
  /** SPDK: the queue and head that were just returned: vhost_log_req_desc() looks the chain up again. */
  usedVq: u64;
  usedHead: i32;
}

export const HELD_SIZE: u32 = 16;
/** vhost-net collects at most 1024 chains for a packet, and 64 more in a batch. */
const MAX_HELD: u32 = 4096;

const SLOTS: u32 = 16384;
let table: usize = 0;
let known: u32 = 0;
let last: usize = 0;
/** Descriptors whose pop was never seen: another queue's descriptors, or too many. */
export let orphanDescs: u64 = 0;
/** Descriptors that a pop does not take are counted. */
export function orphan(count: u32): void {
  orphanDescs += count;
}

/** Threads that found no room. */
export let threadsRefused: u64 = 0;

// @ts-ignore: decorator
@inline
function slotOf(pid: i32): usize {
  return table + (((<u32>pid * 0x9e3779b1) >> 18) * <u32>offsetof<Thread>());
}

/** The entry of a thread; a new one when `make`. 0: none. Events of one thread follow each other. */
// @ts-ignore: decorator
@inline
export function threadOf(pid: i32, make: bool): usize {
  return last && changetype<Thread>(last).pid == pid ? last : findThread(pid, make);
}

function findThread(pid: i32, make: bool): usize {
  if (!table) {
    table = reserve(SLOTS * offsetof<Thread>());
    if (!table) return 0;
  }
  let at = slotOf(pid);
  let end = table + SLOTS * offsetof<Thread>();
  while (changetype<Thread>(at).used) {
    if (changetype<Thread>(at).pid == pid) {
      last = at;
      return at;
    }
    at += offsetof<Thread>();
    if (at == end) at = table;
  }
  if (!make) return 0;
  if (known >= (SLOTS * 3) / 4) {
    ++threadsRefused;
    return 0;
  }
  ++known;
  let thread = changetype<Thread>(at);
  thread.pid = pid;
  thread.used = 1;
  last = at;
  return at;
}

/** Notes a popped chain as held by this thread. */
export function hold(thread: Thread, serial: u64, head: u32): void {
  if (thread.heldCount == thread.heldCap) {
    if (thread.heldCap >= MAX_HELD) return;
    let cap = thread.heldCap ? thread.heldCap << 1 : 64;
    let bigger = enlarge(thread.held, thread.heldCap * HELD_SIZE, cap * HELD_SIZE);
    if (!bigger) return;
    thread.held = bigger;
    thread.heldCap = cap;
  }
  let at = thread.held + thread.heldCount++ * HELD_SIZE;
  store<u64>(at, serial);
  store<u32>(at + 8, head);
}

/** Adds a descriptor to what the thread has pending. */
// @ts-ignore: decorator
@inline
export function addDesc(thread: Thread, vq: u64, gpa: u64, len: u32, acc: u32): void {
  if (thread.vq != vq) {
    orphanDescs += thread.count;
    thread.count = 0;
    thread.vq = vq;
  }
  if (thread.count == thread.cap) {
    if (thread.cap == MAX_CHAIN) {
      ++orphanDescs;
      return;
    }
    let cap = thread.cap ? thread.cap << 1 : 16;
    let bigger = enlarge(thread.descs, thread.cap * DESC_SIZE, cap * DESC_SIZE);
    if (!bigger) {
      ++orphanDescs;
      return;
    }
    thread.descs = bigger;
    thread.cap = cap;
  }
  let at = thread.descs + thread.count++ * DESC_SIZE;
  store<u64>(at, gpa);
  store<u32>(at + 8, len);
  store<u32>(at + 12, acc);
}

/** Slots of the table of threads; the entry of a slot, 0 when it is free. */
export const THREAD_SLOTS: u32 = SLOTS;
export function threadAt(slot: u32): usize {
  if (!table) return 0;
  let at = table + slot * offsetof<Thread>();
  return changetype<Thread>(at).used ? at : 0;
}
