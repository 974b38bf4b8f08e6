/**
 * Constants of QEMU's own events: like abi.ts compiled by asc and by tsc, so nothing but integer constants
 * and enums.
 */

// Slots of the arguments that the core reads, by the names that QEMU's trace-events give them. The
// table of src/qemu/events.ts takes its order from here.
export enum MapSlot {
  as = 0,
  addr,
  len,
  is_write,
  attrs,
}
export enum PopSlot {
  vq = 0,
  elem,
  in_num,
  out_num,
}
export enum FillSlot {
  vq = 0,
  elem,
  len,
  idx,
}
export enum FlushSlot {
  vq = 0,
  count,
}
export enum NotifySlot {
  vdev = 0,
  n,
  vq,
}
/** virtio_scsi_cmd_req; virtio_scsi_tmf_req has `subtype` in the place of `cmd`. */
export enum CmdReqSlot {
  lun = 0,
  tag,
  cmd,
}
/** virtio_scsi_cmd_resp; virtio_scsi_tmf_resp has the first three. */
export enum CmdRespSlot {
  lun = 0,
  tag,
  response,
  status,
}
export enum BlkSlot {
  vdev = 0,
}
export enum SaveSlot {
  rbname = 0,
  offset,
  host,
}
export enum LoadSlot {
  rbname = 0,
  addr,
  flags,
  host,
}
export enum PostcopyLoadSlot {
  channel = 0,
  addr,
  flags,
}
export enum PlacedSlot {
  host_addr = 0,
}
export enum PacketPagesSlot {
  id = 0,
  normal,
  zero,
}
export enum PacketFillSlot {
  id = 0,
  packet_num,
  flags,
}
export enum PacketSendSlot {
  id = 0,
  packet_num,
  normal,
  flags,
}
export enum DirtiedSlot {
  vcpu = 0,
  slot,
  offset,
}

/** A packet of multifd, in the order in which they were recorded. */
export const PACKET_SIZE = 32;
/** u64: when its pages begin to be read. */
export const PACKET_TS = 0;
/** u64: packet_num. */
export const PACKET_NUMBER = 8;
/** u32 each: channel; pages with data, pages of zeros; PACKET_SYNC, PACKET_ORDERED. */
export const PACKET_CHANNEL = 16;
export const PACKET_NORMAL = 20;
export const PACKET_ZERO = 24;
export const PACKET_FLAGS = 28;
/** MULTIFD_FLAG_SYNC, migration/multifd.h: a packet without pages. */
export const PACKET_SYNC = 1;
/** Its number was given by the migration thread, in the order of the pages (before QEMU 9.0). */
export const PACKET_ORDERED = 0x80000000;
/** At most so many are kept: 2 TiB of guest memory at 128 pages each. */
export const MAX_PACKETS = 4194304;
