/**
 * Queues of QEMU's own devices: which device each is of, what the device is, where its ring lies, and
 * whether its QEMU logs.
 */
import { NO_ADDRESS } from "../abi";
import { EVENT_PID } from "../event-abi";
import { Driver, QUEUE_DEV, QUEUE_DRIVER, QUEUE_INDEX, QUEUE_LOGADDR, QUEUE_NEXT, QUEUE_NEXT_USED, QUEUE_NUM } from "../queue-abi";
import { BlkSlot, NotifySlot } from "../qemu-abi";
import { slotOf } from "../base/event-slot";
import { noteLogAll } from "../known/log-state";
import { reserve } from "../base/memory";
import { learnDriver } from "../known/device";
import { addQueue, firstQueue, isRingSize, knownQueue, noRoom, roomForQueue } from "../known/queue";
import { machineOfSpace } from "../known/space";
import { atStream } from "../known/moment";
import { streamAt } from "../decode/stream";

/** Whether dirty logging is on in the QEMU of an input: global_dirty_changed. */
const logging: usize = memory.data(128);

/** Whether it is on in this QEMU. */
export function qemuLogs(space: u32): bool {
  return space < 128 && load<u8>(logging + space) != 0;
}

export function setQemuLogging(space: u32, on: bool): void {
  if (space < 128) store<u8>(logging + space, on ? 1 : 0);
  if (on) noteLogAll();
}

/** An address of this input's process, apart from equal ones of another process and of the kernel. */
// @ts-ignore: decorator
@inline
export function addressKey(space: u32, address: u64): u64 {
  return (address & 0x00ffffffffffffff) | (<u64>(min<u32>(space, 125) + 1) << 56);
}

/** A thread of this input. */
// @ts-ignore: decorator
@inline
export function threadKey(space: u32, event: usize): i32 {
  return (load<i32>(event + EVENT_PID) & 0xffffff) | <i32>((min<u32>(space, 125) + 1) << 24);
}

/** The queue of a VirtQueue of this QEMU. */
export function qemuQueue(event: usize, space: u32, pointer: u64): usize {
  let key = addressKey(space, pointer);
  let q = knownQueue(key);
  if (!q && roomForQueue()) q = addQueue(key, machineOfSpace(space));
  if (!q) noRoom();
  if (q && load<u32>(q + QUEUE_DRIVER) == Driver.Unknown) store<u32>(q + QUEUE_DRIVER, Driver.Qemu);
  return q;
}

/** virtio_queue_notify(vdev, n, vq). True: the host can say of which device the queue is. */
export function onNotify(event: usize): bool {
  let space = streamAt(atStream).space;
  let q = qemuQueue(event, space, slotOf(event, NotifySlot.vq));
  if (!q) return false;
  let dev = addressKey(space, slotOf(event, NotifySlot.vdev));
  store<i32>(q + QUEUE_INDEX, <i32>slotOf(event, NotifySlot.n));
  if (load<u64>(q + QUEUE_DEV) == dev) return false;
  store<u64>(q + QUEUE_DEV, dev);
  if (load<u64>(q + QUEUE_LOGADDR) == NO_ADDRESS) adoptRing(q);
  return true;
}

/** virtio_blk_handle_read(vdev, …), _write */
export function onBlk(event: usize): void {
  let dev = addressKey(streamAt(atStream).space, slotOf(event, BlkSlot.vdev));
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    if (load<u64>(q + QUEUE_DEV) != dev) continue;
    if (load<u32>(q + QUEUE_DRIVER) == Driver.Qemu) learnDriver(q, Driver.QemuBlk);
    return;
  }
}

/** Rings of enabled queues: {u64 device, u64 used ring, u32 queue, u32 size}. */
const MAX_RINGS: u32 = 4096;
const RING: u32 = 24;
let rings: usize = 0;
let ringCount: u32 = 0;

/** The driver enabled queue `index` of a device, with this used ring; the used index starts at 0. */
export function setQemuRing(space: u32, vdev: u64, index: u32, size: u32, used: u64): void {
  if (!rings) rings = reserve(MAX_RINGS * RING);
  if (!rings) return;
  let dev = addressKey(space, vdev);
  let i: u32 = 0;
  while (i < ringCount && (load<u64>(rings + i * RING) != dev || load<u32>(rings + i * RING + 16) != index)) ++i;
  if (i == MAX_RINGS) return;
  if (i == ringCount) ++ringCount;
  let at = rings + i * RING;
  store<u64>(at, dev);
  store<u64>(at + 8, used);
  store<u32>(at + 16, index);
  store<u32>(at + 20, isRingSize(size) ? size : 0);
  for (let q = firstQueue; q; q = load<u32>(q + QUEUE_NEXT)) {
    if (load<u64>(q + QUEUE_DEV) == dev && load<i32>(q + QUEUE_INDEX) == <i32>index) adoptRing(q);
  }
}

/** Gives a queue the ring that its driver set up. */
function adoptRing(q: usize): void {
  let dev = load<u64>(q + QUEUE_DEV);
  for (let i: u32 = 0; i < ringCount; ++i) {
    let at = rings + i * RING;
    if (load<u64>(at) != dev || <i32>load<u32>(at + 16) != load<i32>(q + QUEUE_INDEX)) continue;
    store<u64>(q + QUEUE_LOGADDR, load<u64>(at + 8));
    store<u32>(q + QUEUE_NUM, load<u32>(at + 20));
    store<i32>(q + QUEUE_NEXT_USED, 0);
  }
}
