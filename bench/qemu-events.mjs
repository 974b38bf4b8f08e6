/**
 * The events of bench/recordings/qemu-10.0: arguments as QEMU 10.0 declares them, and the format of
 * its log with PRIx64 and its like written out. A log line becomes the arguments of a simpletrace
 * record by them. Not made from src/qemu/events.ts, which is what the benchmark runs.
 */

const DECLARATIONS = {
  address_space_map: [
    "void *as, uint64_t addr, uint64_t len, bool is_write, uint32_t attrs",
    "as:%p addr 0x%x:%x write:%d attrs:0x%x",
  ],
  flatview_new: ["void *view, void *root", "%p (root %p)"],
  global_dirty_changed: ["unsigned int bitmask", "bitmask 0x%x"],
  migrate_global_state_pre_save: ["const char *state", "saved state: %s"],
  migrate_pending_estimate: [
    "uint64_t size, uint64_t pre, uint64_t post",
    "estimate pending size %u (pre = %u post=%u)",
  ],
  migrate_pending_exact: [
    "uint64_t size, uint64_t pre, uint64_t post",
    "exact pending size %u (pre = %u post=%u)",
  ],
  migrate_set_state: ["const char *new_state", "new state %s"],
  migrate_transferred: [
    "uint64_t transferred, uint64_t time_spent, uint64_t bandwidth, uint64_t avail_bw, uint64_t size",
    "transferred %u time_spent %u bandwidth %u switchover_bw %u max_size %d",
  ],
  migration_bitmap_clear_dirty: [
    "char *str, uint64_t start, uint64_t size, unsigned long page",
    "rb %s start 0x%x size 0x%x page 0x%x",
  ],
  migration_bitmap_sync_end: ["uint64_t dirty_pages", "dirty_pages %u"],
  migration_bitmap_sync_start: ["void", ""],
  migration_block_activation: ["const char *name", "%s"],
  migration_cancel: ["void", ""],
  migration_cleanup: ["void", ""],
  migration_completion_vm_stop: ["int ret", "ret %d"],
  migration_precopy_complete: ["void", ""],
  migration_rate_limit_post: ["int urgent", "urgent: %d"],
  migration_rate_limit_pre: ["int ms", "%d ms"],
  migration_set_outgoing_channel: [
    "void *ioc, const char *ioctype, const char *hostname, void *err",
    "ioc=%p ioctype=%s hostname=%s err=%p",
  ],
  migration_socket_outgoing_connected: ["const char *hostname", "hostname=%s"],
  migration_thread_after_loop: ["void", ""],
  migration_thread_low_pending: ["uint64_t pending", "%u"],
  migration_thread_setup_complete: ["void", ""],
  ram_save_iterate_big_wait: [
    "uint64_t milliconds, int iterations",
    "big wait: %u milliseconds, %d iterations",
  ],
  ram_save_page: ["const char *rbname, uint64_t offset, void *host", "%s: offset: 0x%x host: %p"],
  runstate_set: [
    "int current_state, const char *current_state_str, int new_state, const char *new_state_str",
    "current_run_state %d (%s) new_state %d (%s)",
  ],
  savevm_command_send: ["uint16_t command, uint16_t len", "com=0x%x len=%d"],
  savevm_section_end: [
    "const char *id, unsigned int section_id, int ret",
    "%s, section_id %u -> %d",
  ],
  savevm_section_skip: ["const char *id, unsigned int section_id", "%s, section_id %u"],
  savevm_section_start: ["const char *id, unsigned int section_id", "%s, section_id %u"],
  savevm_send_switchover_start: ["void", ""],
  savevm_state_cleanup: ["void", ""],
  savevm_state_header: ["void", ""],
  savevm_state_iterate: ["void", ""],
  savevm_state_setup: ["void", ""],
  virtio_notify_irqfd: ["void *vdev, void *vq", "vdev %p vq %p"],
  virtio_notify_irqfd_deferred_fn: ["void *vdev, void *vq", "vdev %p vq %p"],
  virtio_queue_notify: ["void *vdev, int n, void *vq", "vdev %p n %d vq %p"],
  virtio_scsi_cmd_req: [
    "int lun, uint32_t tag, uint8_t cmd",
    "virtio_scsi_cmd_req lun=%u tag=0x%x cmd=0x%x",
  ],
  virtio_scsi_cmd_resp: [
    "int lun, uint32_t tag, int response, uint8_t status",
    "virtio_scsi_cmd_resp lun=%u tag=0x%x response=%d status=0x%x",
  ],
  virtio_set_status: ["void *vdev, uint8_t val", "vdev %p val %u"],
  virtqueue_alloc_element: [
    "void *elem, size_t sz, unsigned in_num, unsigned out_num",
    "elem %p size %d in_num %u out_num %u",
  ],
  virtqueue_fill: [
    "void *vq, const void *elem, unsigned int len, unsigned int idx",
    "vq %p elem %p len %u idx %u",
  ],
  virtqueue_flush: ["void *vq, unsigned int count", "vq %p count %u"],
  virtqueue_pop: [
    "void *vq, void *elem, unsigned int in_num, unsigned int out_num",
    "vq %p elem %p in_num %u out_num %u",
  ],
  vm_state_notify: ["int running, int reason, const char *reason_str", "running %d reason %d (%s)"],
  vm_stop_flush_all: ["int ret", "ret %d"],
};

/** Names in the order of their numbers in a simpletrace. */
export const NAMES = Object.keys(DECLARATIONS);

/** What QEMU installs as trace-events-all, of these events only. */
export const TRACE_EVENTS_ALL = Object.entries(DECLARATIONS)
  .map(([name, [args, format]]) => `${name}(${args}) "${format}"\n`)
  .join("");

const CONVERSIONS = { p: "(0x[0-9a-f]+|\\(nil\\))", x: "([0-9a-f]+)", d: "(-?\\d+)", s: "(.*?)" };
CONVERSIONS.u = CONVERSIONS.d;

const parsers = new Map(
  Object.entries(DECLARATIONS).map(([name, [, format]]) => {
    const escaped = format.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const conversions = [...format.matchAll(/%([pxuds])/g)].map((match) => match[1]);
    const pattern = escaped.replace(/%([pxuds])/g, (_, conversion) => CONVERSIONS[conversion]);
    return [name, { conversions, pattern: new RegExp(`^${pattern}$`, "d") }];
  }),
);

/**
 * Arguments of an event from what its log line says: { value, to }, where `text` goes on behind each
 * one. A value is a string, or a BigInt for integers and pointers.
 */
export function argumentsOf(name, text) {
  const parser = parsers.get(name);
  const match = parser?.pattern.exec(text);
  if (!match) throw new Error(`not an event of QEMU 10.0: ${name} ${text}`);
  return parser.conversions.map((conversion, i) => {
    return { value: argument(conversion, match[i + 1]), to: match.indices[i + 1][1] };
  });
}

function argument(conversion, text) {
  if (conversion === "s") return text === "(null)" ? "" : text;
  if (text === "(nil)") return 0n;
  return BigInt(conversion === "x" ? `0x${text}` : text);
}
