/**
 * Records of events, as decoders write them and the replay reads them: like abi.ts compiled by asc and by
 * tsc, so nothing but integer constants and enums.
 */

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
