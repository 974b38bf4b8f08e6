/**
 * Events to writes: what vhost and vhost-scsi do between vhost_get_vq_desc() and vhost_add_used_n(),
 * as far as the recorded events tell. docs/model.md states each rule with its source.
 */
import {
  DESC_SIZE,
  Driver,
  EVENT_ACC,
  EVENT_CDB,
  EVENT_CDB_HIGH,
  EVENT_DEV,
  EVENT_FEAT,
  EVENT_FLAGS,
  EVENT_GPA,
  EVENT_HAS_VQ,
  EVENT_HEAD,
  EVENT_IDX,
  EVENT_KIND,
  EVENT_LEN,
  EVENT_LOGADDR,
  EVENT_LOGBASE,
  EVENT_LUN,
  EVENT_NUM,
  EVENT_PID,
  EVENT_Q0,
  EVENT_Q1,
  EVENT_TS,
  EVENT_VQ,
  EventKind,
  MAX_HEADS,
  NO_ADDRESS,
  QUEUE_CAPTURE_ON,
  QUEUE_CAPTURE_UNKNOWN,
  QUEUE_DEV,
  QUEUE_DRAINED,
  QUEUE_DRIVER,
  QUEUE_DROPPED,
  QUEUE_FEAT,
  QUEUE_FEAT_KNOWN,
  QUEUE_INDEX,
  QUEUE_LOGBASE,
  QUEUE_LOGBASE_KNOWN,
  QUEUE_NEXT_USED,
  QUEUE_NUM,
  QUEUE_POPPED,
  QUEUE_Q0,
  QUEUE_REJECTED,
  QUEUE_STEP,
  REQUEST_CAPTURED,
  REQUEST_CAPTURE_UNKNOWN,
  REQUEST_CAPTURE_UNSEEN,
  REQUEST_CDB,
  REQUEST_DESCS,
  REQUEST_DESC_CAP,
  REQUEST_DESC_COUNT,
  REQUEST_FLAGS,
  REQUEST_HAS_CDB,
  REQUEST_LUN,
  REQUEST_SERIAL,
  RequestState,
} from "../abi";
import { LOG_ALL, learn } from "../known/log-state";
import { capacityOf, takeDirty } from "../base/memory";
import { complete, onGiveback, onRx, onRxRet } from "./net";
import { streamAt } from "../decode/stream";
import {
  addCount,
  freeRequest,
  hasFlag,
  inFlight,
  knownQueue,
  queueOf,
  roomForQueue,
  setFlag,
  setInFlight,
} from "../known/queue";
import { enterSpace, machineOfSpace } from "../known/space";
import { enterMoment } from "../known/moment";
import { popped } from "./request";
import { onFlushed } from "../migration/migration";
import { onLoad, onSave } from "../migration/sends";
import { onDirtied } from "../migration/trackers";
import {
  onElementFill,
  onElementFlush,
  onElementPop,
  onMap,
  onScsiRequest,
  onScsiResponse,
} from "./qemu-device";
import { onBlk, onNotify } from "./qemu-queue";
import { addDesc, hold, orphan, Thread, threadOf } from "../known/thread";
import { onUsed } from "./used";
import { onRearm, onUflags } from "./used-ring";
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
function onDrain(event: usize): bool {
  let q = queueOf(load<u64>(event + EVENT_VQ));
  if (!q) return false;
  let told = load<u64>(q + QUEUE_DEV) != load<u64>(event + EVENT_DEV);
  learn(q, event, true);
  let feat = load<u64>(event + EVENT_FEAT);
  store<u64>(q + QUEUE_DEV, load<u64>(event + EVENT_DEV));
  store<u32>(q + QUEUE_NUM, load<u32>(event + EVENT_NUM));
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
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  if (!at) return told;
  let thread = changetype<Thread>(at);
  thread.drained = load<u64>(event + EVENT_VQ);
  thread.heldCount = 0;
  thread.backGpa = NO_ADDRESS;
  return told;
}

function onDesc(event: usize): void {
  let at = threadOf(load<i32>(event + EVENT_PID), true);
  if (!at) return;
  addDesc(
    changetype<Thread>(at),
    load<u64>(event + EVENT_VQ),
    load<u64>(event + EVENT_GPA),
    load<u32>(event + EVENT_LEN),
    load<u8>(event + EVENT_ACC),
  );
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
function poppedQueue(event: usize): u64 {
  if (load<u8>(event + EVENT_FLAGS) & EVENT_HAS_VQ) return load<u64>(event + EVENT_VQ);
  let at = threadOf(load<i32>(event + EVENT_PID), false);
  if (!at) return 0;
  let thread = changetype<Thread>(at);
  return thread.count ? thread.vq : thread.drained;
}

/** Return of vhost_get_vq_desc(): a chain, an empty ring (head == num) or an error (negative). */
function onPop(event: usize): void {
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
  let driver = load<u32>(q + QUEUE_DRIVER);
  let old = inFlight(q, head);
  if (old && driver == Driver.Net) {
    // Several elements in one used event name only the first head.
    setInFlight(q, head, 0);
    complete(q, old);
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
  if (at && driver != Driver.Scsi) hold(thread, load<u64>(request + REQUEST_SERIAL), head);
}

/**
 * target_submit_prep(): vhost-scsi hands a CDB to the target core in the thread that popped its
 * request, before it pops another one (vhost_scsi_handle_vq()).
 */
function onCdb(event: usize): void {
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

/** Kinds whose EVENT_VQ is a queue that their event is about, a bit each. */
const OF_QUEUE: u32 =
  (1 << EventKind.Used) |
  (1 << EventKind.Drain) |
  (1 << EventKind.Rearm) |
  (1 << EventKind.Uflags) |
  (1 << EventKind.Giveback);

/** The queue that a record is about, by its kernel address; 0: none. */
export function queueOfEvent(event: usize): u64 {
  let pop = <u32>load<u8>(event + EVENT_KIND) == EventKind.Pop;
  return pop ? poppedQueue(event) : load<u64>(event + EVENT_VQ);
}

/** Whether a record is of a queue, or of a QEMU, of which the host did not yet say the machine. */
// @ts-ignore: decorator
@inline
export function isUnplaced(event: usize, stream: u32): bool {
  let kind = <u32>load<u8>(event + EVENT_KIND);
  if (kind >= <u32>EventKind.Other) return kind > <u32>EventKind.Other && !machineOfSpace(streamAt(stream).space);
  if ((OF_QUEUE >> kind) & 1) {
    return !knownQueue(load<u64>(event + EVENT_VQ)) && isFirst(event, kind);
  }
  if (kind != EventKind.Pop) return false;
  let vq = poppedQueue(event);
  return vq != 0 && !knownQueue(vq) && roomForQueue();
}

function isFirst(event: usize, kind: u32): bool {
  // SET_ENDPOINT writes the flags of queues that were never set up, too: they are none.
  if (kind == EventKind.Uflags && load<u64>(event + EVENT_LOGADDR) == NO_ADDRESS) return false;
  return roomForQueue();
}

/** Replays one record. True: the host must look at it. */
export function apply(event: usize, stream: u32): bool {
  enterMoment(event, stream);
  if (<u32>load<u8>(event + EVENT_KIND) > <u32>EventKind.Other) enterSpace(streamAt(stream).space);
  switch (<u32>load<u8>(event + EVENT_KIND)) {
    case EventKind.Desc:
      onDesc(event);
      return false;
    case EventKind.Pop:
      onPop(event);
      return false;
    case EventKind.Used:
      onUsed(event);
      return false;
    case EventKind.Drain:
      return onDrain(event);
    case EventKind.Rearm:
      onRearm(event);
      return false;
    case EventKind.Uflags:
      onUflags(event);
      return false;
    case EventKind.Giveback:
      onGiveback(event);
      return false;
    case EventKind.Rx:
      onRx(event);
      return false;
    case EventKind.RxRet:
      onRxRet(event);
      return false;
    case EventKind.Cdb:
      onCdb(event);
      return false;
    case EventKind.QMap:
      onMap(event);
      return false;
    case EventKind.QPop:
      onElementPop(event);
      return false;
    case EventKind.QFill:
      onElementFill(event);
      return false;
    case EventKind.QNotify:
      return onNotify(event);
    case EventKind.QScsiReq:
    case EventKind.QTmfReq:
      onScsiRequest(event, load<u8>(event + EVENT_KIND) == EventKind.QScsiReq);
      return false;
    case EventKind.QScsiResp:
    case EventKind.QTmfResp:
      onScsiResponse(event, load<u8>(event + EVENT_KIND) == EventKind.QScsiResp);
      return false;
    case EventKind.QBlk:
      onBlk(event);
      return false;
    case EventKind.QSave:
      return onSave(event);
    case EventKind.QLoad:
      return onLoad(event);
    case EventKind.QDirtied:
      onDirtied(event);
      return false;
    case EventKind.QFlushed:
      onFlushed(load<u64>(event + EVENT_TS));
      return false;
    case EventKind.QFlush:
      onElementFlush(event);
      return false;
    default:
      return true;
  }
}
