/**
 * Events to writes: what vhost and vhost-scsi do between vhost_get_vq_desc() and vhost_add_used_n(),
 * as far as the recorded events tell. docs/model.md states each rule with its source.
 */
import { NO_ADDRESS } from "../abi";
import { EVENT_ACC, EVENT_CDB, EVENT_CDB_HIGH, EVENT_DEV, EVENT_FEAT, EVENT_FLAGS, EVENT_GPA, EVENT_HAS_VQ, EVENT_HEAD, EVENT_IDX, EVENT_IOV, EVENT_LEN, EVENT_LOGBASE, EVENT_LUN, EVENT_PID, EVENT_Q0, EVENT_Q1, EVENT_VQ } from "../event-abi";
import { DESC_SIZE, Driver, MAX_HEADS, QUEUE_CAPTURE_ON, QUEUE_CAPTURE_UNKNOWN, QUEUE_DEV, QUEUE_DRAINED, QUEUE_DRIVER, QUEUE_DROPPED, QUEUE_FEAT, QUEUE_FEAT_KNOWN, QUEUE_INDEX, QUEUE_LOGBASE, QUEUE_LOGBASE_KNOWN, QUEUE_NEXT_USED, QUEUE_NUM, QUEUE_POPPED, QUEUE_Q0, QUEUE_REJECTED, QUEUE_STEP, REQUEST_CAPTURED, REQUEST_CAPTURE_UNKNOWN, REQUEST_CAPTURE_UNSEEN, REQUEST_CDB, REQUEST_DESCS, REQUEST_DESC_CAP, REQUEST_DESC_COUNT, REQUEST_FLAGS, REQUEST_LENGTH_UNKNOWN, REQUEST_HAS_CDB, REQUEST_LUN, REQUEST_SERIAL, RequestState } from "../queue-abi";
import {
  F_RING_PACKED,
  QUEUE_DECIDED,
  QUEUE_RING,
  REQUEST_AGAIN,
  REQUEST_INDIRECT,
  REQUEST_LATE_TABLE,
} from "../known/fields";
import { decideByStart } from "../known/back-end";
import { inUserSpace } from "../known/device";
import { LOG_ALL, learn } from "../known/log-state";
import { capacityOf, takeDirty } from "../base/memory";
import { complete } from "./net";
import {
  addCount,
  freeRequest,
  hasFlag,
  inFlight,
  noteAvail,
  queueOf,
  ringSize,
  setFlag,
  setInFlight,
} from "../known/queue";
import { popped } from "./request";
import { addDesc, hold, orphan, Thread, threadOf } from "../known/thread";
import { adoptVring } from "../known/vring";
import { finish, noMemory } from "./write";

/** Pops for which no queue is known. */
export let popsWithoutQueue: u64 = 0;

/**
 * A snapshot of last_used_idx. Completions that it shows and that were not seen are lost; their
 * slots are marked at the next used event, whose expectation stays what it was.
 */
// @ts-ignore: decorator
@inline
function noteExpected(q: usize, idx: u32): void {
  if (load<i32>(q + QUEUE_NEXT_USED) == -1) store<i32>(q + QUEUE_NEXT_USED, idx);
}

/**
 * vhost_disable_notify(): the driver reads LOG_ALL once per drain, here. True: it tells the struct
 * vhost_dev of its queue, so the host can say of which device it is.
 */
export function onDrain(event: usize): bool {
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return false;
  let told = load<u64>(q + QUEUE_DEV) != load<u64>(event + EVENT_DEV);
  learn(q, event, true);
  let feat = load<u64>(event + EVENT_FEAT);
  store<u64>(q + QUEUE_DEV, load<u64>(event + EVENT_DEV));
  store<u32>(q + QUEUE_NUM, ringSize(q, event));
  store<u64>(q + QUEUE_LOGBASE, load<u64>(event + EVENT_LOGBASE));
  setFlag(q, QUEUE_LOGBASE_KNOWN | QUEUE_DRAINED, true);
  setFlag(q, QUEUE_CAPTURE_ON, (feat & LOG_ALL) != 0);
  let q0 = load<u64>(event + EVENT_Q0);
  let step = load<u64>(event + EVENT_Q1) - q0;
  let distance = load<u64>(event + EVENT_VQ) - q0;
  store<u64>(q + QUEUE_Q0, q0);
  store<u64>(q + QUEUE_STEP, step);
  // The virtqueues of one device are one array (vhost_scsi_open(), vhost_net_open()).
  if (load<i32>(q + QUEUE_INDEX) == -1) {
    if (step && distance % step == 0 && distance / step < 4096) {
      store<i32>(q + QUEUE_INDEX, <i32>(distance / step));
    } else if (!distance) {
      store<i32>(q + QUEUE_INDEX, 0);
    }
  }
  noteExpected(q, load<u16>(event + EVENT_IDX));
  noteAvail(q, event);
  if (load<u64>(q + QUEUE_RING) == NO_ADDRESS && feat & F_RING_PACKED) adoptVring(q);
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  if (!at) return told;
  let thread = changetype<Thread>(at);
  thread.drained = load<u64>(event + EVENT_VQ);
  thread.heldCount = 0;
  thread.backGpa = NO_ADDRESS;
  return told;
}

export function onDesc(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  if (!at) return;
  addDesc(
    changetype<Thread>(at),
    load<u64>(event + EVENT_VQ),
    load<u64>(event + EVENT_GPA),
    load<u32>(event + EVENT_LEN),
    load<u8>(event + EVENT_ACC),
  );
  noteTable(changetype<Thread>(at), event);
}

/** Bytes of struct vhost_virtqueue, at most: its iov lies inside (vhost.h). */
const VQ_BYTES: u64 = 0x10000;

/**
 * An indirect table is mapped into a vector of its own (get_indirect(), vhost.c), so it is told from
 * a buffer by where its iov lies, as long as some descriptor of the chain lies in the queue's.
 */
// @ts-ignore: decorator
@inline
function noteTable(thread: Thread, event: usize): void {
  if (load<u64>(event + EVENT_IOV) - load<u64>(event + EVENT_VQ) < VQ_BYTES) thread.inside = 1;
  else if (load<u8>(event + EVENT_ACC) == 1) {
    if (thread.count == 1) thread.table = 1;
    else thread.lateTable = 1;
  }
}

/** What the descriptors of a popped chain tell of its tables. */
function tableFlags(thread: Thread): u32 {
  let flags: u32 = 0;
  if (thread.inside) {
    if (thread.table) flags = REQUEST_INDIRECT;
    if (thread.lateTable) flags |= REQUEST_LATE_TABLE;
  }
  thread.inside = 0;
  thread.table = 0;
  thread.lateTable = 0;
  return flags;
}

/** A call of memory.copy costs more than the few descriptors of a chain (measured). */
// @ts-ignore: decorator
@inline
function copyDescs(to: usize, from: usize, bytes: u32): void {
  for (let end = from + bytes; from < end; from += DESC_SIZE, to += DESC_SIZE) {
    v128.store(to, v128.load(from));
  }
}

/** The queue of a pop: its own, or that of the descriptors its thread translated, or drains. 0: not known. */
// @ts-ignore: decorator
@inline
export function poppedQueue(event: usize): u64 {
  if (load<u8>(event + EVENT_FLAGS) & EVENT_HAS_VQ) return load<u64>(event + EVENT_VQ);
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  if (!at) return 0;
  let thread = changetype<Thread>(at);
  return thread.count ? thread.vq : thread.drained;
}

/** Return of vhost_get_vq_desc(): a chain, an empty ring (head == num) or an error (negative). */
export function onPop(event: usize): void {
  let head = load<i32>(event + EVENT_HEAD);
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  let thread = changetype<Thread>(at);
  let pending = at ? thread.count : 0;
  let vq = poppedQueue(event);
  if (pending && thread.vq != vq) {
    orphan(pending);
    pending = 0;
  }
  if (at) thread.count = 0;
  let q: usize = vq ? queueOf(vq) : 0;
  if (!q) {
    ++popsWithoutQueue;
    return;
  }
  if (head < 0) {
    addCount(q + QUEUE_REJECTED, 1);
    return;
  }
  let num = load<u32>(q + QUEUE_NUM);
  // Without descriptors (a recording filtered to acc == 2) only the ring's size tells.
  if (<u32>head >= <u32>MAX_HEADS || (num && <u32>head >= num) || (!pending && !num)) {
    orphan(pending);
    return;
  }
  if (!hasFlag(q, QUEUE_DECIDED)) decideByStart(q);
  let driver = load<u32>(q + QUEUE_DRIVER);
  let old = inFlight(q, head);
  if (old && driver == Driver.Net) {
    // Several elements in one used event name only the first head.
    setInFlight(q, head, 0);
    store<u32>(old + REQUEST_FLAGS, load<u32>(old + REQUEST_FLAGS) | REQUEST_LENGTH_UNKNOWN);
    complete(q, old, 0, -1);
  } else if (old && inUserSpace(driver)) {
    // The guest offers a head again that was not returned: both are answered.
    store<u32>(old + REQUEST_AGAIN, load<u32>(old + REQUEST_AGAIN) + 1);
    if (at) tableFlags(thread);
    return;
  } else if (old) {
    // Never returned, yet offered again: consumed and dropped, or its used event is lost.
    addCount(q + QUEUE_DROPPED, 1);
    setInFlight(q, head, 0);
    finish(old, RequestState.Dropped);
  }
  let request = popped(q, head);
  if (!request) return;
  let flags: u32 = 0;
  if (hasFlag(q, QUEUE_DRAINED)) {
    if (hasFlag(q, QUEUE_CAPTURE_ON)) flags = REQUEST_CAPTURED;
  } else {
    flags = REQUEST_CAPTURE_UNSEEN;
    if (hasFlag(q, QUEUE_FEAT_KNOWN)) {
      if (load<u64>(q + QUEUE_FEAT) & LOG_ALL) flags |= REQUEST_CAPTURED;
    } else {
      flags |= REQUEST_CAPTURE_UNKNOWN;
      addCount(q + QUEUE_CAPTURE_UNKNOWN, 1);
    }
  }
  if (at) flags |= tableFlags(thread);
  store<u32>(request + REQUEST_FLAGS, flags);
  if (pending) {
    let bytes = pending * DESC_SIZE;
    let descs = takeDirty(bytes);
    if (!descs) {
      noMemory();
      freeRequest(request);
      return;
    }
    copyDescs(descs, thread.descs, bytes);
    store<u32>(request + REQUEST_DESCS, <u32>descs);
    store<u32>(request + REQUEST_DESC_COUNT, pending);
    store<u32>(request + REQUEST_DESC_CAP, capacityOf(bytes) / DESC_SIZE);
  }
  if (!setInFlight(q, head, request)) {
    noMemory();
    freeRequest(request);
    return;
  }
  addCount(q + QUEUE_POPPED, 1);
  if (at) {
    thread.poppedVq = vq;
    thread.poppedHead = <u32>head;
  }
  if (at && driver != Driver.Scsi && !inUserSpace(driver)) hold(thread, load<u64>(request + REQUEST_SERIAL), head);
}

/**
 * target_submit_prep(): vhost-scsi hands a CDB to the target core in the thread that popped its
 * request, before it pops another one (vhost_scsi_handle_vq()).
 */
export function onCdb(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  if (!at) return;
  let thread = changetype<Thread>(at);
  let q = thread.poppedVq ? queueOf(thread.poppedVq) : 0;
  thread.poppedVq = 0;
  let request = q ? inFlight(q, thread.poppedHead) : 0;
  if (!request) return;
  store<i32>(request + REQUEST_LUN, <i32>load<u64>(event + EVENT_LUN));
  store<u64>(request + REQUEST_CDB, load<u64>(event + EVENT_CDB));
  store<u64>(request + REQUEST_CDB + 8, load<u64>(event + EVENT_CDB_HIGH));
  store<u32>(request + REQUEST_FLAGS, load<u32>(request + REQUEST_FLAGS) | REQUEST_HAS_CDB);
}
