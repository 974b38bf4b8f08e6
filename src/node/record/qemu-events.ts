/** Switches QEMU's trace events on for a recording, and back; saves what makes them readable. */
import type { MonitorLine, Qmp } from "./qmp.ts";

/**
 * The events that tell of a vhost device and of a migration. QEMU does not see a vhost device's
 * requests. `kvm_vm_ioctl` is left out: it is one event for every ioctl of the virtual machine.
 */
export const QEMU_EVENTS = [
  "vhost_commit",
  "vhost_region_add_section",
  "vhost_region_add_section_aligned",
  "vhost_dev_start",
  "vhost_dev_start_in",
  "vhost_dev_stop",
  "vhost_dev_stop_in",
  "virtio_set_status",
  "memory_region_sync_dirty",
  "global_dirty_changed",
  "migrate_set_state",
  "migration_bitmap_sync_start",
  "migration_bitmap_sync_end",
  "vm_state_notify",
  "runstate_set",
  "kvm_set_user_memory",
  "ram_save_page",
] as const;

const MONITOR: readonly (readonly [file: string, line: MonitorLine])[] = [
  ["qemu-mtree.txt", "info mtree -f"],
  ["qemu-ramblock.txt", "info ramblock"],
  ["qemu-pci.txt", "info pci"],
];

/** Those that this QEMU has and that are off: to be switched on, and off again afterwards. */
export async function eventsToSwitch(qmp: Qmp): Promise<string[]> {
  const off: string[] = [];
  for (const name of QEMU_EVENTS) {
    if ((await eventState(qmp, name)) === "disabled") off.push(name);
  }
  return off;
}

/** Switches events on or off. */
export async function switchEvents(
  qmp: Qmp,
  names: readonly string[],
  enable: boolean,
): Promise<void> {
  for (const name of names) {
    await qmp.execute("trace-event-set-state", { name, enable, "ignore-unavailable": true });
  }
}

/** Null for an event that this QEMU does not have. */
async function eventState(qmp: Qmp, name: string): Promise<string | null> {
  try {
    const states = await qmp.execute("trace-event-get-state", { name });
    const [first] = Array.isArray(states) ? states : [];
    return typeof first?.state === "string" ? first.state : null;
  } catch (error) {
    if (error instanceof Error && /unknown event/.test(error.message)) return null;
    throw error;
  }
}

/** Name and contents of the files to save beside a recording (docs/recording.md). */
export async function describeQemu(qmp: Qmp): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  files.set("qemu-version.json", json(await qmp.execute("query-version")));
  files.set("qemu-migrate.json", json(await qmp.execute("query-migrate")));
  for (const [file, line] of MONITOR) files.set(file, await qmp.monitor(line));
  return files;
}
