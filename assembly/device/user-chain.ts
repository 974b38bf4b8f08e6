/**
 * Chains as uprobes in a running back end show them. SPDK: vhost_vq_get_desc() and the descriptors
 * that the same thread hands to vhost_vring_desc_to_iov() behind it. libvhost-user: the addresses that
 * vu_queue_pop() looks up between its entry and its return; the last ones are the chain's, readable
 * ones first.
 */
import { EVENT_ACC, EVENT_LOGBASE, EVENT_Q1, EVENT_A0, EVENT_DEV, EVENT_FEAT, EVENT_GPA, EVENT_HEAD, EVENT_IDX, EVENT_LEN, EVENT_LOGADDR, EVENT_LOGUSED, EVENT_N, EVENT_NUM, EVENT_PID, EVENT_PLACE, EVENT_Q0, EVENT_TS, EVENT_UFLAGS, EVENT_VQ } from "../event-abi";
import { QUEUE_LOGBASE, QUEUE_LOGBASE_KNOWN, DESC_ACC, DESC_GPA, DESC_LEN, DESC_SIZE, Driver, QUEUE_CAPTURE_ON, QUEUE_DEV, QUEUE_DRAINED, QUEUE_DRIVER, QUEUE_FEAT, QUEUE_FEAT_KNOWN, QUEUE_INDEX, QUEUE_LOGADDR, QUEUE_NEXT_USED, QUEUE_NUM, QUEUE_POPPED, QUEUE_Q0, REQUEST_CAPTURED, REQUEST_DESCS, REQUEST_DESC_CAP, REQUEST_DESC_COUNT, REQUEST_FLAGS, REQUEST_POP_PLACE, REQUEST_POP_STREAM, REQUEST_POP_TS } from "../queue-abi";
import { QUEUE_LOG_END, QUEUE_LOG_TOLD, QUEUE_RING_LOG, REQUEST_AGAIN } from "../known/fields";
import { capacityOf, takeDirty } from "../base/memory";
import { LOG_ALL, learn, noteLogAll } from "../known/log-state";
import { addCount, freeRequest, hasFlag, inFlight, queueOf, ringSize, setFlag, setInFlight } from "../known/queue";
import { atStream } from "../known/moment";
import { addDesc, orphan, Thread, THREAD_SLOTS, threadAt, threadOf } from "../known/thread";
import { popped } from "./request";
import { onUsed } from "./used";
import { noMemory } from "./write";

/** VRING_DESC_F_WRITE. */
const DESC_F_WRITE: u32 = 2;

/**
 * Features of the device as its back end has them now; for other vhosts LOG_ALL at the pop counts.
 * True: LOG_ALL is not as it was, which the host has to know where no message tells it.
 */
function noteFeatures(q: usize, event: usize): bool {
  let feat = load<u64>(event + EVENT_FEAT);
  let changed = ((load<u64>(q + QUEUE_FEAT) ^ feat) & LOG_ALL) != 0;
  store<u64>(q + QUEUE_FEAT, feat);
  setFlag(q, QUEUE_FEAT_KNOWN | QUEUE_DRAINED, true);
  setFlag(q, QUEUE_CAPTURE_ON, (feat & LOG_ALL) != 0);
  if (feat & LOG_ALL) noteLogAll();
  return changed;
}

/** A request of the descriptors that the thread has pending, from number `from` on. */
function open(thread: Thread, q: usize, head: i32, from: u32): void {
  let n = thread.count - from;
  let old = inFlight(q, head);
  if (old) {
    store<u32>(old + REQUEST_AGAIN, load<u32>(old + REQUEST_AGAIN) + 1);
    return;
  }
  let request = popped(q, head);
  if (!request) return;
  store<u64>(request + REQUEST_POP_TS, thread.chainTs);
  store<u64>(request + REQUEST_POP_PLACE, thread.chainPlace);
  store<u16>(request + REQUEST_POP_STREAM, <u16>thread.chainStream);
  if (hasFlag(q, QUEUE_CAPTURE_ON)) store<u32>(request + REQUEST_FLAGS, REQUEST_CAPTURED);
  if (n) {
    let bytes = n * DESC_SIZE;
    let descs = takeDirty(bytes);
    if (!descs) {
      noMemory();
      freeRequest(request);
      return;
    }
    memory.copy(descs, thread.descs + from * DESC_SIZE, bytes);
    store<u32>(request + REQUEST_DESCS, <u32>descs);
    store<u32>(request + REQUEST_DESC_COUNT, n);
    store<u32>(request + REQUEST_DESC_CAP, capacityOf(bytes) / DESC_SIZE);
  }
  if (!setInFlight(q, head, request)) {
    // No ring has such a head: nothing is in flight for it.
    freeRequest(request);
    return;
  }
  addCount(q + QUEUE_POPPED, 1);
}

function begin(thread: Thread, event: usize, head: i32): void {
  orphan(thread.count);
  thread.count = 0;
  thread.vq = load<u64>(event + EVENT_VQ);
  thread.chainVq = thread.vq;
  thread.chainHead = head;
  thread.chainStream = atStream;
  thread.chainTs = load<u64>(event + EVENT_TS);
  thread.chainPlace = load<u64>(event + EVENT_PLACE);
}

/** The next event of an SPDK thread ends its chain. */
function endChain(thread: Thread): void {
  if (!thread.chainVq) return;
  let q = queueOf(thread.chainVq);
  thread.chainVq = 0;
  if (!q) return;
  // The look-up for the log has no descriptors behind it.
  let again = thread.usedVq == thread.vq && thread.usedHead == thread.chainHead && !thread.count;
  if (!again) open(thread, q, thread.chainHead, 0);
  thread.count = 0;
}

/** A queue of SPDK's session: true when it is met for the first time, so that the host links it. */
function meet(q: usize, event: usize): bool {
  let fresh = load<u32>(q + QUEUE_DRIVER) == Driver.Unknown;
  if (fresh) {
    store<u32>(q + QUEUE_DRIVER, Driver.VhostUser);
    store<u64>(q + QUEUE_DEV, load<u64>(event + EVENT_DEV));
    store<i32>(q + QUEUE_INDEX, load<i32>(event + EVENT_N));
    store<i32>(q + QUEUE_NEXT_USED, load<u16>(event + EVENT_IDX));
  }
  store<u32>(q + QUEUE_NUM, ringSize(q, event));
  return fresh;
}

/** vhost_vq_get_desc(). True: a queue that the host has to link with the messages of its device. */
export function onSpdkGet(event: usize): bool {
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!at || !q) return false;
  let thread = changetype<Thread>(at);
  endChain(thread);
  noteFeatures(q, event);
  begin(thread, event, load<i32>(event + EVENT_HEAD));
  return meet(q, event);
}

/** vhost_vring_desc_to_iov(). */
export function onSpdkDesc(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  let thread = changetype<Thread>(at);
  if (!at || !thread.chainVq) {
    orphan(1);
    return;
  }
  let acc: u32 = load<u16>(event + EVENT_UFLAGS) & DESC_F_WRITE ? 2 : 1;
  addDesc(thread, thread.chainVq, load<u64>(event + EVENT_GPA), load<u32>(event + EVENT_LEN), acc);
}

/** vhost_vq_used_ring_enqueue(). True as onSpdkGet(). */
export function onSpdkUsed(event: usize): bool {
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return false;
  if (at) endChain(changetype<Thread>(at));
  let fresh = meet(q, event);
  // The host links it first; then this event comes again.
  if (fresh) return true;
  spdkUsed(event, q);
  if (at) {
    changetype<Thread>(at).usedVq = load<u64>(event + EVENT_VQ);
    changetype<Thread>(at).usedHead = load<i32>(event + EVENT_HEAD);
  }
  return false;
}

/** What the messages said of the ring belongs to the completion as the kernel's events have it. */
function spdkUsed(event: usize, q: usize): void {
  store<u64>(event + EVENT_LOGADDR, load<u64>(q + QUEUE_LOGADDR));
  store<u8>(event + EVENT_LOGUSED, hasFlag(q, QUEUE_RING_LOG) ? 1 : 0);
  store<u32>(event + EVENT_N, 1);
  noteFeatures(q, event);
  onUsed(event);
}

/** vu_queue_pop(), entry. True: LOG_ALL went on or off. */
export function onVuPopEntry(event: usize): bool {
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  let q = vuQueue(event);
  if (!at || !q) return false;
  begin(changetype<Thread>(at), event, -1);
  let changed = noteFeatures(q, event);
  learn(q, event, true);
  return changed;
}

function vuQueue(event: usize): usize {
  let vq = load<u64>(event + EVENT_VQ);
  let q = queueOf(vq);
  if (!q) return 0;
  if (load<u32>(q + QUEUE_DRIVER) == Driver.Unknown) {
    store<u32>(q + QUEUE_DRIVER, Driver.VhostUser);
    store<u64>(q + QUEUE_DEV, load<u64>(event + EVENT_DEV));
    store<i32>(q + QUEUE_NEXT_USED, load<u16>(event + EVENT_IDX));
  }
  let q0 = load<u64>(event + EVENT_Q0);
  if (q0) {
    store<u64>(q + QUEUE_Q0, q0);
    if (q0 == vq) store<i32>(q + QUEUE_INDEX, 0);
  }
  if (load<u32>(event + EVENT_NUM)) store<u32>(q + QUEUE_NUM, ringSize(q, event));
  if (load<u8>(event + EVENT_ACC)) {
    store<u64>(q + QUEUE_LOGBASE, load<u64>(event + EVENT_LOGBASE));
    setFlag(q, QUEUE_LOGBASE_KNOWN | QUEUE_LOG_TOLD, true);
    store<u32>(q + QUEUE_LOG_END, <u32>min<u64>(load<u64>(event + EVENT_Q1) << 3, 0xffffffff));
  }
  store<u8>(event + EVENT_LOGUSED, <u8>(load<u16>(event + EVENT_UFLAGS) & 1));
  return q;
}

/**
 * vu_gpa_to_va(): one address of the chain that is being popped. A descriptor that crosses regions is
 * looked up again for its rest, with what is left of its length.
 */
export function onVuAddress(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  if (!at) return;
  let thread = changetype<Thread>(at);
  // Others look addresses up, too: the log of a table at the completion.
  if (!thread.chainVq) return;
  addDesc(thread, thread.chainVq, load<u64>(event + EVENT_GPA), load<u32>(event + EVENT_LEN), 0);
}

/** vu_queue_pop(), return. */
export function onVuPop(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  if (!at) return;
  let thread = changetype<Thread>(at);
  let vq = thread.chainVq;
  thread.chainVq = 0;
  let q = vq ? queueOf(vq) : 0;
  let out = load<u32>(event + EVENT_N);
  let both = <u64>out + <u64>load<u32>(event + EVENT_LEN);
  if (q && load<u64>(event + EVENT_A0) && both <= <u64>thread.count) {
    let from = thread.count - <u32>both;
    for (let i: u32 = 0; i < <u32>both; ++i) {
      store<u32>(thread.descs + (from + i) * DESC_SIZE + DESC_ACC, i < out ? 1 : 2);
    }
    joinPieces(thread, from);
    open(thread, q, load<i32>(event + EVENT_HEAD), from);
  } else if (q && load<u64>(event + EVENT_A0)) {
    // Addresses of this chain are missing: events are lost.
    orphan(thread.count);
  }
  thread.count = 0;
}

/** Pieces of one descriptor become it again: the second ends where the first does. */
function joinPieces(thread: Thread, from: u32): void {
  let to = from;
  for (let i = from + 1; i < thread.count; ++i) {
    let before = thread.descs + to * DESC_SIZE;
    let at = thread.descs + i * DESC_SIZE;
    let gpa = load<u64>(at + DESC_GPA);
    let start = load<u64>(before + DESC_GPA);
    let same =
      gpa > start &&
      gpa + load<u32>(at + DESC_LEN) == start + load<u32>(before + DESC_LEN) &&
      load<u32>(at + DESC_ACC) == load<u32>(before + DESC_ACC);
    if (!same) v128.store(thread.descs + ++to * DESC_SIZE, v128.load(at));
  }
  if (thread.count > from) thread.count = to + 1;
}

/** vu_queue_fill(). True as onVuPopEntry(). */
export function onVuFill(event: usize): bool {
  let q = vuQueue(event);
  if (!q) return false;
  if (!load<u32>(event + EVENT_NUM)) store<u32>(event + EVENT_NUM, load<u32>(q + QUEUE_NUM));
  store<u32>(event + EVENT_N, 1);
  let changed = noteFeatures(q, event);
  onUsed(event);
  return changed;
}

/** The recording is at its end: SPDK's chains that were looked up last are in flight. */
export function endChains(): void {
  for (let i: u32 = 0; i < THREAD_SLOTS; ++i) {
    let at = threadAt(i);
    if (at && changetype<Thread>(at).chainHead >= 0) endChain(changetype<Thread>(at));
  }
}
