/**
 * Completions of user-space back ends: SPDK (lib/vhost/rte_vhost_user.c), DPDK (lib/vhost), libvhost-user
 * (subprojects/libvhost-user). They read a chain again when it completes, so nothing is captured at
 * its pop, and they know one switch of the log: LOG_ALL. Rules: docs/model.md.
 */
import { NO_ADDRESS } from "../abi";
import { EVENT_FEAT, EVENT_HEAD, EVENT_IDX, EVENT_LEN, EVENT_LOGADDR, EVENT_LOGUSED, EVENT_NUM } from "../event-abi";
import { Cause } from "../page-abi";
import { DESC_ACC, DESC_GPA, DESC_LEN, DESC_SIZE, Driver, QUEUE_BEYOND_LOG, QUEUE_DRIVER, QUEUE_LATE_TABLES, QUEUE_REJECTED, QUEUE_SLOT_UNKNOWN, QUEUE_SPLIT_HEADERS, QUEUE_WRITE_DESCS, REQUEST_CAUSE, REQUEST_DESCS, REQUEST_DESC_COUNT, REQUEST_FLAGS } from "../queue-abi";
import { QUEUE_PACKET_OPEN, QUEUE_RING, QUEUE_SLOT, REQUEST_AGAIN, REQUEST_INDIRECT, REQUEST_LATE_TABLE } from "../known/fields";
import { beyondLog, logTold } from "../known/back-end";
import { learnDriver } from "../known/device";
import { machine } from "../known/machine";
import { LOG_ALL, noBase, ringCause } from "../known/log-state";
import { addCount, hasFlag, setFlag, setInFlight } from "../known/queue";
import { complete } from "./net";
import { pages } from "../pages/page-state";
import { descriptorCause, markPart, markParts, noteUnknownHead, tellLengths } from "./completion";
import { countWritten } from "./request";
import { write } from "./write";

const NET_F_MRG_RXBUF: u64 = 1 << 15;
const F_VERSION_1: u64 = 1 << 32;

/** Bytes of a used element of a packed ring: a whole descriptor (virtio 1.2, 2.8.13). */
const PACKED_DESC: u64 = 16;

function count(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** A write that is logged as `cause` says, unless its range ends beyond the log. */
function writeWithin(
  cause: u32,
  beyond: u32,
  gpa: u64,
  len: u64,
  q: usize,
  request: usize,
): void {
  let c = cause;
  if (beyond && beyondLog(q, gpa, len)) {
    count(q + QUEUE_BEYOND_LOG);
    c = beyond;
  }
  write(c, gpa, len, q, request);
}

/** The element and the index of a split ring. */
export function splitRing(q: usize, event: usize, num: u32, idx: u32, n: u32, index: bool): void {
  let base = load<u64>(event + EVENT_LOGADDR);
  if (base == NO_ADDRESS || !num) return;
  let cause = ringCause(q, load<u8>(event + EVENT_LOGUSED), load<u64>(event + EVENT_FEAT));
  let beyond: u32 = cause == Cause.RingLogged ? Cause.RingBeyond : 0;
  let slot = idx & (num - 1);
  let first = min<u32>(n, num - slot);
  writeWithin(cause, beyond, base + 4 + 8 * <u64>slot, 8 * <u64>first, q, 0);
  if (n > first) {
    writeWithin(cause, beyond, base + 4, 8 * <u64>min<u32>(n - first, num), q, 0);
  }
  if (index) writeWithin(cause, beyond, base + 2, 2, q, 0);
}

/**
 * The used descriptor of a packed ring, at the next slot: the slot moves on by the descriptors that
 * the chain takes in the ring, 1 where they stand in an indirect table (virtio 1.2, 2.8.7). What is
 * logged is that slot behind the log address, which QEMU sets to the device event area.
 */
export function packedRing(q: usize, event: usize, num: u32, request: usize): void {
  let base = load<u64>(event + EVENT_LOGADDR);
  if (!num) return;
  let idx = <u32>load<u16>(event + EVENT_IDX);
  let slot = load<i32>(q + QUEUE_SLOT);
  // The first completion of a ring is at its start; of one that was met later the slot is not known.
  if (!idx && (slot == -1 || !request)) slot = 0;
  let unsure = slot == -1 || !request;
  if (slot == -1) slot = 0;
  let ring = load<u64>(q + QUEUE_RING);
  if (ring == NO_ADDRESS) ring = base;
  let feat = load<u64>(event + EVENT_FEAT);
  let on = (feat & LOG_ALL) != 0;
  let at = PACKED_DESC * <u64>(<u32>slot % num);
  let logged = on && load<u8>(event + EVENT_LOGUSED) != 0 && !noBase(q) && base != NO_ADDRESS;
  let within = logged && !beyondLog(q, base + at, PACKED_DESC);
  if (logged && !within) count(q + QUEUE_BEYOND_LOG);
  if (ring != NO_ADDRESS) {
    let cause: u32 = ring == base ? Cause.PackedLogged : Cause.PackedLeftOut;
    if (!on) cause = ring == base ? Cause.PackedOff : Cause.PackedLeftOff;
    else if (!within) cause = Cause.PackedLeftOut;
    write(cause, ring + at, PACKED_DESC, q, 0);
  }
  if (within && ring != base) write(Cause.PackedAstray, base + at, PACKED_DESC, q, 0);
  // A ring that lies in one page is written there, whichever slot it is.
  if (unsure && (ring >> 12 != (ring + PACKED_DESC * <u64>num - 1) >> 12)) count(q + QUEUE_SLOT_UNKNOWN);
  if (!request) {
    store<i32>(q + QUEUE_SLOT, -1);
    return;
  }
  let flags = load<u32>(request + REQUEST_FLAGS);
  let took: u32 = flags & REQUEST_INDIRECT ? 1 : max<u32>(load<u32>(request + REQUEST_DESC_COUNT), 1);
  // More descriptors than the ring has: they stood in a table that was not recorded.
  if (took > num) took = 1;
  store<i32>(q + QUEUE_SLOT, unsure && load<i32>(q + QUEUE_SLOT) == -1 ? -1 : <i32>((<u32>slot + took) % num));
}

/** Completions of a packed ring are lost, and so by how much its slot moved on. */
export function loseSlots(q: usize): void {
  store<i32>(q + QUEUE_SLOT, -1);
}

/** The class of a device, by the shape of a chain; VhostUser where it has none of these shapes. */
function classOf(request: usize): u32 {
  let n = load<u32>(request + REQUEST_DESC_COUNT);
  let descs = <usize>load<u32>(request + REQUEST_DESCS);
  // The table itself is not the request.
  let first: u32 = load<u32>(request + REQUEST_FLAGS) & REQUEST_INDIRECT ? 1 : 0;
  if (n < first + 2) return Driver.VhostUser;
  let head = descs + first * DESC_SIZE;
  if (load<u32>(head + DESC_ACC) == 2) return Driver.VhostUser;
  let header = load<u32>(head + DESC_LEN);
  let last = descs + (n - 1) * DESC_SIZE;
  // struct virtio_blk_outhdr and the status byte.
  if (header == 16 && load<u32>(last + DESC_ACC) == 2 && load<u32>(last + DESC_LEN) == 1) {
    return Driver.VhostUserBlk;
  }
  let written: u32 = 0;
  for (let desc = head; desc <= last; desc += DESC_SIZE) {
    if (load<u32>(desc + DESC_ACC) != 2) continue;
    written = load<u32>(desc + DESC_LEN);
    break;
  }
  // struct virtio_scsi_cmd_req and _resp; struct fuse_in_header and fuse_out_header.
  if (header == 51 && written == 108) return Driver.VhostUserScsi;
  if (header == 40 && written == 16) return Driver.VhostUserFs;
  return Driver.VhostUser;
}

/** Every write descriptor with its full length: SPDK's vhost_log_req_desc(). */
function userData(q: usize, request: usize, event: usize): void {
  // Before this request's own marks: what is marked so far had no length.
  if (markParts && !pages().lengthSeen) tellLengths();
  let feat = load<u64>(event + EVENT_FEAT);
  let flags = load<u32>(request + REQUEST_FLAGS);
  let cause = descriptorCause(q, flags, feat);
  let logged = (feat & LOG_ALL) != 0 && !noBase(q);
  let beyond: u32 = logged ? Cause.IoBeyond : 0;
  if (flags & REQUEST_LATE_TABLE) {
    count(q + QUEUE_LATE_TABLES);
    if (logged) {
      cause = Cause.IoRefused;
      beyond = 0;
    }
  }
  store<u32>(request + REQUEST_CAUSE, cause);
  let desc = <usize>load<u32>(request + REQUEST_DESCS);
  let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
  for (; desc < end; desc += DESC_SIZE) {
    if (load<u32>(desc + DESC_ACC) != 2) continue;
    let length = <u64>load<u32>(desc + DESC_LEN);
    addCount(q + QUEUE_WRITE_DESCS, 1);
    countWritten(q, request, length);
    writeWithin(cause, beyond, load<u64>(desc + DESC_GPA), length, q, request);
  }
  if (markParts) markPart(q, request, feat, load<u32>(event + EVENT_LEN));
}

/**
 * A received packet: virtio-net header, then data, the first `rest` bytes of the write descriptors.
 * DPDK copies header and data apart and logs each copy (virtio_net.c). Where the header lies in
 * several descriptors, copy_vnet_hdr_to_desc() logs each piece behind the address of the first.
 */
function userPacket(q: usize, request: usize, event: usize): void {
  let feat = load<u64>(event + EVENT_FEAT);
  let rest = <u64>load<u32>(event + EVENT_LEN);
  let on = (feat & LOG_ALL) != 0;
  let logged = on && !noBase(q);
  let cause: u32 = logged ? Cause.RxLogged : on ? Cause.RxNoBase : Cause.RxOff;
  let beyond: u32 = logged ? Cause.RxBeyond : 0;
  let header: u64 = 0;
  if (!hasFlag(q, QUEUE_PACKET_OPEN)) header = feat & (NET_F_MRG_RXBUF | F_VERSION_1) ? 12 : 10;
  if (header > rest) header = rest;
  store<u32>(request + REQUEST_CAUSE, cause);
  let astray: u64 = 0;
  let pieces: u32 = 0;
  let desc = <usize>load<u32>(request + REQUEST_DESCS);
  let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
  for (; desc < end && rest; desc += DESC_SIZE) {
    let length = <u64>load<u32>(desc + DESC_LEN);
    if (load<u32>(desc + DESC_ACC) != 2 || !length) continue;
    let gpa = load<u64>(desc + DESC_GPA);
    addCount(q + QUEUE_WRITE_DESCS, 1);
    countWritten(q, request, min<u64>(length, rest));
    if (header) {
      let piece = min<u64>(length, header);
      if (!pieces++) {
        writeWithin(cause, beyond, gpa, piece, q, request);
        astray = gpa + piece;
      } else {
        if (pieces == 2) count(q + QUEUE_SPLIT_HEADERS);
        write(logged ? <u32>Cause.HeaderPiece : cause, gpa, piece, q, request);
        if (logged && !beyondLog(q, astray, piece)) {
          write(Cause.HeaderAstray, astray, piece, q, request);
        }
        astray += piece;
      }
      header -= piece;
      rest -= piece;
      gpa += piece;
      length -= piece;
    }
    if (!length || !rest) continue;
    let data = min<u64>(length, rest);
    rest -= data;
    writeWithin(cause, beyond, gpa, data, q, request);
  }
  // A packet that fills its chain may go on in the next one, without a header there.
  setFlag(q, QUEUE_PACKET_OPEN, (feat & NET_F_MRG_RXBUF) != 0 && !rest && desc == end && filled(request, event));
}

/** Whether the used length is all that the chain has room for. */
function filled(request: usize, event: usize): bool {
  let room: u64 = 0;
  let desc = <usize>load<u32>(request + REQUEST_DESCS);
  let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
  for (; desc < end; desc += DESC_SIZE) {
    if (load<u32>(desc + DESC_ACC) == 2) room += load<u32>(desc + DESC_LEN);
  }
  return room != 0 && room == <u64>load<u32>(event + EVENT_LEN);
}

/** A completion of a user-space back end, whose ring writes are marked. `n` elements. */
export function userCompletion(q: usize, event: usize, request: usize, n: u32): void {
  if (n != 1) return;
  let head = load<u32>(event + EVENT_HEAD);
  if (!request) {
    // A head that the ring does not have is answered without a chain.
    if (head >= load<u32>(event + EVENT_NUM)) addCount(q + QUEUE_REJECTED, 1);
    else noteUnknownHead(q, event, head);
    return;
  }
  if (load<u64>(event + EVENT_FEAT) & LOG_ALL && !noBase(q) && !logTold(q)) ++machine.basesAssumed;
  let driver = load<u32>(q + QUEUE_DRIVER);
  if (driver == Driver.VhostUser) {
    let found = classOf(request);
    if (found != Driver.VhostUser) learnDriver(q, found);
  }
  if (driver == Driver.VhostUserNet) userPacket(q, request, event);
  else userData(q, request, event);
  // The same head was offered again before this: it is answered again, too.
  let again = load<u32>(request + REQUEST_AGAIN);
  if (again) {
    store<u32>(request + REQUEST_AGAIN, again - 1);
    return;
  }
  setInFlight(q, head, 0);
  complete(q, request, load<u32>(event + EVENT_LEN), load<u16>(event + EVENT_IDX));
}
