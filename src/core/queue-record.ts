/** The core's queues, requests and pieces of evidence as plain data. */
import { NO_ADDRESS as ABI_NO_ADDRESS } from "../../assembly/abi.ts";
import {
  EVIDENCE_CAUSE,
  EVIDENCE_GPA,
  EVIDENCE_HEAD,
  EVIDENCE_LEN,
  EVIDENCE_PLACE,
  EVIDENCE_POP_PLACE,
  EVIDENCE_POP_STREAM,
  EVIDENCE_POP_TS,
  EVIDENCE_QUEUE,
  EVIDENCE_REQUEST,
  EVIDENCE_ROUND,
  EVIDENCE_STREAM,
  EVIDENCE_TS,
} from "../../assembly/page-abi.ts";
import {
  DESC_ACC,
  DESC_GPA,
  DESC_LEN,
  DESC_SIZE,
  type Driver,
  QUEUE_BAD_RING,
  QUEUE_BEYOND_LOG,
  QUEUE_CAPTURE_UNKNOWN,
  QUEUE_COMPLETED,
  QUEUE_DEV,
  QUEUE_DRIVER,
  QUEUE_DROPPED,
  QUEUE_FREED,
  QUEUE_ID,
  QUEUE_IN_FLIGHT,
  QUEUE_INDEX,
  QUEUE_LAST_UNKNOWN_PLACE,
  QUEUE_LAST_UNKNOWN_STREAM,
  QUEUE_LATE,
  QUEUE_LATE_TABLES,
  QUEUE_LOGADDR,
  QUEUE_LOST_COMPLETIONS,
  QUEUE_LOST_POPS,
  QUEUE_MISFIT,
  QUEUE_NEXT,
  QUEUE_NO_BASE,
  QUEUE_NO_BUFFER,
  QUEUE_NUM,
  QUEUE_OUT_OF_RANGE,
  QUEUE_POPPED,
  QUEUE_Q0,
  QUEUE_REJECTED,
  QUEUE_SLOT_UNKNOWN,
  QUEUE_SPLIT_HEADERS,
  QUEUE_STEP,
  QUEUE_UNKNOWN_HEAD,
  QUEUE_UNKNOWN_PLACE,
  QUEUE_UNKNOWN_STREAM,
  QUEUE_UNMAPPED,
  QUEUE_UNPLACED,
  QUEUE_USED_LEN,
  QUEUE_VQ,
  QUEUE_WRITE_BYTES,
  QUEUE_WRITE_DESCS,
  REQUEST_ANSWERED,
  REQUEST_CAPTURE_UNKNOWN,
  REQUEST_CAPTURED,
  REQUEST_CAUSE,
  REQUEST_CDB,
  REQUEST_DESC_COUNT,
  REQUEST_DESCS,
  REQUEST_ELEMENT,
  REQUEST_FLAGS,
  REQUEST_FREED,
  REQUEST_HAS_CDB,
  REQUEST_HEAD,
  REQUEST_LENGTH_UNKNOWN,
  REQUEST_LUN,
  REQUEST_NAMED,
  REQUEST_OPCODE,
  REQUEST_POP_PLACE,
  REQUEST_POP_STREAM,
  REQUEST_POP_TS,
  REQUEST_QUEUE,
  REQUEST_RESPONSE,
  REQUEST_SERIAL,
  REQUEST_STATE,
  REQUEST_STATUS,
  REQUEST_TAG,
  REQUEST_UNMAPPED,
  REQUEST_USED_IDX,
  REQUEST_USED_LEN,
  REQUEST_USED_PLACE,
  REQUEST_USED_STREAM,
  REQUEST_USED_TS,
  REQUEST_WRITTEN,
  RequestState,
} from "../../assembly/queue-abi.ts";
import type { Place } from "../model/place.ts";
import type { Evidence } from "../model/result.ts";
import type { RequestRecord } from "../model/told.ts";
import { causeName } from "../vhost/policy.ts";
import type { Core } from "./core.ts";

/** A virtqueue as the core counted it. */
export interface Queue {
  id: number;
  /** Number of its machine in the core, from 0. */
  machine: number;
  vq: bigint;
  dev: bigint;
  index: number | null;
  num: number;
  used: bigint | null;
  popped: number;
  completed: number;
  unknownHead: number;
  rejected: number;
  dropped: number;
  lostCompletions: number;
  /** Chains that last_avail_idx shows to be taken and of which no pop was seen. */
  lostPops: number;
  writeDescriptors: number;
  writeBytes: number;
  outOfRange: number;
  captureUnknown: number;
  usedLen: number;
  late: number;
  freed: number;
  noBase: number;
  /** vhost-net in order: elements whose slot is not known. */
  unplaced: number;
  /** Event chains without a writable buffer. */
  noBuffer: number;
  /** Device of QEMU: elements whose addresses are not known; of these, the mappings did not fit. */
  unmapped: number;
  misfit: number;
  /** Events with a size of the ring that no virtqueue has. */
  badRing: number;
  /** User-space back ends: ranges that end behind the log while logging is on. */
  beyondLog: number;
  /** Chains with an indirect table behind another descriptor. */
  lateTables: number;
  /** Used descriptors of a packed ring whose slot is not known. */
  slotUnknown: number;
  /** Packets whose virtio-net header lies in several descriptors. */
  splitHeaders: number;
  driver: Driver;
  inFlight: number;
  /** vqs[0] and the distance of the device's virtqueues; 0 before a drain. */
  q0: bigint;
  step: bigint;
  firstUnknown: { stream: number; place: number };
  lastUnknown: { stream: number; place: number };
}

/** Whose a queue is: number of its machine and of its device. */
export interface QueueName {
  machine: number;
  device: number;
  index: number | null;
  vq: bigint;
}

/** Resolves a stream's `place` of a record to a place in the user's file. */
export type PlaceOf = (stream: number, place: number) => Place;

/**
 * The address of a virtqueue as the recording has it: those of QEMU's processes are told apart in
 * the top byte (assembly/device/qemu-device.ts addressKey()).
 */
export function ownAddress(vq: bigint): bigint {
  const top = vq >> 56n;
  // That of a retired queue of the kernel: assembly/known/queue.ts retireQueue().
  if (top === 0xfen) return vq | (0xffn << 56n);
  return top === 0xffn ? vq : vq & 0x00ffffffffffffffn;
}

/** VHOST_SCSI_MAX_VQ allows 1024 I/O queues. */
const MAX_VQS = 1026n;
/** A ring address that is not set: log_addr before VHOST_SET_VRING_ADDR. */
export const NO_ADDRESS = BigInt.asUintN(64, BigInt(ABI_NO_ADDRESS));

/** All queues, in the order in which they were first seen. */
export function readQueues(core: Core): Queue[] {
  const queues: Queue[] = [];
  for (let at = core.exports.firstQueuePtr(); at !== 0; ) {
    const view = core.view;
    const index = view.getInt32(at + QUEUE_INDEX, true);
    const used = view.getBigUint64(at + QUEUE_LOGADDR, true);
    const count = (offset: number): number => core.u64(at + offset);
    queues.push({
      id: view.getUint32(at + QUEUE_ID, true),
      machine: core.exports.machineOfQueue(view.getUint32(at + QUEUE_ID, true)),
      vq: view.getBigUint64(at + QUEUE_VQ, true),
      dev: view.getBigUint64(at + QUEUE_DEV, true),
      index: index < 0 ? null : index,
      num: view.getUint32(at + QUEUE_NUM, true),
      used: used === NO_ADDRESS ? null : used,
      popped: count(QUEUE_POPPED),
      completed: count(QUEUE_COMPLETED),
      unknownHead: count(QUEUE_UNKNOWN_HEAD),
      rejected: count(QUEUE_REJECTED),
      dropped: count(QUEUE_DROPPED),
      lostCompletions: count(QUEUE_LOST_COMPLETIONS),
      lostPops: view.getUint32(at + QUEUE_LOST_POPS, true),
      writeDescriptors: count(QUEUE_WRITE_DESCS),
      writeBytes: count(QUEUE_WRITE_BYTES),
      outOfRange: count(QUEUE_OUT_OF_RANGE),
      captureUnknown: count(QUEUE_CAPTURE_UNKNOWN),
      usedLen: count(QUEUE_USED_LEN),
      late: count(QUEUE_LATE),
      freed: count(QUEUE_FREED),
      noBase: count(QUEUE_NO_BASE),
      unplaced: view.getUint32(at + QUEUE_UNPLACED, true),
      noBuffer: view.getUint32(at + QUEUE_NO_BUFFER, true),
      unmapped: view.getUint32(at + QUEUE_UNMAPPED, true),
      badRing: view.getUint32(at + QUEUE_BAD_RING, true),
      misfit: view.getUint32(at + QUEUE_MISFIT, true),
      beyondLog: view.getUint32(at + QUEUE_BEYOND_LOG, true),
      lateTables: view.getUint32(at + QUEUE_LATE_TABLES, true),
      slotUnknown: view.getUint32(at + QUEUE_SLOT_UNKNOWN, true),
      splitHeaders: view.getUint32(at + QUEUE_SPLIT_HEADERS, true),
      driver: view.getUint32(at + QUEUE_DRIVER, true),
      inFlight: view.getUint32(at + QUEUE_IN_FLIGHT, true),
      q0: view.getBigUint64(at + QUEUE_Q0, true),
      step: view.getBigUint64(at + QUEUE_STEP, true),
      firstUnknown: {
        stream: view.getUint16(at + QUEUE_UNKNOWN_STREAM, true),
        place: count(QUEUE_UNKNOWN_PLACE),
      },
      lastUnknown: {
        stream: view.getUint16(at + QUEUE_LAST_UNKNOWN_STREAM, true),
        place: count(QUEUE_LAST_UNKNOWN_PLACE),
      },
    });
    at = view.getUint32(at + QUEUE_NEXT, true);
  }
  adopt(queues);
  return queues;
}

/**
 * Gives queues that were never drained (SET_ENDPOINT writes the flags of all 130) to the device
 * in whose array of virtqueues they lie.
 */
function adopt(queues: readonly Queue[]): void {
  const arrays = [
    ...new Map(
      queues
        .filter((queue) => queue.dev !== 0n && queue.step !== 0n)
        .map(({ dev, q0, step }) => [dev, { dev, q0, step }]),
    ).values(),
  ].sort((a, b) => (a.q0 < b.q0 ? -1 : 1));
  for (const queue of queues) {
    if (queue.dev !== 0n) continue;
    // Arrays do not overlap: it is in the one that begins last before it, or in none.
    let from = 0;
    for (let to = arrays.length; from < to; ) {
      const middle = (from + to) >>> 1;
      if (arrays[middle]!.q0 <= queue.vq) from = middle + 1;
      else to = middle;
    }
    const array = arrays[from - 1];
    if (!array) continue;
    const distance = queue.vq - array.q0;
    if (distance % array.step !== 0n || distance / array.step >= MAX_VQS) continue;
    queue.dev = array.dev;
    queue.index ??= Number(distance / array.step);
  }
}

/** No stream: the event was not seen. */
const NOT_SEEN = 0xffff;

/** The EVIDENCE record at `at`; `deviceOf` gives a queue's position among the devices. */
export function readEvidence(
  core: Core,
  at: number,
  placeOf: PlaceOf,
  queueOf: (id: number) => QueueName,
): Evidence {
  const view = core.view;
  const request = core.u64(at + EVIDENCE_REQUEST);
  const popStream = view.getUint16(at + EVIDENCE_POP_STREAM, true);
  const head = view.getInt32(at + EVIDENCE_HEAD, true);
  const queue = queueOf(view.getUint32(at + EVIDENCE_QUEUE, true));
  const popSeen = request !== 0 && popStream !== NOT_SEEN;
  return {
    machine: queue.machine,
    cause: causeName(view.getUint32(at + EVIDENCE_CAUSE, true)),
    device: queue.device,
    queue: queue.index,
    head: head < 0 ? null : head,
    request: request === 0 ? null : request,
    round: view.getUint32(at + EVIDENCE_ROUND, true),
    gpa: core.u64(at + EVIDENCE_GPA),
    len: core.u64(at + EVIDENCE_LEN),
    place: placeOf(view.getUint16(at + EVIDENCE_STREAM, true), core.u64(at + EVIDENCE_PLACE)),
    ns: view.getBigUint64(at + EVIDENCE_TS, true).toString(),
    popPlace: popSeen ? placeOf(popStream, core.u64(at + EVIDENCE_POP_PLACE)) : null,
    popNs: popSeen ? view.getBigUint64(at + EVIDENCE_POP_TS, true).toString() : null,
  };
}

/** Length of a CDB by the group of its opcode, SPC-4 4.3.4; of a longer one 16 bytes are recorded. */
const CDB_LENGTHS = [6, 10, 10, 16, 16, 12, 16, 16];

/** The CDB as hex bytes, as far as it was recorded. */
function cdbText(view: DataView, at: number): string {
  const length = CDB_LENGTHS[view.getUint8(at) >> 5]!;
  const bytes = Array.from({ length }, (_, i) => view.getUint8(at + i));
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

const STATES: Record<RequestState, RequestRecord["state"]> = {
  [RequestState.InFlight]: "in-flight",
  [RequestState.Completed]: "completed",
  [RequestState.Dropped]: "dropped",
  [RequestState.UnknownHead]: "unknown-head",
};

/** The request at `at`, with its descriptors. */
export function readRequest(
  core: Core,
  at: number,
  placeOf: PlaceOf,
  queueOf: (id: number) => QueueName,
): RequestRecord {
  const view = core.view;
  const queue = queueOf(view.getUint32(at + REQUEST_QUEUE, true));
  const flags = view.getUint32(at + REQUEST_FLAGS, true);
  const popStream = view.getUint16(at + REQUEST_POP_STREAM, true);
  const usedStream = view.getUint16(at + REQUEST_USED_STREAM, true);
  const cause = view.getInt32(at + REQUEST_CAUSE, true);
  const head = view.getInt32(at + REQUEST_HEAD, true);
  const element = view.getBigUint64(at + REQUEST_ELEMENT, true);
  const usedIndex = view.getInt32(at + REQUEST_USED_IDX, true);
  const state = STATES[view.getUint32(at + REQUEST_STATE, true) as RequestState];
  const named = (flags & REQUEST_NAMED) !== 0;
  const opcode = view.getInt32(at + REQUEST_OPCODE, true);
  const answered = (flags & REQUEST_ANSWERED) !== 0;
  const reads: RequestRecord["reads"] = [];
  const writes: RequestRecord["writes"] = [];
  const descs = view.getUint32(at + REQUEST_DESCS, true);
  for (let i = 0; i < view.getUint32(at + REQUEST_DESC_COUNT, true); i++) {
    const desc = descs + i * DESC_SIZE;
    const entry = {
      gpa: core.u64(desc + DESC_GPA),
      len: view.getUint32(desc + DESC_LEN, true),
    };
    (view.getUint32(desc + DESC_ACC, true) === 2 ? writes : reads).push(entry);
  }
  return {
    machine: queue.machine,
    serial: core.u64(at + REQUEST_SERIAL),
    device: queue.device,
    queue: queue.index,
    vq: `0x${ownAddress(queue.vq).toString(16)}`,
    head: head < 0 ? null : head,
    element: element === 0n ? null : `0x${element.toString(16)}`,
    popped:
      popStream === NOT_SEEN
        ? null
        : {
            ns: view.getBigUint64(at + REQUEST_POP_TS, true).toString(),
            place: placeOf(popStream, core.u64(at + REQUEST_POP_PLACE)),
          },
    used:
      usedStream === NOT_SEEN
        ? null
        : {
            ns: view.getBigUint64(at + REQUEST_USED_TS, true).toString(),
            place: placeOf(usedStream, core.u64(at + REQUEST_USED_PLACE)),
            len:
              flags & REQUEST_LENGTH_UNKNOWN ? null : view.getUint32(at + REQUEST_USED_LEN, true),
            idx: element === 0n && usedIndex >= 0 ? usedIndex : null,
          },
    state,
    captured: flags & REQUEST_CAPTURE_UNKNOWN ? null : (flags & REQUEST_CAPTURED) !== 0,
    freed: (flags & REQUEST_FREED) !== 0,
    cause: cause < 0 ? null : causeName(cause),
    reads,
    writes,
    written: state === "completed" ? core.u64(at + REQUEST_WRITTEN) : null,
    addressed: (flags & REQUEST_UNMAPPED) === 0,
    lun: named || flags & REQUEST_HAS_CDB ? view.getInt32(at + REQUEST_LUN, true) : null,
    tag: named ? `0x${view.getUint32(at + REQUEST_TAG, true).toString(16)}` : null,
    opcode: named && opcode >= 0 ? `0x${opcode.toString(16).padStart(2, "0")}` : null,
    response: answered ? view.getUint16(at + REQUEST_RESPONSE, true) : null,
    status: answered && opcode >= 0 ? view.getUint16(at + REQUEST_STATUS, true) : null,
    cdb: flags & REQUEST_HAS_CDB ? cdbText(view, at + REQUEST_CDB) : null,
  };
}
