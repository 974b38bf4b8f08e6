/**
 * What tells a user-space back end from drivers/vhost, and what it means for the log of a queue.
 */
import { EVENT_FEAT, EVENT_LEN } from "../event-abi";
import { Driver, QUEUE_DRIVER, QUEUE_INDEX, QUEUE_LOGBASE, QUEUE_LOGBASE_KNOWN } from "../queue-abi";
import { F_RING_PACKED, QUEUE_DECIDED, QUEUE_LENGTHS, QUEUE_LOG_END, QUEUE_LOG_TOLD, QUEUE_USER_SPACE } from "./fields";
import {
  adoptLogEnd,
  DEVICE_LOG_TOLD,
  DEVICE_OWNED,
  DEVICE_STARTED,
  deviceState,
  inUserSpace,
  learnDriver,
} from "./device";
import { hasFlag, setFlag } from "./queue";

/** VHOST_USER_F_PROTOCOL_FEATURES: of the vhost-user protocol only. */
const F_PROTOCOL: u64 = 1 << 30;

/** Events were lost: that a device was never started may be one of them. */
let lossy: bool = false;
export function noteLoss(): void {
  lossy = true;
}

/** Page at which every log ends, as the user tells; 0: as the recording tells. */
let toldLogEnd: u32 = 0;
export function setLogEnd(page: u32): void {
  toldLogEnd = page;
}

/** Whether a SET_LOG_BASE of this queue's device was recorded. */
export function logTold(q: usize): bool {
  if (hasFlag(q, QUEUE_LOG_TOLD)) return true;
  let told = (deviceState(q) & DEVICE_LOG_TOLD) != 0;
  if (told) setFlag(q, QUEUE_LOG_TOLD, true);
  return told;
}

/** A queue of a session that is met behind its messages: whether it has a log. */
export function adoptLogBase(q: usize): void {
  let state = deviceState(q);
  if (!(state & (DEVICE_OWNED | DEVICE_LOG_TOLD))) return;
  store<u64>(q + QUEUE_LOGBASE, state & DEVICE_LOG_TOLD ? 1 : 0);
  setFlag(q, QUEUE_LOGBASE_KNOWN, true);
}

/** Whether a range that is logged now ends beyond the log. */
// @ts-ignore: decorator
@inline
export function beyondLog(q: usize, gpa: u64, len: u64): bool {
  let end = toldLogEnd ? toldLogEnd : load<u32>(q + QUEUE_LOG_END);
  return end != 0 && len != 0 && (gpa + len - 1) >> 12 >= <u64>end;
}

/**
 * Whose completion this is, where it tells that no driver of the kernel makes it: a feature bit that
 * none offers; a length from vhost-scsi, which passes 0 to every vhost_add_used() (scsi.c); work of a
 * device that nobody started (VHOST_SCSI_SET_ENDPOINT, VHOST_NET_SET_BACKEND, VHOST_VSOCK_SET_RUNNING);
 * a length of a driver that is not named, on a queue on which vhost-vsock tells none. `reads`: the
 * chain has a readable descriptor, which the receive queue of vhost-vsock refuses (vsock.c).
 */
export function decide(q: usize, event: usize, reads: bool): u32 {
  let driver = load<u32>(q + QUEUE_DRIVER);
  let len = load<u32>(event + EVENT_LEN);
  if (len) setFlag(q, QUEUE_LENGTHS, true);
  if (driver >= <u32>Driver.VhostUser) return driver;
  let index = load<i32>(q + QUEUE_INDEX);
  if (!len && hasFlag(q, QUEUE_DECIDED) && !(load<u64>(event + EVENT_FEAT) & (F_RING_PACKED | F_PROTOCOL))) {
    return driver;
  }
  let user = (load<u64>(event + EVENT_FEAT) & (F_RING_PACKED | F_PROTOCOL)) != 0;
  if (user) setFlag(q, QUEUE_USER_SPACE, true);
  if (!hasFlag(q, QUEUE_DECIDED)) decideByStart(q);
  driver = load<u32>(q + QUEUE_DRIVER);
  if (driver >= <u32>Driver.VhostUser) return driver;
  if (driver == Driver.Scsi && len) user = true;
  if (driver == Driver.Unknown && len && (index > 0 || reads)) user = true;
  if (user) driver = moveToUserSpace(q);
  else if (driver == Driver.Unknown && len && index == 0) {
    // vhost-net tells itself by its packets; so a length here is vhost-vsock's.
    driver = Driver.Vsock;
    learnDriver(q, driver);
  }
  return driver;
}

/** It is one of a user-space back end, of the class that its ioctls name. */
function moveToUserSpace(q: usize): u32 {
  let driver = load<u32>(q + QUEUE_DRIVER);
  let index = load<i32>(q + QUEUE_INDEX);
  let found: u32 = Driver.VhostUser;
  if (driver == Driver.Net) found = Driver.VhostUserNet;
  // The control and the event queue: other classes have no queues below 2 under this name.
  if (driver == Driver.Scsi && index >= 0 && index < 2) found = Driver.VhostUserScsi;
  learnDriver(q, found);
  adoptLogEnd(q);
  return found;
}

/** Once for each queue: a device that works and that the recording shows nobody starting. */
export function decideByStart(q: usize): void {
  let driver = load<u32>(q + QUEUE_DRIVER);
  if (driver == Driver.Unknown || driver >= <u32>Driver.VhostUser || lossy) return;
  setFlag(q, QUEUE_DECIDED, true);
  if ((deviceState(q) & (DEVICE_OWNED | DEVICE_STARTED)) == DEVICE_OWNED) moveToUserSpace(q);
}
