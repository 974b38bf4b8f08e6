/** Which rule a record is replayed by, and whether the host must say first whose it is. */
import { NO_ADDRESS } from "../abi";
import { EVENT_DEV, EVENT_KIND, EVENT_LOGADDR, EVENT_TS, EVENT_VQ, EventKind } from "../event-abi";
import { QUEUE_DEV } from "../queue-abi";
import { onGiveback, onRx, onRxRet } from "./net";
import { streamAt } from "../decode/stream";
import { knownQueue, retireQueue, roomForQueue } from "../known/queue";
import { enterSpace, machineOfSpace } from "../known/space";
import { enterMoment } from "../known/moment";
import { onFlushed, onXbzrle } from "../migration/migration";
import { onPacket } from "../migration/packets";
import { onLoad, onPlacedPages, onPostcopy, onSave } from "../migration/sends";
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
import { onUsed } from "./used";
import {
  onSpdkDesc,
  onSpdkGet,
  onSpdkUsed,
  onVuAddress,
  onVuFill,
  onVuPop,
  onVuPopEntry,
} from "./user-chain";
import { onRearm, onUflags } from "./used-ring";
import { onCdb, onDesc, onDrain, onPop, poppedQueue } from "./vhost";

/** Kinds whose EVENT_VQ is a queue that their event is about, a bit each. */
const OF_QUEUE: u32 =
  (1 << EventKind.Used) |
  (1 << EventKind.Drain) |
  (1 << EventKind.Rearm) |
  (1 << EventKind.Uflags) |
  (1 << EventKind.Giveback) |
  (1 << EventKind.SpdkGet) |
  (1 << EventKind.SpdkUsed) |
  (1 << EventKind.VuPopEntry) |
  (1 << EventKind.VuFill);

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
  if (kind == EventKind.Drain) retireReused(event);
  if ((OF_QUEUE >> kind) & 1) {
    return !knownQueue(load<u64>(event + EVENT_VQ)) && isFirst(event, kind);
  }
  if (kind != EventKind.Pop) return false;
  let vq = poppedQueue(event);
  return vq != 0 && !knownQueue(vq) && roomForQueue();
}

/** A queue is of one struct vhost_dev as long as it lives: with another one its address was given anew. */
function retireReused(event: usize): void {
  let q = knownQueue(load<u64>(event + EVENT_VQ));
  let dev = load<u64>(event + EVENT_DEV);
  if (q && dev && load<u64>(q + QUEUE_DEV) && load<u64>(q + QUEUE_DEV) != dev) retireQueue(q);
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
    case EventKind.SpdkGet:
      return onSpdkGet(event);
    case EventKind.SpdkDesc:
      onSpdkDesc(event);
      return false;
    case EventKind.SpdkUsed:
      return onSpdkUsed(event);
    case EventKind.VuPopEntry:
      return onVuPopEntry(event);
    case EventKind.VuAddress:
      onVuAddress(event);
      return false;
    case EventKind.VuPop:
      onVuPop(event);
      return false;
    case EventKind.VuFill:
      return onVuFill(event);
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
    case EventKind.QXbzrle:
      return onXbzrle();
    case EventKind.QPostcopyLoad:
      return onPostcopy(event);
    case EventKind.QPlaced:
      onPlacedPages(event);
      return false;
    case EventKind.QDirtied:
      onDirtied(event);
      return false;
    case EventKind.QPacketPages:
    case EventKind.QPacketFill:
    case EventKind.QPacketSend:
    case EventKind.QPacketUnfill:
    case EventKind.QPacketRecv:
      onPacket(event);
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
