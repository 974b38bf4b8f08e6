/**
 * The table of QEMU's trace events that the replay understands, in the versions that were seen (7.2,
 * 10.0, 11.1). The reader, `record --qemu-socket`, the redaction, docs/qemu.md and the tests' inputs
 * are made from it. Names that changed are rows of the same kind; a format that changed is one more
 * in its row. Source: the `trace-events` files that QEMU ships, collected as trace-events-all.
 */
import type { EventKind } from "../../assembly/event-abi.ts";
import { type QemuEvent, qemuEventRow } from "./event-row.ts";
import { DEVICE_EVENTS } from "./events/device-events.ts";
import { KIND_EVENTS } from "./events/kind-events.ts";
import { MEMORY_EVENTS } from "./events/memory-events.ts";
import { MIGRATION_EVENTS } from "./events/migration-events.ts";

export const QEMU_EVENTS: readonly QemuEvent[] = [
  ...DEVICE_EVENTS,
  ...MIGRATION_EVENTS,
  ...KIND_EVENTS,
  ...MEMORY_EVENTS,
].map(qemuEventRow);

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
  return BY_KIND.get(kind);
}

/**
 * The slot of an argument in a record of this kind. Throws where the kind has no such argument: a
 * bug of whoever asks.
 */
export function slotOf(kind: EventKind, argument: string): number {
  const slot = BY_KIND.get(kind)?.slots.indexOf(argument) ?? -1;
  if (slot < 0) throw new Error(`bug: an event of kind ${kind} has no argument ${argument}`);
  return slot;
}

const BY_NAME = new Map(QEMU_EVENTS.map((event) => [event.name, event]));
const BY_KIND = new Map(QEMU_EVENTS.toReversed().map((event) => [event.kind, event]));
