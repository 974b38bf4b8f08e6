/**
 * vhost-net: handle_rx() collects chains, receives a packet into them, logs its bytes and publishes
 * used elements in batches. Everything of a packet happens in one thread under the mutex of the
 * RX queue, so nothing is in flight. drivers/vhost/net.c; rules: docs/model.md.
 */
import { NO_ADDRESS } from "../abi";
import { EVENT_FEAT, EVENT_LEN, EVENT_LOGADDR, EVENT_LOGUSED, EVENT_N, EVENT_NH0, EVENT_NH1, EVENT_NHEADS, EVENT_PID, EVENT_RET, EVENT_VQ } from "../event-abi";
import { Cause } from "../page-abi";
import { DESC_ACC, DESC_GPA, DESC_LEN, DESC_SIZE, Driver, QUEUE_CAPTURE_ON, QUEUE_COMPLETED, QUEUE_DRIVER, QUEUE_FEAT, QUEUE_FIFO, QUEUE_FIFO_COUNT, QUEUE_FIFO_HEAD, QUEUE_NEXT_USED, QUEUE_POPPED, QUEUE_UNPLACED, QUEUE_WRITE_DESCS, REQUEST_CAUSE, REQUEST_DESCS, REQUEST_DESC_COUNT, REQUEST_SERIAL, REQUEST_USED_IDX, RequestState } from "../queue-abi";
import { learnDriver } from "../known/device";
import { QUEUE_UNPUBLISHED } from "../known/fields";
import { noBase, ringCause, ringState } from "../known/log-state";
import { take } from "../base/memory";
import { addCount, freeRequest, hasFlag, inFlight, queueOf, setInFlight } from "../known/queue";
import { ringSlots } from "./used-ring";
import { HELD_SIZE, Thread, threadOf } from "../known/thread";
import { countWritten, usedNow } from "./request";
import { finish, reached, write, writePrefix } from "./write";

const NET_F_MRG_RXBUF: u64 = 1 << 15;
/** VHOST_NET_F_VIRTIO_NET_HDR: vhost writes the header itself. */
const NET_F_VIRTIO_NET_HDR: u64 = 1 << 27;
const F_VERSION_1: u64 = 1 << 32;
/** VIRTIO_F_IN_ORDER, offered by vhost-net from 7.2 on. */
export const F_IN_ORDER: u64 = 1 << 35;

/** Packets whose used elements are not published; 64 and those of one more packet at most. */
const FIFO: u32 = 4096;

/** Which of {Logged, NoBase, Off} the bytes of a packet are, by the last drain of the queue. */
function rxState(q: usize): u32 {
  return hasFlag(q, QUEUE_CAPTURE_ON) ? (noBase(q) ? 1 : 0) : 2;
}

/** The request that a thread holds at position `i`, 0 when it is gone. */
function heldRequest(thread: Thread, q: usize, i: u32): usize {
  let at = thread.held + i * HELD_SIZE;
  let request = inFlight(q, load<u32>(at + 8));
  return request && load<u64>(request + REQUEST_SERIAL) == load<u64>(at) ? request : 0;
}

/** The RX queue that a thread works on, 0 when it works on none. */
function rxQueue(thread: Thread): usize {
  let vq = thread.drained ? thread.drained : thread.vq;
  return vq ? queueOf(vq) : 0;
}

/** vhost_discard_vq_desc(): the last `n` chains go back to the ring, unused. */
export function onGiveback(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  if (!at) return;
  let thread = changetype<Thread>(at);
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return;
  let n = load<u32>(event + EVENT_N);
  while (n && thread.heldCount) {
    let i = --thread.heldCount;
    --n;
    let request = heldRequest(thread, q, i);
    if (!request) continue;
    let desc = <usize>load<u32>(request + REQUEST_DESCS);
    let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
    thread.backGpa = NO_ADDRESS;
    for (; desc < end; desc += DESC_SIZE) {
      if (load<u32>(desc + DESC_ACC) != 2 || !load<u32>(desc + DESC_LEN)) continue;
      thread.backGpa = load<u64>(desc + DESC_GPA);
      break;
    }
    setInFlight(q, load<u32>(thread.held + i * HELD_SIZE + 8), 0);
    addCount(q + QUEUE_POPPED, ~(<u64>0));
    freeRequest(request);
  }
}

/** tun_recvmsg() and its like: a packet goes into the held chains; into none: an overrun. */
export function onRx(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  // Others receive packets too: only a thread that drains a queue is vhost-net's.
  if (!at) return;
  let thread = changetype<Thread>(at);
  let q = rxQueue(thread);
  if (!q) return;
  if (load<u32>(q + QUEUE_DRIVER) != Driver.Net) learnDriver(q, Driver.Net);
  thread.receiving = 1;
  thread.rxLen = load<u32>(event + EVENT_LEN);
  thread.overrun = thread.heldCount ? 0 : 1;
}

/** Its return: as many bytes as announced are written and logged; otherwise the chains go back. */
export function onRxRet(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  if (!at) return;
  let thread = changetype<Thread>(at);
  if (!thread.receiving) return;
  thread.receiving = 0;
  let q = rxQueue(thread);
  if (!q) return;
  let ret = load<i64>(event + EVENT_RET);
  if (thread.overrun) {
    // get_rx_bufs() found no room: one byte is received into the first byte given back.
    if (ret > 0 && thread.backGpa != NO_ADDRESS) {
      let cause = hasFlag(q, QUEUE_CAPTURE_ON) ? Cause.StrayLogged : Cause.StrayOff;
      write(cause, thread.backGpa, 1, q, 0);
    }
    return;
  }
  if (ret < 0 || <u64>ret != thread.rxLen) return;
  let feat = load<u64>(q + QUEUE_FEAT);
  let header: u64 = 0;
  if (feat & NET_F_VIRTIO_NET_HDR) header = feat & (NET_F_MRG_RXBUF | F_VERSION_1) ? 12 : 10;
  let rest = thread.rxLen + header;
  for (let i: u32 = 0; i < thread.heldCount; ++i) {
    let request = heldRequest(thread, q, i);
    if (!request) continue;
    let left = fillChain(q, request, rest, Cause.RxLogged);
    setInFlight(q, load<u32>(thread.held + i * HELD_SIZE + 8), 0);
    complete(q, request, <u32>(rest - left), nextIndex(q));
    rest = left;
  }
  pushFifo(q, thread.heldCount);
  thread.heldCount = 0;
}

/** The first `rest` bytes of a chain's write descriptors; returns what is left for the next chain. */
export function fillChain(q: usize, request: usize, rest: u64, firstCause: u32): u64 {
  let cause = firstCause + rxState(q);
  store<u32>(request + REQUEST_CAUSE, cause);
  let left = writePrefix(cause, rest, q, request);
  addCount(q + QUEUE_WRITE_DESCS, reached);
  countWritten(q, request, rest - left);
  return left;
}

/**
 * A chain is done: `length` and `idx` of its used element, which may come with a later event; `idx` -1
 * where it is not known.
 */
export function complete(q: usize, request: usize, length: u32, idx: i32): void {
  usedNow(request, length);
  store<i32>(request + REQUEST_USED_IDX, idx);
  addCount(q + QUEUE_COMPLETED, 1);
  finish(request, RequestState.Completed);
}

/**
 * Used index of the next chain: behind those that are filled and not published, which handle_rx()
 * counts in done_idx. -1: not known.
 */
function nextIndex(q: usize): i32 {
  let published = load<i32>(q + QUEUE_NEXT_USED);
  let waiting = load<u32>(q + QUEUE_UNPUBLISHED);
  store<u32>(q + QUEUE_UNPUBLISHED, waiting + 1);
  return published < 0 ? -1 : <i32>((<u32>published + waiting) & 0xffff);
}

/** A used event: vhost_net_signal_used() publishes all that wait. */
export function published(q: usize): void {
  store<u32>(q + QUEUE_UNPUBLISHED, 0);
}

function pushFifo(q: usize, chains: u32): void {
  let fifo = <usize>load<u32>(q + QUEUE_FIFO);
  if (!fifo) {
    fifo = take(FIFO * 2);
    if (!fifo) return;
    store<u32>(q + QUEUE_FIFO, <u32>fifo);
  }
  let count = load<u32>(q + QUEUE_FIFO_COUNT);
  // Without IN_ORDER nothing takes from it: the oldest makes room.
  if (count == FIFO) {
    store<u32>(q + QUEUE_FIFO_HEAD, (load<u32>(q + QUEUE_FIFO_HEAD) + 1) % FIFO);
    --count;
  }
  let slot = (load<u32>(q + QUEUE_FIFO_HEAD) + count) % FIFO;
  store<u16>(fifo + (slot << 1), <u16>chains);
  store<u32>(q + QUEUE_FIFO_COUNT, count + 1);
}

/** Chains of the packet whose element is published next; 0 when it was not seen. */
function popFifo(q: usize): u32 {
  let count = load<u32>(q + QUEUE_FIFO_COUNT);
  if (!count) return 0;
  let head = load<u32>(q + QUEUE_FIFO_HEAD);
  let chains = <u32>load<u16>(<usize>load<u32>(q + QUEUE_FIFO) + (head << 1));
  store<u32>(q + QUEUE_FIFO_HEAD, (head + 1) % FIFO);
  store<u32>(q + QUEUE_FIFO_COUNT, count - 1);
  return chains;
}

/** Forgets packets whose elements are published by an ordinary used event. */
export function dropFifo(q: usize): void {
  store<u32>(q + QUEUE_FIFO_COUNT, 0);
}

/** Whether this used event is of a ring in order; a NULL nheads (zero copy) takes the normal path. */
// @ts-ignore: decorator
@inline
export function inOrder(feat: u64, event: usize): bool {
  return (feat & F_IN_ORDER) != 0 && load<u64>(event + EVENT_NHEADS) != 0;
}

/**
 * vhost_add_used_n_ooo()'s counterpart for rings in order, 7.2: element j stands at slot s_j, where
 * s_{j+1} = s_j + nheads[j]; what is logged is computed from the last slot f instead of from the
 * first: [U+4+8s, 8(num-f)), and [U, 8(f+n-num)) when f+n passes the end. Returns by how much the
 * used index moves.
 */
export function inOrderRing(q: usize, event: usize, num: u32, idx: u32): u32 {
  let base = load<u64>(event + EVENT_LOGADDR);
  let n = load<u32>(event + EVENT_N);
  let state = ringState(q, load<u8>(event + EVENT_LOGUSED));
  let known = load<u32>(q + QUEUE_FIFO_COUNT) >= n;
  let moved: u32 = 0;
  let slot = idx;
  if (n > num) n = num;
  let elements = <u32>Cause.ElemLogged + state;
  for (let j: u32 = 0; j < n; ++j) {
    if (!known && j == 2) {
      // Nothing is known of the rest: one chain each, slot after slot.
      let rest = n - j;
      if (base != NO_ADDRESS) ringSlots(q, elements, base, num, slot, rest);
      store<u32>(q + QUEUE_UNPLACED, load<u32>(q + QUEUE_UNPLACED) + rest);
      slot += rest;
      moved += rest;
      break;
    }
    if (base != NO_ADDRESS) ringSlots(q, elements, base, num, slot, 1);
    let chains = known ? popFifo(q) : 0;
    // The two that are recorded serve where the pops were not seen: TX batches, a late start.
    if (!known && j == 0) chains = load<u16>(event + EVENT_NH0);
    if (!known && j == 1) chains = load<u16>(event + EVENT_NH1);
    if (!chains) {
      store<u32>(q + QUEUE_UNPLACED, load<u32>(q + QUEUE_UNPLACED) + 1);
      chains = 1;
    }
    slot += chains;
    moved += chains;
  }
  if (base == NO_ADDRESS || !num) return moved;
  let ring = ringCause(q, load<u8>(event + EVENT_LOGUSED), load<u64>(event + EVENT_FEAT));
  write(ring, base + 2, 2, q, 0);
  if (state == 0) {
    let first = idx & (num - 1);
    let last = slot & (num - 1);
    write(Cause.RangeLogged, base + 4 + 8 * <u64>first, 8 * <u64>(num - last), q, 0);
    if (last + n > num) write(Cause.RangeLogged, base, 8 * <u64>(last + n - num), q, 0);
  }
  return moved;
}
