/** Other trackers of dirty pages, and what takes certainty away: KVM, a stopped ring, lost events. */
import { BLOCK_BYTES, GPA_BITS, NO_ADDRESS, PAGE_SHIFT } from "../abi";
import { EVENT_TS } from "../event-abi";
import { MAX_HEADS, QUEUE_FEAT, QUEUE_LOGADDR, QUEUE_NUM } from "../queue-abi";
import { DirtiedSlot } from "../qemu-abi";
import { slotOf } from "../base/event-slot";
import { draining, drainLine, drainSend } from "../known/drain";
import { DrainSend, PageState } from "../drain-abi";
import { streamAt } from "../decode/stream";
import { F_RING_PACKED, QUEUE_EVENT } from "../known/fields";
import { firstPage, nextPage, NO_PAGE, onePage } from "../known/kvm-slots";
import { atStream } from "../known/moment";
import { afterSlack, holdFlight } from "./flight";
import { blockOf, coverMissing, Healer, Line, lineOf, nextKept, sentMake } from "./migration-page";
import { takeRound } from "./migration-round";
import { migration } from "./migration-state";
import { activeRows } from "../pages/rows";

/** Events were lost: a send may be among them, so nothing that is missing is certain. */
export function migrationGap(ts: u64): void {
  if (!migration().underWay) return;
  takeRound();
  migration().gapEnd = afterSlack(ts);
  migration().packetsBroken = true;
  for (let at = migration().firstKept; at; at = nextKept(at)) {
    for (let row: u32 = 0; row < activeRows(); ++row) {
      let likely = lineOf(at, row, Line.Likely);
      if (draining) drainLine(blockOf(at), row, likely, PageState.Possible);
      memory.fill(likely, 0, BLOCK_BYTES);
      memory.fill(lineOf(at, row, Line.Sure), 0, BLOCK_BYTES);
    }
  }
}

/** QEMU marks [first, last] dirty itself, and sends these pages again. */
function cover(first: u32, last: u32, healer: u32): void {
  takeRound();
  for (let page = first; ; ++page) {
    coverMissing(page, healer, 0, true, false);
    if (page == last) return;
  }
}

/** Whatever is missing of a page may have been covered. */
function doubt(page: u32): void {
  takeRound();
  coverMissing(page, Healer.None, ~0, false, false);
}

/**
 * kvm_dirty_ring_page(vcpu, fetch index, offset): a vCPU wrote the page, some time before. Where the
 * offset fits several slots it is one of their pages, so none of them is certainly missing.
 */
export function onDirtied(event: usize): void {
  let m = migration();
  if (!m.underWay || m.endTs) return;
  ++m.cpuDirtied;
  let space = streamAt(atStream).space;
  let offset = slotOf(event, DirtiedSlot.offset);
  for (let page = firstPage(space, offset); page != NO_PAGE; page = nextPage(space, offset)) {
    if (draining) drainSend(page, DrainSend.Cpu);
    if (onePage()) {
      cover(page, page, Healer.Cpu);
      sentMake(page >> 9);
      holdFlight(page, load<u64>(event + EVENT_TS));
      return;
    }
    doubt(page);
  }
}

/**
 * vhost_virtqueue_stop(): QEMU unmaps the used ring as written, which marks all of it.
 * hw/virtio/vhost.c; used_size is 4 + 8 * num, and 2 more for avail_event. Of a packed ring "used" is
 * the device event area of 4 bytes: the descriptors, which the device wrote, are unmapped as read.
 */
export function stopRing(q: usize): void {
  let packed = (load<u64>(q + QUEUE_FEAT) & F_RING_PACKED) != 0;
  let used = load<u64>(q + (packed ? QUEUE_EVENT : QUEUE_LOGADDR));
  if (!migration().underWay || used == NO_ADDRESS) return;
  let num = min<u32>(load<u32>(q + QUEUE_NUM), MAX_HEADS);
  let last = used + (packed ? 3 : 4 + 8 * <u64>num + 1);
  if (last < used || last >> GPA_BITS) return;
  let lastPage = <u32>(last >> PAGE_SHIFT);
  let page = <u32>(used >> PAGE_SHIFT);
  if (!migration().endTs) cover(page, lastPage, Healer.Stop);
  // Within the tolerance it may have come after the end, when nothing is sent any more.
  else for (let n = lastPage - page + 1; n; --n) doubt(page++);
}
