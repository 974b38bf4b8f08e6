/**
 * The trace events of QEMU that the replay understands, in the versions that were seen (7.2, 10.0,
 * 11.1). Names that changed stand under the same kind; a format that changed is one more line.
 * Source: the `trace-events` files that QEMU ships, collected as trace-events-all.
 */
import { EventKind } from "../../assembly/abi.ts";

export interface QemuEvent {
  name: string;
  kind: EventKind;
  /** Arguments in the order of the slots of an event record; `s` at the end: a string. */
  slots: readonly string[];
  /** Newest version first. */
  formats: readonly string[];
}

/** An event with one format for every version. */
function event(name: string, kind: EventKind, ...formats: string[]): QemuEvent {
  const slots: string[] = [];
  for (const format of formats) {
    for (const match of format.matchAll(/\{(\w+):/g)) {
      if (!slots.includes(match[1]!)) slots.push(match[1]!);
    }
  }
  return { name, kind, slots, formats };
}

const REGION = "{name:s}: 0x{gpa:x}+0x{size:x} @ 0x{host:x}";
const VRINGS = "{dev:p}:{name:s} vrings:{vrings:d}";

export const QEMU_EVENTS: readonly QemuEvent[] = [
  // Elements of a device that is QEMU's own: hw/virtio/virtio.c, system/physmem.c.
  event(
    "address_space_map",
    EventKind.QMap,
    "as:{as:p} addr 0x{addr:x}:{len:x} write:{is_write:d} attrs:0x{attrs:x}",
  ),
  event(
    "virtqueue_pop",
    EventKind.QPop,
    "vq {vq:p} elem {elem:p} in_num {in_num:u} out_num {out_num:u}",
  ),
  event("virtqueue_fill", EventKind.QFill, "vq {vq:p} elem {elem:p} len {len:u} idx {idx:u}"),
  event("virtqueue_flush", EventKind.QFlush, "vq {vq:p} count {count:u}"),
  event("virtio_queue_notify", EventKind.QNotify, "vdev {vdev:p} n {n:d} vq {vq:p}"),
  event(
    "virtio_scsi_cmd_req",
    EventKind.QScsiReq,
    "virtio_scsi_cmd_req lun={lun:u} tag=0x{tag:x} cmd=0x{cmd:x}",
  ),
  event(
    "virtio_scsi_cmd_resp",
    EventKind.QScsiResp,
    "virtio_scsi_cmd_resp lun={lun:u} tag=0x{tag:x} response={response:d} status=0x{status:x}",
  ),
  event(
    "virtio_scsi_tmf_req",
    EventKind.QTmfReq,
    "virtio_scsi_tmf_req lun={lun:u} tag=0x{tag:x} subtype={subtype:d}",
  ),
  event(
    "virtio_scsi_tmf_resp",
    EventKind.QTmfResp,
    "virtio_scsi_tmf_resp lun={lun:u} tag=0x{tag:x} response={response:d}",
  ),
  event(
    "virtio_blk_handle_read",
    EventKind.QBlk,
    "vdev {vdev:p} req {req:p} sector {sector:u} nsectors {nsectors:u}",
  ),
  event(
    "virtio_blk_handle_write",
    EventKind.QBlk,
    "vdev {vdev:p} req {req:p} sector {sector:u} nsectors {nsectors:u}",
  ),
  event("virtio_set_status", EventKind.QStatus, "vdev {vdev:p} val {val:u}"),
  event(
    "memory_region_ops_write",
    EventKind.QConfigWrite,
    "cpu {cpu_index:d} mr {mr:p} addr 0x{addr:x} value 0x{value:x} size {size:u} name '{name:s}'",
  ),

  // Migration: migration/ram.c, migration/migration.c, system/memory.c.
  event("ram_save_page", EventKind.QSave, "{rbname:s}: offset: 0x{offset:x} host: {host:p}"),
  event(
    "ram_load_loop",
    EventKind.QLoad,
    "{rbname:s}: addr: 0x{addr:x} flags: 0x{flags:x} host: {host:p}",
  ),
  event("savevm_section_end", EventKind.QFlushed, "{id:s}, section_id {section_id:u} -> {ret:d}"),
  event("savevm_state_iterate", EventKind.QFlushed, ""),
  event("migration_bitmap_sync_start", EventKind.QSyncStart, ""),
  event("migration_bitmap_sync_end", EventKind.QSyncEnd, "dirty_pages {dirty_pages:u}"),
  event(
    "memory_region_sync_dirty",
    EventKind.QSynced,
    "mr '{mr:s}' listener '{listener:s}' synced (global={global:d})",
  ),
  event("global_dirty_changed", EventKind.QGlobalDirty, "bitmask 0x{bitmask:x}"),
  event("migrate_set_state", EventKind.QState, "new state {new_state:s}"),
  event(
    "runstate_set",
    EventKind.QRunstate,
    "current_run_state {current_state:d} ({current_state_str:s}) new_state {new_state:d} ({new_state_str:s})",
  ),
  event(
    "vm_state_notify",
    EventKind.QVmState,
    "running {running:d} reason {reason:d} ({reason_str:s})",
  ),
  event("migration_completion_vm_stop", EventKind.QVmStopped, "ret {ret:d}"),
  event("migration_cancel", EventKind.QCancel, ""),
  event("migrate_fd_cancel", EventKind.QCancel, ""),
  event("postcopy_start", EventKind.QPostcopy, ""),
  event(
    "kvm_dirty_ring_page",
    EventKind.QDirtied,
    "vcpu {vcpu:d} fetch {slot:u} offset 0x{offset:x}",
  ),

  // Memory map: accel/kvm/kvm-all.c, hw/virtio/vhost.c, hw/virtio/vhost-user.c.
  event(
    "kvm_set_user_memory",
    EventKind.QSlot,
    "AddrSpace#{as:d} Slot#{slot:d} flags=0x{flags:x} gpa=0x{guest_phys_addr:x} size=0x{memory_size:x} ua=0x{userspace_addr:x} guest_memfd={fd:d} guest_memfd_offset=0x{fd_offset:x} ret={ret:d}",
    "Slot#{slot:d} flags=0x{flags:x} gpa=0x{guest_phys_addr:x} size=0x{memory_size:x} ua=0x{userspace_addr:x} ret={ret:d}",
  ),
  event("vhost_region_add_section", EventKind.QRegion, REGION),
  event(
    "vhost_user_set_mem_table_withfd",
    EventKind.QUserRegion,
    "{index:d}:{name:s}: size:0x{memory_size:x} GPA:0x{guest_phys_addr:x} QVA/userspace:0x{userspace_addr:x} RB offset:0x{offset:x}",
  ),
  event("vhost_dev_start", EventKind.QDevStart, VRINGS),
  event("vhost_dev_start_in", EventKind.QDevStart, VRINGS),
  event("vhost_dev_stop", EventKind.QDevStop, VRINGS),
  event("vhost_dev_stop_out", EventKind.QDevStop, "{dev:p}:{name:s}"),
];

/**
 * Events that recordings often hold and that the replay does not need. Named, so that as markers
 * (QEMU's ftrace backend) they are counted without a look at each.
 */
export const QEMU_UNUSED: readonly string[] = [
  "virtqueue_alloc_element",
  "virtio_notify",
  "virtio_notify_irqfd",
  "virtio_notify_irqfd_deferred_fn",
  "flatview_new",
  "migration_bitmap_clear_dirty",
  "migration_transferred_bytes",
  "get_queued_page",
  "vhost_section",
  "vhost_reject_section",
  "vhost_commit",
  "vhost_region_add_section_aligned",
  "vhost_region_add_section_merge",
  "vhost_user_write",
  "vhost_user_read",
  "memory_region_ops_read",
  "dma_blk_io",
  "dma_blk_cb",
];

/** The understood event of this name. */
export function qemuEvent(name: string): QemuEvent | undefined {
  return BY_NAME.get(name);
}

/** The first event of a kind: its slots are those of all of that kind. */
export function qemuEventOfKind(kind: EventKind): QemuEvent | undefined {
  return QEMU_EVENTS.find((event) => event.kind === kind);
}

const BY_NAME = new Map(QEMU_EVENTS.map((event) => [event.name, event]));
