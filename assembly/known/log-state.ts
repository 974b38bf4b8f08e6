/** Whether a write of this moment would be logged: features, ring flag, log base of each queue. */
import { EVENT_FEAT, EVENT_LOGADDR, EVENT_LOGUSED } from "../event-abi";
import { Cause } from "../page-abi";
import { QUEUE_FEAT, QUEUE_FEAT_KNOWN, QUEUE_LOGADDR, QUEUE_LOGBASE, QUEUE_LOGBASE_KNOWN } from "../queue-abi";
import { machine } from "./machine";
import { firstOfDevice, nextOfDevice } from "./device";
import { hasFlag, setFlag } from "./queue";

/** VHOST_F_LOG_ALL. */
export const LOG_ALL: u64 = 1 << 26;

/** A SET_FEATURES with LOG_ALL of a device of this machine counts as well. */
export function noteLogAll(): void {
  machine.sawLogAll = true;
}

// @ts-ignore: decorator
@inline
export function noBase(q: usize): bool {
  return hasFlag(q, QUEUE_LOGBASE_KNOWN) && load<u64>(q + QUEUE_LOGBASE) == 0;
}

/** Which of {Logged, NoBase, Off} a ring write is, as an offset to RingLogged or NotifyLogged. */
// @ts-ignore: decorator
@inline
export function ringState(q: usize, logused: u32): u32 {
  return logused ? (noBase(q) ? 1 : 0) : 2;
}

/**
 * Cause of a write to the used ring. drivers/vhost looks at the ring's flag alone (log_used(),
 * vhost.c), libvhost-user at LOG_ALL alone (vu_log_write()), DPDK and SPDK at both.
 */
// @ts-ignore: decorator
@inline
export function ringCause(q: usize, logused: u32, feat: u64): u32 {
  if (logused) {
    if (noBase(q)) return Cause.RingNoBase;
    return feat & LOG_ALL ? Cause.RingLogged : Cause.RingFlag;
  }
  return feat & LOG_ALL && !noBase(q) ? Cause.RingAll : Cause.RingOff;
}

/** Takes over what an event says of its queue. */
// @ts-ignore: decorator
@inline
export function learn(q: usize, event: usize, features: bool): void {
  store<u64>(q + QUEUE_LOGADDR, load<u64>(event + EVENT_LOGADDR));
  if (load<u8>(event + EVENT_LOGUSED)) machine.sawLogUsed = true;
  if (features) {
    let feat = load<u64>(event + EVENT_FEAT);
    store<u64>(q + QUEUE_FEAT, feat);
    setFlag(q, QUEUE_FEAT_KNOWN, true);
    if (feat & LOG_ALL) machine.sawLogAll = true;
  }
}

/** A SET_LOG_BASE of this device succeeded: VHOST_SET_LOG_BASE sets it on every queue. */
export function setLogBase(device: u32, base: u64): void {
  for (let q = firstOfDevice(device); q; q = nextOfDevice(q)) {
    store<u64>(q + QUEUE_LOGBASE, base);
    setFlag(q, QUEUE_LOGBASE_KNOWN, true);
  }
}
