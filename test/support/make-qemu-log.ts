/**
 * Events of QEMU as text: declarations and formats of the trace-events list that QEMU 10.0 installs,
 * printed as its `log` backend prints them (docs/devel/tracing.rst, scripts/tracetool/backend).
 * Not made from src/qemu/events.ts, which is what these tests check.
 */

export type Argument = number | bigint | string;

/** One event: when, which thread, what. */
export interface TraceLine {
  ns: bigint;
  tid: number;
  name: string;
  args: readonly Argument[];
}

/** Declaration of the arguments, and the format with PRIx64 and its like written out. */
export const DECLARATIONS: Readonly<Record<string, readonly [string, string]>> = {
  address_space_map: [
    "void *as, uint64_t addr, uint64_t len, bool is_write, uint32_t attrs",
    "as:%p addr 0x%x:%x write:%d attrs:0x%x",
  ],
  virtqueue_alloc_element: [
    "void *elem, size_t sz, unsigned in_num, unsigned out_num",
    "elem %p size %d in_num %u out_num %u",
  ],
  virtqueue_pop: [
    "void *vq, void *elem, unsigned int in_num, unsigned int out_num",
    "vq %p elem %p in_num %u out_num %u",
  ],
  virtqueue_fill: [
    "void *vq, const void *elem, unsigned int len, unsigned int idx",
    "vq %p elem %p len %u idx %u",
  ],
  virtqueue_flush: ["void *vq, unsigned int count", "vq %p count %u"],
  virtio_queue_notify: ["void *vdev, int n, void *vq", "vdev %p n %d vq %p"],
  virtio_notify: ["void *vdev, void *vq", "vdev %p vq %p"],
  virtio_notify_irqfd: ["void *vdev, void *vq", "vdev %p vq %p"],
  virtio_scsi_cmd_req: [
    "int lun, uint32_t tag, uint8_t cmd",
    "virtio_scsi_cmd_req lun=%u tag=0x%x cmd=0x%x",
  ],
  virtio_scsi_cmd_resp: [
    "int lun, uint32_t tag, int response, uint8_t status",
    "virtio_scsi_cmd_resp lun=%u tag=0x%x response=%d status=0x%x",
  ],
  virtio_scsi_tmf_req: [
    "int lun, uint32_t tag, int subtype",
    "virtio_scsi_tmf_req lun=%u tag=0x%x subtype=%d",
  ],
  virtio_scsi_tmf_resp: [
    "int lun, uint32_t tag, int response",
    "virtio_scsi_tmf_resp lun=%u tag=0x%x response=%d",
  ],
  virtio_blk_handle_read: [
    "void *vdev, void *req, uint64_t sector, size_t nsectors",
    "vdev %p req %p sector %u nsectors %u",
  ],
  ram_save_page: ["const char *rbname, uint64_t offset, void *host", "%s: offset: 0x%x host: %p"],
  ram_load_loop: [
    "const char *rbname, uint64_t addr, int flags, void *host",
    "%s: addr: 0x%x flags: 0x%x host: %p",
  ],
  savevm_section_end: [
    "const char *id, unsigned int section_id, int ret",
    "%s, section_id %u -> %d",
  ],
  migration_bitmap_sync_start: ["void", ""],
  migration_bitmap_sync_end: ["uint64_t dirty_pages", "dirty_pages %u"],
  memory_region_sync_dirty: [
    "const char *mr, const char *listener, int global",
    "mr '%s' listener '%s' synced (global=%d)",
  ],
  global_dirty_changed: ["unsigned int bitmask", "bitmask 0x%x"],
  migrate_set_state: ["const char *new_state", "new state %s"],
  runstate_set: [
    "int current_state, const char *current_state_str, int new_state, const char *new_state_str",
    "current_run_state %d (%s) new_state %d (%s)",
  ],
  vm_state_notify: ["int running, int reason, const char *reason_str", "running %d reason %d (%s)"],
  migration_completion_vm_stop: ["int ret", "ret %d"],
  kvm_dirty_ring_page: ["int vcpu, uint32_t slot, uint64_t offset", "vcpu %d fetch %u offset 0x%x"],
  kvm_set_user_memory: [
    "uint16_t as, uint16_t slot, uint32_t flags, uint64_t guest_phys_addr, uint64_t memory_size, " +
      "uint64_t userspace_addr, uint32_t fd, uint64_t fd_offset, int ret",
    "AddrSpace#%d Slot#%d flags=0x%x gpa=0x%x size=0x%x ua=0x%x guest_memfd=%d guest_memfd_offset=0x%x ret=%d",
  ],
};

/** The list as QEMU installs it: `name(arguments) "format"`. */
export const TRACE_EVENTS_ALL = `# made for a test\n${Object.entries(DECLARATIONS)
  .map(([name, [args, format]]) => `${name}(${args}) "${format}"`)
  .join("\n")}\n`;

/** What printf() makes of the arguments. */
export function printEvent(name: string, args: readonly Argument[]): string {
  const format = DECLARATIONS[name]?.[1];
  if (format === undefined) return args.join(" ");
  let i = 0;
  return format.replace(/%([pxuds])/g, (_, conversion: string) => {
    const value = args[i++]!;
    if (typeof value === "string") return value;
    if (conversion === "p") return BigInt(value) === 0n ? "(nil)" : `0x${value.toString(16)}`;
    if (conversion === "x") return BigInt.asUintN(64, BigInt(value)).toString(16);
    return value.toString();
  });
}

export type LogShape = "tid@time" | "ISO" | "bare";

/** One line, with the blank behind the name that an event without arguments has, too. */
export function logLine({ ns, tid, name, args }: TraceLine, shape: LogShape): string {
  const text = `${name} ${printEvent(name, args)}`;
  if (shape === "bare") return text;
  const micros = ((ns / 1000n) % 1_000_000n).toString().padStart(6, "0");
  if (shape === "tid@time") return `${tid}@${ns / 1_000_000_000n}.${micros}:${text}`;
  const date = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${date}.${micros}Z ${text}`;
}

/** A whole log. */
export function qemuLog(lines: readonly TraceLine[], shape: LogShape, end = "\n"): string {
  return lines.map((line) => logLine(line, shape) + end).join("");
}

/** Lines of tracefs text as QEMU's ftrace backend makes them. */
export function markerText(lines: readonly TraceLine[]): string {
  return lines
    .map(({ ns, tid, name, args }) => {
      const micros = ((ns / 1000n) % 1_000_000n).toString().padStart(6, "0");
      const head = `           <...>-${String(tid).padEnd(7)} [001] ...1. ${ns / 1_000_000_000n}.${micros}:`;
      return `${head} tracing_mark_write: ${name} ${printEvent(name, args)}\n`;
    })
    .join("");
}
