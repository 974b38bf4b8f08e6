/**
 * Devices by the numbers that the host gave them: the queues of each, and its driver. Which queue is of
 * which device is the host's to say: it has read the ioctls, and where struct vhost_dev lies.
 */
import { Driver, MAX_DEVICES, QUEUE_AVAIL, QUEUE_DEVICE, QUEUE_DEVICE_NEXT, QUEUE_DRIVER } from "../queue-abi";
import { reserve } from "../base/memory";
import { QUEUE_LENGTHS, QUEUE_LOG_END, QUEUE_USER_SPACE } from "./fields";
import { hasFlag, retireQueue } from "./queue";

/** {u32 first queue, u32 driver, u32 state, u32 page at which the log ends} */
const DEVICE: u32 = 16;
let table: usize = 0;

/** A device's entry; 0: it has none. */
function entryOf(device: u32): usize {
  if (device >= <u32>MAX_DEVICES) return 0;
  if (!table) table = reserve(MAX_DEVICES * DEVICE);
  return table ? table + device * DEVICE : 0;
}

/** The entry of a queue's device; 0: it is not known. */
function ofQueue(q: usize): usize {
  let device = load<u32>(q + QUEUE_DEVICE);
  return device ? entryOf(device - 1) : 0;
}

/** A class of user-space back end, or one whose class is not known. */
// @ts-ignore: decorator
@inline
export function inUserSpace(driver: u32): bool {
  return driver >= <u32>Driver.VhostUser && driver <= <u32>Driver.VhostUserFs;
}

/** SET_OWNER was recorded; the device was given to the kernel's worker after it; SET_LOG_BASE was. */
export const DEVICE_OWNED: u32 = 1;
export const DEVICE_STARTED: u32 = 2;
export const DEVICE_LOG_TOLD: u32 = 4;

/** Some of DEVICE_*: an ioctl or a message of this device said so. */
export function noteDeviceState(device: u32, state: u32): void {
  let at = entryOf(device);
  if (at) store<u32>(at, load<u32>(at, 8) | state, 8);
}

/** What is noted of the device of a queue. */
export function deviceState(q: usize): u32 {
  let at = ofQueue(q);
  return at ? load<u32>(at, 8) : 0;
}

/** Where the log of a device ends: a page, 0 when not known. */
export function setDeviceLogEnd(device: u32, page: u32): void {
  let at = entryOf(device);
  if (!at) return;
  store<u32>(at, page, 12);
  for (let q = <usize>load<u32>(at); q; q = nextOfDevice(q)) store<u32>(q + QUEUE_LOG_END, page);
}

/** A queue that came after its device's SET_LOG_BASE. */
export function adoptLogEnd(q: usize): void {
  if (load<u32>(q + QUEUE_LOG_END)) return;
  let at = ofQueue(q);
  if (at) store<u32>(q + QUEUE_LOG_END, load<u32>(at, 12));
}

/** The first queue of a device, 0 when it has none; the others follow with `nextOfDevice()`. */
export function firstOfDevice(device: u32): usize {
  let at = entryOf(device);
  return at ? <usize>load<u32>(at) : 0;
}

// @ts-ignore: decorator
@inline
export function nextOfDevice(q: usize): usize {
  return load<u32>(q + QUEUE_DEVICE_NEXT);
}

/** The device was closed: its queues are no longer found by their addresses. */
export function retireDevice(device: u32): void {
  for (let q = firstOfDevice(device); q; q = nextOfDevice(q)) retireQueue(q);
}

/** SET_VRING_BASE: its queues' last_avail_idx is another one now. */
export function forgetAvail(device: u32): void {
  for (let q = firstOfDevice(device); q; q = nextOfDevice(q)) store<i32>(q + QUEUE_AVAIL, -1);
}

/**
 * An ioctl names the driver of a device. One whose completions no driver of the kernel makes stays one of
 * user space: recordings of such devices name a driver of the kernel where their form knows no other.
 */
export function nameDriver(device: u32, driver: u32): void {
  let user = false;
  for (let q = firstOfDevice(device); q; q = nextOfDevice(q)) {
    if (hasFlag(q, QUEUE_USER_SPACE)) user = true;
    // vhost-scsi passes 0 to every vhost_add_used() (scsi.c).
    if (driver == Driver.Scsi && inUserSpace(load<u32>(q + QUEUE_DRIVER)) && hasFlag(q, QUEUE_LENGTHS)) user = true;
  }
  if (!user || inUserSpace(driver)) setDriver(device, driver);
  else if (driver == Driver.Net) setDriver(device, Driver.VhostUserNet);
}

/** The driver of a device is known. */
function setDriver(device: u32, driver: u32): void {
  let at = entryOf(device);
  if (!at) return;
  store<u32>(at, driver, 4);
  for (let q = <usize>load<u32>(at); q; q = nextOfDevice(q)) store<u32>(q + QUEUE_DRIVER, driver);
}

/** The events of a queue told its driver: it is that of its whole device. */
export function learnDriver(q: usize, driver: u32): void {
  store<u32>(q + QUEUE_DRIVER, driver);
  let device = load<u32>(q + QUEUE_DEVICE);
  if (device) setDriver(device - 1, driver);
}

/** Some driver of QEMU, but not which; or nothing. */
// @ts-ignore: decorator
@inline
function isVague(driver: u32): bool {
  return driver == Driver.Unknown || driver == Driver.Qemu;
}

/** The queue is of this device: what is known of the driver of one is known of the other. */
export function linkQueue(q: usize, device: u32): void {
  let at = entryOf(device);
  if (!at || load<u32>(q + QUEUE_DEVICE) == device + 1) return;
  unlinkQueue(q);
  store<u32>(q + QUEUE_DEVICE, device + 1);
  store<u32>(q + QUEUE_DEVICE_NEXT, load<u32>(at));
  store<u32>(at, <u32>q);
  let driver = load<u32>(at, 4);
  if (!isVague(driver)) store<u32>(q + QUEUE_DRIVER, driver);
  else if (!isVague(load<u32>(q + QUEUE_DRIVER))) setDriver(device, load<u32>(q + QUEUE_DRIVER));
}

function unlinkQueue(q: usize): void {
  let device = load<u32>(q + QUEUE_DEVICE);
  let at = device ? entryOf(device - 1) : 0;
  if (!at) return;
  let before: usize = 0;
  for (let other = <usize>load<u32>(at); other; other = nextOfDevice(other)) {
    if (other == q) {
      let next = load<u32>(q + QUEUE_DEVICE_NEXT);
      if (before) store<u32>(before + QUEUE_DEVICE_NEXT, next);
      else store<u32>(at, next);
      return;
    }
    before = other;
  }
}
