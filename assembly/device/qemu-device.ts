/**
 * Devices of QEMU itself (virtio-scsi, -blk, -net): elements from address_space_map, virtqueue_pop
 * and virtqueue_fill. hw/virtio/virtio.c virtqueue_split_pop(), virtqueue_fill();
 * system/physmem.c address_space_map().
 *
 * An element's mappings are the last in_num + out_num ones of its thread before the pop: block
 * devices map their buffers a second time for the transfer itself (dma_blk_io), so counting
 * mappings from the last pop would give too many.
 */
import { NO_ADDRESS } from "../abi";
import { EVENT_PLACE } from "../event-abi";
import { Cause } from "../page-abi";
import { DESC_ACC, DESC_GPA, DESC_LEN, DESC_SIZE, Driver, QUEUE_COMPLETED, QUEUE_DRIVER, QUEUE_DROPPED, QUEUE_INDEX, QUEUE_IN_FLIGHT, QUEUE_LATE, QUEUE_LOGADDR, QUEUE_MACHINE, QUEUE_MISFIT, QUEUE_NEXT_USED, QUEUE_NUM, QUEUE_POPPED, QUEUE_UNKNOWN_HEAD, QUEUE_UNKNOWN_PLACE, QUEUE_UNKNOWN_STREAM, QUEUE_UNMAPPED, QUEUE_USED_LEN, QUEUE_WRITE_DESCS, REQUEST_ANSWERED, REQUEST_CAPTURED, REQUEST_CAUSE, REQUEST_DESCS, REQUEST_DESC_CAP, REQUEST_DESC_COUNT, REQUEST_ELEMENT, REQUEST_FLAGS, REQUEST_LUN, REQUEST_NAMED, REQUEST_OPCODE, REQUEST_QUEUE, REQUEST_RESPONSE, REQUEST_STATUS, REQUEST_TAG, REQUEST_UNMAPPED, RequestState } from "../queue-abi";
import {
  BlkSlot,
  CmdReqSlot,
  CmdRespSlot,
  FillSlot,
  FlushSlot,
  MapSlot,
  NotifySlot,
  PopSlot,
} from "../qemu-abi";
import { slotOf } from "../base/event-slot";
import { addElement, dropElement, elementAt, elementOf, elementSlots } from "../known/element-table";
import { capacityOf, enlarge, take } from "../base/memory";
import { addCount, countUnknownHead, freeRequest, queueById } from "../known/queue";
import { learnDriver } from "../known/device";
import { enterMachine, machine } from "../known/machine";
import { atStream } from "../known/moment";
import { countWritten, popped, usedNow } from "./request";
import { streamAt } from "../decode/stream";
import { Thread, threadOf } from "../known/thread";
import { markParts, tellLengths } from "./completion";
import { finish, noMemory, write, writePrefix } from "./write";
import { pages } from "../pages/page-state";
import { addressKey, qemuLogs, qemuQueue, threadKey } from "./qemu-queue";

/** VIRTQUEUE_MAX_SIZE; each mapping may be cut in two by a border of memory regions. */
const MAX_MAPS: u32 = 4096;

/** address_space_map(as, addr, len, is_write, attrs) */
export function onMap(event: usize): void {
  let at = threadOf(threadKey(streamAt(atStream).space, event), true);
  if (!at) return;
  let thread = changetype<Thread>(at);
  if (thread.count == thread.cap) {
    if (thread.cap >= MAX_MAPS) {
      // Only the last ones can belong to an element.
      let half = thread.count >> 1;
      memory.copy(thread.descs, thread.descs + half * DESC_SIZE, (thread.count - half) * DESC_SIZE);
      thread.count -= half;
    } else {
      let cap = thread.cap ? thread.cap << 1 : 64;
      let bigger = enlarge(thread.descs, thread.cap * DESC_SIZE, cap * DESC_SIZE);
      if (!bigger) {
        noMemory();
        return;
      }
      thread.descs = bigger;
      thread.cap = cap;
    }
  }
  let desc = thread.descs + thread.count++ * DESC_SIZE;
  store<u64>(desc + DESC_GPA, slotOf(event, MapSlot.addr));
  store<u32>(desc + DESC_LEN, <u32>min<u64>(slotOf(event, MapSlot.len), 0xffffffff));
  store<u32>(desc + DESC_ACC, slotOf(event, MapSlot.is_write) ? 2 : 1);
}

/**
 * A descriptor that crosses a border of memory regions is mapped in pieces, and each is traced with
 * what was still to be mapped: the length of a piece ends where the next one begins.
 */
function cutPieces(descs: usize, count: u32): void {
  for (let i: u32 = 0; i + 1 < count; ++i) {
    let desc = descs + i * DESC_SIZE;
    let next = desc + DESC_SIZE;
    let gpa = load<u64>(desc + DESC_GPA);
    let nextGpa = load<u64>(next + DESC_GPA);
    if (load<u32>(desc + DESC_ACC) != load<u32>(next + DESC_ACC) || nextGpa <= gpa) continue;
    if (gpa + load<u32>(desc + DESC_LEN) != nextGpa + load<u32>(next + DESC_LEN)) continue;
    store<u32>(desc + DESC_LEN, <u32>(nextGpa - gpa));
  }
}

/** First the mappings that the device reads, then those that it writes. */
function inOrderOfChain(descs: usize, outNum: u32, count: u32): bool {
  for (let i: u32 = 0; i < count; ++i) {
    if (load<u32>(descs + i * DESC_SIZE + DESC_ACC) != (i < outNum ? <u32>1 : <u32>2)) return false;
  }
  return true;
}

/** virtqueue_pop(vq, elem, in_num, out_num) */
export function onElementPop(event: usize): void {
  let space = streamAt(atStream).space;
  let q = qemuQueue(event, space, slotOf(event, PopSlot.vq));
  if (!q) return;
  let key = addressKey(space, slotOf(event, PopSlot.elem));
  let inNum = <u32>min<u64>(slotOf(event, PopSlot.in_num), 65536);
  let outNum = <u32>min<u64>(slotOf(event, PopSlot.out_num), 65536);
  let old = elementOf(key);
  if (old) {
    // Given back without a fill (virtqueue_detach_element()), or its fill is lost.
    dropElement(key);
    let queue = queueById(load<u32>(old + REQUEST_QUEUE));
    addCount(queue + QUEUE_DROPPED, 1);
    store<u32>(queue + QUEUE_IN_FLIGHT, load<u32>(queue + QUEUE_IN_FLIGHT) - 1);
    finish(old, RequestState.Dropped);
  }
  let request = popped(q, -1);
  if (!request) return;
  store<u64>(request + REQUEST_ELEMENT, slotOf(event, PopSlot.elem));
  let flags: u32 = qemuLogs(space) ? REQUEST_CAPTURED : 0;
  let count = inNum + outNum;
  let at = threadOf(threadKey(space, event), true);
  let thread = changetype<Thread>(at);
  let pending = at ? thread.count : 0;
  if (at) {
    thread.count = 0;
    thread.element = key;
  }
  let descs = pending >= count ? thread.descs + (pending - count) * DESC_SIZE : 0;
  let mapped = count == 0 || pending >= count;
  if (mapped && count && !inOrderOfChain(descs, outNum, count)) {
    store<u32>(q + QUEUE_MISFIT, load<u32>(q + QUEUE_MISFIT) + 1);
    mapped = false;
  }
  if (!mapped) {
    flags |= REQUEST_UNMAPPED;
    store<u32>(q + QUEUE_UNMAPPED, load<u32>(q + QUEUE_UNMAPPED) + 1);
  } else if (count) {
    let bytes = count * DESC_SIZE;
    let copy = take(bytes);
    if (!copy) {
      noMemory();
      freeRequest(request);
      return;
    }
    memory.copy(copy, descs, bytes);
    cutPieces(copy, count);
    store<u32>(request + REQUEST_DESCS, <u32>copy);
    store<u32>(request + REQUEST_DESC_COUNT, count);
    store<u32>(request + REQUEST_DESC_CAP, capacityOf(bytes) / DESC_SIZE);
  }
  store<u32>(request + REQUEST_FLAGS, flags);
  if (!addElement(key, request)) {
    freeRequest(request);
    return;
  }
  addCount(q + QUEUE_POPPED, 1);
  store<u32>(q + QUEUE_IN_FLIGHT, load<u32>(q + QUEUE_IN_FLIGHT) + 1);
}

/** virtio_scsi_cmd_req(lun, tag, cmd), virtio_scsi_tmf_req(lun, tag, subtype): names the last pop. */
export function onScsiRequest(event: usize, command: bool): void {
  let at = threadOf(threadKey(streamAt(atStream).space, event), false);
  if (!at) return;
  let thread = changetype<Thread>(at);
  let request = thread.element ? elementOf(thread.element) : 0;
  thread.element = 0;
  if (!request) return;
  store<i32>(request + REQUEST_LUN, <i32>slotOf(event, CmdReqSlot.lun));
  store<u32>(request + REQUEST_TAG, <u32>slotOf(event, CmdReqSlot.tag));
  store<i32>(request + REQUEST_OPCODE, command ? <i32>slotOf(event, CmdReqSlot.cmd) : -1);
  store<u32>(request + REQUEST_FLAGS, load<u32>(request + REQUEST_FLAGS) | REQUEST_NAMED);
  let q = queueById(load<u32>(request + REQUEST_QUEUE));
  if (load<u32>(q + QUEUE_DRIVER) != Driver.Qemu) return;
  learnDriver(q, Driver.QemuScsi);
}

/** virtio_scsi_cmd_resp(lun, tag, response, status): of the element that this thread fills next. */
export function onScsiResponse(event: usize, command: bool): void {
  let at = threadOf(threadKey(streamAt(atStream).space, event), true);
  if (!at) return;
  let thread = changetype<Thread>(at);
  thread.answer = 0x80000000 | (<u32>slotOf(event, CmdRespSlot.response) & 0xff) << 8;
  if (command) thread.answer |= <u32>slotOf(event, CmdRespSlot.status) & 0xff;
  thread.answerTag = <u32>slotOf(event, CmdRespSlot.tag);
}

/**
 * virtqueue_flush(vq, count): `count` elements are in the used ring, and its index moves. The words
 * that QEMU writes to ask for notifications are not traced.
 */
export function onElementFlush(event: usize): void {
  let space = streamAt(atStream).space;
  let q = qemuQueue(event, space, slotOf(event, FlushSlot.vq));
  if (!q) return;
  let used = load<u64>(q + QUEUE_LOGADDR);
  let num = load<u32>(q + QUEUE_NUM);
  let idx = load<i32>(q + QUEUE_NEXT_USED);
  if (used == NO_ADDRESS || !num || idx < 0) return;
  let count = <u32>min<u64>(slotOf(event, FlushSlot.count), num);
  let on = qemuLogs(space);
  let cause = on ? Cause.RingLogged : Cause.RingOff;
  let at = <u32>idx % num;
  let first = min<u32>(count, num - at);
  write(cause, used + 4 + 8 * <u64>at, 8 * <u64>first, q, 0);
  if (count > first) write(cause, used + 4, 8 * <u64>(count - first), q, 0);
  write(cause, used + 2, 2, q, 0);
  store<i32>(q + QUEUE_NEXT_USED, (idx + <i32>count) & 0xffff);
}

/** What wrote: the queue's role in virtio-scsi, the I/O of any other device. */
function causeOf(q: usize, on: bool, captured: bool): u32 {
  let index = load<u32>(q + QUEUE_DRIVER) == Driver.QemuScsi ? load<i32>(q + QUEUE_INDEX) : 2;
  if (index == 1) return on ? Cause.EvtLogged : Cause.EvtOff;
  if (index == 0) return !on ? Cause.CtlOff : captured ? Cause.CtlLogged : Cause.CtlLate;
  return !on ? Cause.IoOff : captured ? Cause.IoLogged : Cause.IoLate;
}

/** virtqueue_fill(vq, elem, len, idx): the device has written what it will write. */
export function onElementFill(event: usize): void {
  let space = streamAt(atStream).space;
  let key = addressKey(space, slotOf(event, FillSlot.elem));
  let request = elementOf(key);
  if (!request) {
    let q = qemuQueue(event, space, slotOf(event, FillSlot.vq));
    if (!q) return;
    if (!load<u64>(q + QUEUE_UNKNOWN_HEAD)) {
      store<u64>(q + QUEUE_UNKNOWN_PLACE, load<u64>(event + EVENT_PLACE));
      store<u16>(q + QUEUE_UNKNOWN_STREAM, <u16>atStream);
    }
    countUnknownHead(q);
    return;
  }
  dropElement(key);
  let q = queueById(load<u32>(request + REQUEST_QUEUE));
  enterMachine(load<u32>(q + QUEUE_MACHINE));
  let len = slotOf(event, FillSlot.len);
  let on = qemuLogs(space);
  let flags = load<u32>(request + REQUEST_FLAGS);
  let cause = causeOf(q, on, (flags & REQUEST_CAPTURED) != 0);
  if (cause == Cause.IoLate || cause == Cause.CtlLate) addCount(q + QUEUE_LATE, 1);
  if (len) addCount(q + QUEUE_USED_LEN, 1);
  answer(request, event, space);
  usedNow(request, <u32>len);
  store<u32>(request + REQUEST_CAUSE, cause);
  if (markParts && !pages().lengthSeen) tellLengths();
  let desc = <usize>load<u32>(request + REQUEST_DESCS);
  let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
  for (; desc < end; desc += DESC_SIZE) {
    if (load<u32>(desc + DESC_ACC) != 2) continue;
    let length = <u64>load<u32>(desc + DESC_LEN);
    addCount(q + QUEUE_WRITE_DESCS, 1);
    countWritten(q, request, length);
    write(cause, load<u64>(desc + DESC_GPA), length, q, request);
  }
  // virtqueue_unmap_sg() marks up to the length; for a device of QEMU it is always told.
  if (markParts) writePrefix(on ? Cause.PartLogged : Cause.PartOff, len, q, request);
  addCount(q + QUEUE_COMPLETED, 1);
  store<u32>(q + QUEUE_IN_FLIGHT, load<u32>(q + QUEUE_IN_FLIGHT) - 1);
  finish(request, RequestState.Completed);
}

function answer(request: usize, event: usize, space: u32): void {
  let at = threadOf(threadKey(space, event), false);
  if (!at) return;
  let thread = changetype<Thread>(at);
  let given = thread.answer;
  thread.answer = 0;
  let flags = load<u32>(request + REQUEST_FLAGS);
  if (!given || !(flags & REQUEST_NAMED) || load<u32>(request + REQUEST_TAG) != thread.answerTag) return;
  store<u16>(request + REQUEST_STATUS, <u16>(given & 0xff));
  store<u16>(request + REQUEST_RESPONSE, <u16>((given >> 8) & 0xff));
  store<u32>(request + REQUEST_FLAGS, flags | REQUEST_ANSWERED);
}

/** At the end: elements that were never filled. */
export function endElements(): void {
  for (let i: u32 = 0, n = elementSlots(); i < n; ++i) {
    let request = elementAt(i);
    if (!request) continue;
    enterMachine(load<u32>(queueById(load<u32>(request + REQUEST_QUEUE)) + QUEUE_MACHINE));
    finish(request, RequestState.InFlight);
  }
}

/** Bytes that elements in flight of this machine may have written. */
export function elementBytesInFlight(): f64 {
  let bytes: f64 = 0;
  for (let i: u32 = 0, n = elementSlots(); i < n; ++i) {
    let request = elementAt(i);
    if (!request) continue;
    let q = queueById(load<u32>(request + REQUEST_QUEUE));
    if (<usize>load<u32>(q + QUEUE_MACHINE) != changetype<usize>(machine)) continue;
    let desc = <usize>load<u32>(request + REQUEST_DESCS);
    let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
    for (; desc < end; desc += DESC_SIZE) {
      if (load<u32>(desc + DESC_ACC) == 2) bytes += <f64>load<u32>(desc + DESC_LEN);
    }
  }
  return bytes;
}
