/**
 * Constants that both sides of the Wasm boundary use: compiled by asc and by tsc, so it may hold
 * nothing but integer constants and enums, and may import nothing.
 */

/** Version of this boundary; the host refuses a core with another one. */
export const ABI = 1;

// ---------------------------------------------------------------- guest pages

/** VHOST_PAGE_SIZE (drivers/vhost/vhost.h): 4096 whatever the host's page size is. */
export const PAGE_SHIFT = 12;
/** Guest-physical space covered: 16 TiB, so a page number fits 32 bits. */
export const GPA_BITS = 44;
/** One block of pages is 2 MiB of guest memory: 512 bits, one cache line a plane. */
export const BLOCK_SHIFT = 21;
export const BLOCK_WORDS = 8;
export const BLOCK_BYTES = 64;

/** Host-virtual or ring address that is not set (log_addr before SET_VRING_ADDR): all 64 bits, as i64. */
export const NO_ADDRESS = -1;

// ---------------------------------------------------------------- events

/** What a normalised event record says. */
export enum EventKind {
  /** translate_desc(): one descriptor of the chain that is being popped. */
  Desc = 1,
  /** return of vhost_get_vq_desc(): the chain's head. */
  Pop,
  /** vhost_add_used_n(). */
  Used,
  /** vhost_disable_notify(): a queue is being drained; snapshot of the queue. */
  Drain,
  /** vhost_enable_notify(). */
  Rearm,
  /** vhost_update_used_flags(). */
  Uflags,
  /** vhost_iotlb_add_range(): one region of the memory map. */
  Mem,
  /** vhost_*_ioctl(), entry. */
  Ioctl,
  /** vhost_*_ioctl(), return. */
  IoctlRet,
  /** A line written to trace_marker. */
  Marker,
  /** The recorder lost events on this CPU before this point. */
  Gap,
  /** vhost_discard_vq_desc(): chains given back (vhost-net). */
  Giveback,
  /** tun_recvmsg() and its like, entry: a packet is received (vhost-net). */
  Rx,
  /** Return of the same. */
  RxRet,
  /** target_submit_prep(): LUN and CDB of the request that this thread popped last (vhost-scsi). */
  Cdb,
  /** A vhost-user message, and uprobes in back ends: src/core/user-probe-fields.ts. */
  Message,
  SpdkGet,
  SpdkDesc,
  SpdkUsed,
  VuPopEntry,
  VuAddress,
  VuPop,
  VuFill,
  /** Any other event: counted by name, never replayed. */
  Other,

  // QEMU's own trace events. Their arguments lie in slots, see EVENT_SLOT and src/qemu/events.ts.
  /** address_space_map(): a mapping of guest memory by a device. */
  QMap,
  /** virtqueue_pop(): an element of `in_num` + `out_num` mappings. */
  QPop,
  /** virtqueue_fill(): the element is done. */
  QFill,
  /** virtqueue_flush(): elements are published. */
  QFlush,
  /** virtio_queue_notify(): binds a VirtQueue to its device and number. */
  QNotify,
  QScsiReq,
  QScsiResp,
  QTmfReq,
  QTmfResp,
  /** virtio_blk_handle_read() and _write(): names the device as a virtio-blk. */
  QBlk,
  /** ram_save_page(): the source sends a page that is not all zeros. */
  QSave,
  /** ram_load_loop(): the destination receives a page. */
  QLoad,
  /** ram_load_postcopy_loop(): the destination receives a page in post-copy, by its offset alone. */
  QPostcopyLoad,
  /** postcopy_place_page() and postcopy_place_page_zero(): the host page of those is whole. */
  QPlaced,
  /** save_xbzrle_page_skipping() and the like: pages go as what changed of them. The first goes to the host. */
  QXbzrle,
  /** kvm_dirty_ring_page(): a page that a vCPU wrote. */
  QDirtied,
  /** The end of ram_save_iterate(): QEMUFile is flushed. */
  QFlushed,
  /** multifd_send_ram_fill(): how many pages the next packet of a channel has. */
  QPacketPages,
  /** multifd_send_fill(): the packet gets its number, and its pages are sent. */
  QPacketFill,
  /** multifd_send() before QEMU 9.0: both in one. */
  QPacketSend,
  /** multifd_recv_unfill(): a packet arrives; its pages are not traced. */
  QPacketUnfill,
  /** multifd_recv(), the same before QEMU 9.0. */
  QPacketRecv,
  // From here on every event goes to the host.
  QStatus,
  QConfigWrite,
  QSyncStart,
  QSyncEnd,
  QSynced,
  QGlobalDirty,
  QState,
  QRunstate,
  QVmState,
  QVmStopped,
  QCancel,
  QPostcopy,
  QSlot,
  QRegion,
  QUserRegion,
  QDevStart,
  QDevStop,
  /** Events that tell how a migration goes: src/replay/migration/kinds.ts. */
  QThrottle,
  QDirtyLimit,
  QPreempt,
  QChannel,
  QFile,
  QCpr,
  QTracking,
  QCommand,
  /** ram_load_complete(): a destination has loaded a section of RAM. */
  QLoaded,
  /** A message to a back end in user space. */
  QUserWrite,
}

// Layout of a record: one event, normalised. A field that several kinds have is at one offset.
export const EVENT_SIZE = 120;
/** u64, nanoseconds on the recording's clock. */
export const EVENT_TS = 0;
/** u64: line number (text, NDJSON) or byte offset in the CPU's ring-buffer data (trace.dat). */
export const EVENT_PLACE = 8;
/** i32. */
export const EVENT_PID = 16;
/** u16. */
export const EVENT_CPU = 20;
/** u8, EventKind. */
export const EVENT_KIND = 22;
/** u8, EVENT_HAS_*. */
export const EVENT_FLAGS = 23;
/** The record carries its own vq (the BTF form of `pop`). */
export const EVENT_HAS_VQ = 1;

/** u64: vq; iotlb of mem; file of ioctl; text pointer of marker. */
export const EVENT_VQ = 24;
export const EVENT_IOTLB = 24;
export const EVENT_FILE = 24;
export const EVENT_TEXT = 24;
/** u64: logaddr; gpa of desc; start of mem; vs of ioctl. */
export const EVENT_LOGADDR = 32;
export const EVENT_GPA = 32;
export const EVENT_START = 32;
export const EVENT_VS = 32;
/** u64: feat; iov of desc; last of mem; arg of ioctl. */
export const EVENT_FEAT = 40;
export const EVENT_IOV = 40;
export const EVENT_LAST = 40;
export const EVENT_ARG = 40;
/** u32: num of the queue; perm of mem; cmd of ioctl. */
export const EVENT_NUM = 48;
export const EVENT_PERM = 48;
export const EVENT_CMD = 48;
/** u16. */
export const EVENT_UFLAGS = 52;
/** u8. */
export const EVENT_LOGUSED = 54;
/** u8: 1 = the device reads, 2 = the device writes (VHOST_ACCESS_RO/WO). */
export const EVENT_ACC = 55;
/** u16: last_used_idx. */
export const EVENT_IDX = 56;
/** u16: last_avail_idx. */
export const EVENT_AVAIL = 58;
/** i32. */
export const EVENT_HEAD = 60;
/** u32: length of desc, used; text length of marker; packet length of rx. */
export const EVENT_LEN = 64;
/** u32: count of used, giveback; index of SPDK's queue; readable addresses of vu_pop (len: writable). */
export const EVENT_N = 68;
/** u64: logbase of drain; a0 of ioctl; element of vu_pop, 0: none; addr of mem; i64: ret, lost count of gap or LOST_*. */
export const EVENT_LOGBASE = 72;
export const EVENT_A0 = 72;
export const EVENT_ADDR = 72;
export const EVENT_RET = 72;
export const EVENT_LOST = 72;
export const EVENT_NHEADS = 72;
/** u64 each: lun, the first 16 bytes of the CDB; u32: its data length. */
export const EVENT_LUN = 32;
export const EVENT_CDB = 88;
export const EVENT_CDB_HIGH = 96;
export const EVENT_DLEN = 64;
/** u64: dev of drain; a1 of ioctl. */
export const EVENT_DEV = 80;
export const EVENT_A1 = 80;
/** u16: nheads[0], nheads[1] of used (7.2 and later). */
export const EVENT_NH0 = 80;
export const EVENT_NH1 = 82;
/** u64: vqs[0] of drain; a2 of ioctl. */
export const EVENT_Q0 = 88;
export const EVENT_A2 = 88;
/** u64: vqs[1] of drain; a3 of ioctl. */
export const EVENT_Q1 = 96;
export const EVENT_A3 = 96;
/** u64: a4 of ioctl. */
export const EVENT_A4 = 104;
/** u64: function address or symbol hash of the probe (`__probe_ip`, `__probe_func`). */
export const EVENT_IP = 112;
/** A QEMU event's arguments: u64 each, a string as the number of a kept copy (`stringPtr()`). */
export const EVENT_SLOT = 24;
export const EVENT_SLOTS = 11;

// Layout of an entry of the first look's sample: what an event says (u64), when (u64 ns), stream and
// kind (u32 each); and how many are kept.
export const SAMPLE_SIZE = 24;
export const SAMPLES = 32768;
/** Entries of the first look's list of hashes of pages in their order, a power of two each. */
export const ORDER_HASHES = 32;

// ---------------------------------------------------------------- causes

/**
 * Why a device wrote guest memory, and in which state the dirty log was. One bit-plane each: a
 * policy is a mask over these, so the cost of a write does not depend on the number of policies.
 *
 * Who: Ring = used element and used idx; Notify = used->flags and avail_event; Io, Ctl, Evt = a
 * write descriptor of an I/O, control, event queue of vhost-scsi; Rx = the first bytes of the
 * descriptors of a packet of vhost-net, as far as it fills them; Vsock = the same of vhost-vsock;
 * Elem = a used element in a ring with VIRTIO_F_IN_ORDER; Stray = written by the device and given
 * back (the byte of an overrun).
 * Two are no writes but what some vhost logs for them: Range is what vhost-net logs for Elem, which
 * lies elsewhere; Part is the first bytes, up to the used length, of Io, Ctl and Evt (all of them
 * where the device tells no length, as vhost-scsi).
 * Those from RingFlag on are of user-space back ends: docs/model.md.
 * State: Logged = logging was on, and the entries were captured at pop; Late = popped before
 * LOG_ALL was set, completed after it; Freed = captured, but LOG_ALL went off and on again before
 * the completion; NoBase = logging on, SET_LOG_BASE never done; Off = outside the logging window.
 */
export enum Cause {
  RingLogged = 0,
  RingNoBase,
  RingOff,
  NotifyLogged,
  NotifyNoBase,
  NotifyOff,
  IoLogged,
  IoLate,
  IoFreed,
  IoNoBase,
  IoOff,
  CtlLogged,
  CtlLate,
  CtlNoBase,
  CtlOff,
  EvtLogged,
  EvtNoBase,
  EvtOff,
  RxLogged,
  RxNoBase,
  RxOff,
  VsockLogged,
  VsockNoBase,
  VsockOff,
  ElemLogged,
  ElemNoBase,
  ElemOff,
  RangeLogged,
  StrayLogged,
  StrayOff,
  PartLogged,
  PartOff,
  RingFlag,
  RingAll,
  RingBeyond,
  PackedLogged,
  PackedOff,
  PackedLeftOut,
  PackedLeftOff,
  PackedAstray,
  IoBeyond,
  IoRefused,
  RxBeyond,
  HeaderPiece,
  HeaderAstray,
  /** No cause: how many there are. A new one goes in front of it. */
  Count,
}
/** Number of causes, i.e. of bit-planes. A mask of them is a u64, which planes.ts checks. */
export const CAUSES = Cause.Count;

// ---------------------------------------------------------------- rows

/** At most so many rows (a policy under one reading of the window) in one replay. */
export const MAX_ROWS = 32;
/** A row: u64 mask of causes inside the window, u64 mask of causes this policy logs. */
export const ROW_WINDOW = 0;
export const ROW_LOGS = 8;
export const ROW_SIZE = 16;
/** Counts of a row at a sync, u64 each. */
export const COUNT_WRITTEN = 0;
export const COUNT_LOGGED = 8;
/** Pages written in the window and not logged in this round. */
export const COUNT_LOST = 16;
/** Pages logged and not written in the window. */
export const COUNT_EXTRA = 24;
/** Pages lost in this round and in no round before. */
export const COUNT_NEWLY_LOST = 32;
/** Stale pages after this sync: the running total. */
export const COUNT_STALE = 40;
/** Lost in any round so far: the running total. */
export const COUNT_EVER_LOST = 48;
export const COUNTS_SIZE = 56;
/** Which set of a row: of this round, or kept over the rounds. */
export enum RowSet {
  Written = 0,
  Logged,
  Lost,
  EverWritten,
  EverLogged,
  EverLost,
  Stale,
  // Of the last migration, see assembly/migration/migration.ts.
  /** Certainly stale; likely, and no more; possibly, and no more. */
  MigStale,
  MigLikely,
  MigPossible,
  /** Left out of the log and covered later, by whom: Healer of migration-page.ts, from 1. */
  MigFirstSend,
  MigResend,
  MigLog,
  MigCpu,
  MigStop,
  /** Logged by this policy and never sent again: it is not the one that made the recording. */
  MigPending,
  /** Stale had no page been sent again, and not MigStale. */
  MigResendless,
}

// ---------------------------------------------------------------- evidence

/** A write that was the first in its round to touch some page of its cause. */
export const EVIDENCE_SIZE = 88;
export const EVIDENCE_GPA = 0;
export const EVIDENCE_LEN = 8;
export const EVIDENCE_TS = 16;
export const EVIDENCE_PLACE = 24;
/** u64: serial number of the request, 0 for a ring write. */
export const EVIDENCE_REQUEST = 32;
export const EVIDENCE_POP_TS = 40;
export const EVIDENCE_POP_PLACE = 48;
/** i32, -1 for a ring write. */
export const EVIDENCE_HEAD = 56;
export const EVIDENCE_ROUND = 60;
/** u32: number of the queue in the order in which queues were first seen. */
export const EVIDENCE_QUEUE = 64;
export const EVIDENCE_CAUSE = 68;
/** u16 each: stream of the event; stream of the pop, 0xffff when not seen. */
export const EVIDENCE_STREAM = 72;
export const EVIDENCE_POP_STREAM = 74;

/** At most so many pieces of evidence are kept in one round. */
export const MAX_EVIDENCE = 65536;

/** Lost pages of one row, cause and queue over all rounds. */
export const FINDING_SIZE = 400;
export const FINDING_PAGES = 0;
export const FINDING_REQUESTS = 8;
export const FINDING_ROUNDS = 16;
export const FINDING_RUNS = 20;
/** u32: runs that are not kept. */
export const FINDING_MORE_RUNS = 24;
export const FINDING_ROW = 28;
/** u64: serial of the request counted last; u32: round counted last. */
export const FINDING_LAST_REQUEST = 32;
export const FINDING_LAST_ROUND = 40;
export const FINDING_NEXT = 44;
/** The first evidence, EVIDENCE_SIZE bytes. */
export const FINDING_FIRST = 48;
/** Runs: u32 first page, u32 count. */
export const FINDING_RUN_LIST = 136;
export const FINDING_MAX_RUNS = 32;

/** The last write that a policy left out of a page: an EVIDENCE record, and how it lies to a send. */
export const STALE_SIZE = 112;
/** u64: page | row << 32. */
export const STALE_KEY = 88;
/** u32: microseconds from the start of the migration to the last send, plus one; 0: none known. */
export const STALE_SENT = 96;
/** u32: MIG_DOUBT_*; 0 when the request was popped after the last send. */
export const STALE_DOUBT = 100;
/** In the first pass, on a page of which no send was seen yet. */
export const MIG_DOUBT_FIRST_PASS = 1;
/** Between the send's event and the flush of QEMU's iovec, or within the clocks' tolerance. */
export const MIG_DOUBT_FLIGHT = 2;
/** No sends are recorded: queued since the last harvest. */
export const MIG_DOUBT_QUEUED = 4;
/** The request was popped before the page was read last: the write may have been before that, too. */
export const MIG_DOUBT_POPPED = 8;
/** No send of the page was recorded. */
export const MIG_DOUBT_UNSEEN = 16;

// ---------------------------------------------------------------- requests and queues

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

// ---------------------------------------------------------------- statuses

/** Why a core call returned. */
export enum Status {
  /** The batch is decoded, or every stream that has events was replayed. */
  Ok = 0,
  /** Stream needs more bytes: `streamNeeds()` says which. */
  NeedBytes,
  /** The host must look at an event: `eventPtr()`. */
  HostEvent,
  /** The host must look at a line or record that the scanner cannot place: `linePtr()`, `lineLen()`. */
  HostLine,
  /** A name the plan does not know: `linePtr()` is the whole line. */
  NewName,
  /** A request left the queue (only when requests are observed): `requestPtr()`. */
  RequestDone,
  /** A write touched the watched range (only when one is watched): `writePtr()`. */
  WatchedWrite,
  /** All streams ended and everything was replayed. */
  End,
  /** Out of memory for bitmaps. */
  NoMemory,
  /** A ring-buffer page is damaged: `damageOffset()`, `damageKind()`. */
  Damaged,
  /** A table of rows has a batch: `drainPtr()` (only when the host drains). */
  Drained,
  /**
   * The record at `eventPtr()` is of a queue, or of a QEMU, of which the machine is not known: the host
   * says which with `placeQueue()` or `placeSpace()`, and it is replayed.
   */
  Unplaced,
}
