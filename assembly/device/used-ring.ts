/** The writes to the used ring: elements, index, flags, avail_event. log_used(), vhost.c. */
import { NO_ADDRESS } from "../abi";
import { EVENT_FEAT, EVENT_LOGADDR, EVENT_LOGUSED, EVENT_UFLAGS, EVENT_VQ } from "../event-abi";
import { Cause } from "../page-abi";
import { QUEUE_FEAT, QUEUE_FEAT_KNOWN, QUEUE_NUM } from "../queue-abi";
import { QUEUE_EVENT } from "../known/fields";
import { F_RING_PACKED } from "../known/fields";
import { learn, ringCause, ringState } from "../known/log-state";
import { hasFlag, noteAvail, queueOf, ringSize } from "../known/queue";
import { write } from "./write";

/** VIRTIO_RING_F_EVENT_IDX. */
const RING_F_EVENT_IDX: u64 = 1 << 29;

/** The used ring's part of vhost_add_used_n(): elements from `idx` on, then the index word. */
export function usedRing(q: usize, event: usize, num: u32, idx: u32, n: u32, index: bool): void {
  let base = load<u64>(event + EVENT_LOGADDR);
  if (base == NO_ADDRESS || !num) return;
  let cause = ringCause(q, load<u8>(event + EVENT_LOGUSED), load<u64>(event + EVENT_FEAT));
  ringSlots(q, cause, base, num, idx, n);
  if (index) write(cause, base + 2, 2, q, 0);
}

/** Writes `n` used elements from `slot` on, at most a whole ring of `num`, which is not 0. */
export function ringSlots(q: usize, cause: u32, base: u64, num: u32, slot: u32, n: u32): void {
  let at = slot & (num - 1);
  let first = min<u32>(n, num - at);
  write(cause, base + 4 + 8 * <u64>at, 8 * <u64>first, q, 0);
  if (n > first) write(cause, base + 4, 8 * <u64>min<u32>(n - first, num), q, 0);
}

/** The device event suppression area of a packed ring, 4 bytes (virtio 1.2, 2.8.10); nobody logs it. */
function eventArea(q: usize, event: usize): void {
  let at = load<u64>(q + QUEUE_EVENT);
  if (at == NO_ADDRESS) return;
  let cause = <u32>Cause.NotifyLogged + ringState(q, load<u8>(event + EVENT_LOGUSED));
  write(cause, at, 4, q, 0);
}

/** vhost_enable_notify(): writes avail_event when notifications were off and EVENT_IDX is on. */
export function onRearm(event: usize): void {
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return;
  learn(q, event, true);
  noteAvail(q, event);
  let num = ringSize(q, event);
  store<u32>(q + QUEUE_NUM, num);
  let base = load<u64>(event + EVENT_LOGADDR);
  if (base == NO_ADDRESS) return;
  if (load<u64>(event + EVENT_FEAT) & F_RING_PACKED) {
    eventArea(q, event);
    return;
  }
  if (!num) return;
  if (!(load<u16>(event + EVENT_UFLAGS) & 1) || !(load<u64>(event + EVENT_FEAT) & RING_F_EVENT_IDX)) return;
  let cause = <u32>Cause.NotifyLogged + ringState(q, load<u8>(event + EVENT_LOGUSED));
  write(cause, base + 4 + 8 * <u64>num, 2, q, 0);
}

/** vhost_update_used_flags(): writes used->flags. */
export function onUflags(event: usize): void {
  let base = load<u64>(event + EVENT_LOGADDR);
  // SET_ENDPOINT does this on queues that were never set up, too.
  if (base == NO_ADDRESS) return;
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return;
  learn(q, event, false);
  if (hasFlag(q, QUEUE_FEAT_KNOWN) && load<u64>(q + QUEUE_FEAT) & F_RING_PACKED) {
    eventArea(q, event);
    return;
  }
  let cause = <u32>Cause.NotifyLogged + ringState(q, load<u8>(event + EVENT_LOGUSED));
  write(cause, base, 2, q, 0);
}
