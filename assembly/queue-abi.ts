/**
 * Requests and queues, as the core keeps them and the host reads them: like abi.ts compiled by asc and by
 * tsc, so nothing but integer constants and enums.
 */

export const DESC_SIZE = 16;
export const DESC_GPA = 0;
export const DESC_LEN = 8;
export const DESC_ACC = 12;

export const REQUEST_SIZE = 136;
export const REQUEST_SERIAL = 0;
export const REQUEST_POP_TS = 8;
export const REQUEST_POP_PLACE = 16;
export const REQUEST_USED_TS = 24;
export const REQUEST_USED_PLACE = 32;
export const REQUEST_QUEUE = 40;
export const REQUEST_HEAD = 44;
export const REQUEST_DESCS = 48;
export const REQUEST_DESC_COUNT = 52;
export const REQUEST_DESC_CAP = 56;
export const REQUEST_FLAGS = 60;
export const REQUEST_POP_STREAM = 64;
export const REQUEST_USED_STREAM = 66;
export const REQUEST_CAUSE = 68;
export const REQUEST_STATE = 72;
export const REQUEST_USED_LEN = 76;
/** i32; -1: not known. */
export const REQUEST_USED_IDX = 80;
/** u64: VirtQueueElement of a QEMU device, 0 for a request of vhost. */
export const REQUEST_ELEMENT = 88;
/** i32 lun, u32 tag, i32 opcode (-1: not seen); u16 status, u16 response of virtio_scsi_*. */
export const REQUEST_LUN = 96;
export const REQUEST_TAG = 100;
export const REQUEST_OPCODE = 104;
export const REQUEST_STATUS = 108;
export const REQUEST_RESPONSE = 110;
/** The first 16 bytes of the CDB, with REQUEST_HAS_CDB. */
export const REQUEST_CDB = 112;
/** u64: bytes of it that count as written, the sum behind QUEUE_WRITE_BYTES. */
export const REQUEST_WRITTEN = 128;

export const REQUEST_CAPTURED = 1;
export const REQUEST_FREED = 2;
/** No drain of this queue was seen before the pop: the capture is inferred or unknown. */
export const REQUEST_CAPTURE_UNSEEN = 4;
export const REQUEST_CAPTURE_UNKNOWN = 8;
/** virtio_scsi_cmd_req or _tmf_req named it; virtio_scsi_cmd_resp or _tmf_resp did. */
export const REQUEST_NAMED = 16;
export const REQUEST_ANSWERED = 32;
/** QEMU device: no mapping of it was recorded, so where it wrote is not known. */
export const REQUEST_UNMAPPED = 64;
/** vhost-scsi: a cdb event gave LUN and CDB. */
export const REQUEST_HAS_CDB = 128;
/** Its used element was not seen: the length is not known. */
export const REQUEST_LENGTH_UNKNOWN = 1024;

export enum RequestState {
  InFlight = 0,
  Completed,
  Dropped,
  UnknownHead,
}

export const QUEUE_SIZE = 360;
export const QUEUE_VQ = 0;
export const QUEUE_DEV = 8;
export const QUEUE_LOGADDR = 16;
export const QUEUE_LOGBASE = 24;
export const QUEUE_FEAT = 32;
/** i32, -1 when not known. */
export const QUEUE_INDEX = 40;
export const QUEUE_NUM = 44;
export const QUEUE_ID = 48;
export const QUEUE_FLAGS = 52;
/** i32: used index expected next, -1 when not known. */
export const QUEUE_NEXT_USED = 56;
export const QUEUE_HEADS = 60;
export const QUEUE_HEADS_CAP = 64;
export const QUEUE_IN_FLIGHT = 68;
export const QUEUE_FINDINGS = 72;
export const QUEUE_NEXT = 76;
export const QUEUE_POPPED = 80;
export const QUEUE_COMPLETED = 88;
export const QUEUE_UNKNOWN_HEAD = 96;
export const QUEUE_REJECTED = 104;
export const QUEUE_DROPPED = 112;
export const QUEUE_LOST_COMPLETIONS = 120;
export const QUEUE_WRITE_DESCS = 128;
export const QUEUE_WRITE_BYTES = 136;
export const QUEUE_OUT_OF_RANGE = 144;
export const QUEUE_CAPTURE_UNKNOWN = 152;
export const QUEUE_USED_LEN = 160;
/** Requests completed while logging was on whose entries were not captured. */
export const QUEUE_LATE = 168;
export const QUEUE_FREED = 176;
export const QUEUE_NO_BASE = 184;
/** u64 place and ts of the first completion with an unknown head, u16 stream. */
export const QUEUE_UNKNOWN_PLACE = 192;
export const QUEUE_UNKNOWN_TS = 200;
export const QUEUE_UNKNOWN_STREAM = 208;
/** u64 place of the last completion with an unknown head; u16 stream. */
export const QUEUE_LAST_UNKNOWN_PLACE = 216;
export const QUEUE_LAST_UNKNOWN_STREAM = 224;
/** u64: vqs[0] of the device and the distance of its virtqueues; 0 before a drain. */
export const QUEUE_Q0 = 232;
export const QUEUE_STEP = 240;

/** u32, Driver. */
export const QUEUE_DRIVER = 248;
/** vhost-net, in order: chains of each packet received and not yet published, a FIFO of u16. */
export const QUEUE_FIFO = 252;
export const QUEUE_FIFO_HEAD = 256;
export const QUEUE_FIFO_COUNT = 260;
/** u32: elements of an in-order ring whose place is not known. */
export const QUEUE_UNPLACED = 264;
/** u32: event chains that were used and had no writable buffer. */
export const QUEUE_NO_BUFFER = 268;
/** QEMU device: elements of which no mapping was seen; elements whose mappings do not fit. */
export const QUEUE_UNMAPPED = 272;
export const QUEUE_MISFIT = 276;
/** u32: ranges that lie beyond the end of the log while logging is on. */
export const QUEUE_BEYOND_LOG = 304;
/** u32: chains with an indirect table behind another descriptor. */
export const QUEUE_LATE_TABLES = 308;
/** u32: used descriptors of a packed ring, slot not known; split virtio-net headers; impossible ring sizes. */
export const QUEUE_SLOT_UNKNOWN = 312;
export const QUEUE_SPLIT_HEADERS = 316;
export const QUEUE_BAD_RING = 320;
/** u32: its machine's structure; its device's number plus 1, 0 before it is known; the next queue of that. */
export const QUEUE_MACHINE = 324;
export const QUEUE_DEVICE = 328;
export const QUEUE_DEVICE_NEXT = 332;
/**
 * i32: last_avail_idx as it was told last, -1 before; u32: chains that it shows to be taken and of which
 * no pop was seen; u32: QUEUE_POPPED when it was told.
 */
export const QUEUE_AVAIL = 344;
export const QUEUE_LOST_POPS = 348;
export const QUEUE_AVAIL_POPPED = 352;

/** Which driver a queue belongs to; Unknown is taken as vhost-scsi. */
export enum Driver {
  Unknown = 0,
  Scsi,
  Net,
  Vsock,
  /** A user-space back end, class not known; which class. */
  VhostUser,
  VhostUserScsi,
  VhostUserBlk,
  VhostUserNet,
  VhostUserFs,
  /** A device of QEMU itself, and which. */
  Qemu,
  QemuScsi,
  QemuBlk,
}

export const QUEUE_DRAINED = 1;
export const QUEUE_CAPTURE_ON = 2;
export const QUEUE_FEAT_KNOWN = 4;
export const QUEUE_LOGBASE_KNOWN = 8;
export const QUEUE_INDEX_KNOWN = 16;

/** A write into the watched range: an EVIDENCE record. */
export const MAX_QUEUES = 16384;
/** Devices that are told apart; queues of others are of none. */
export const MAX_DEVICES = 16384;
/** QEMU's recordings, by the number of their input, that have a machine of their own. */
export const MAX_SPACES = 128;
/** Machines beyond it share the last one. */
export const MAX_MACHINES = 1024;
/** VIRTQUEUE_MAX_SIZE of virtio: a head is below it. */
export const MAX_HEADS = 32768;
/** Descriptors of one chain; vhost's own limit is 65536 in an indirect table. */
export const MAX_CHAIN = 65536;
