/** A recording taken apart into those of its makers: the kernel's probes, and QEMU's log. */
import type { NormalisedEvent } from "../../src/model/event.ts";
import type { TraceLine } from "./make-qemu-log.ts";

/** Names of the arguments in the order of trace-events. */
const ORDER: Record<string, string[]> = {
  migrate_set_state: ["new_state"],
  global_dirty_changed: ["bitmask"],
  memory_region_sync_dirty: ["mr", "listener", "global"],
  migration_bitmap_sync_start: [],
  migration_bitmap_sync_end: ["dirty_pages"],
  ram_save_page: ["rbname", "offset", "host"],
  ram_load_loop: ["rbname", "addr", "flags", "host"],
  savevm_section_end: ["id", "section_id", "ret"],
  migration_completion_vm_stop: ["ret"],
  kvm_dirty_ring_page: ["vcpu", "slot", "offset"],
  kvm_set_user_memory: [
    "as",
    "slot",
    "flags",
    "guest_phys_addr",
    "memory_size",
    "userspace_addr",
    "fd",
    "fd_offset",
    "ret",
  ],
};

/** Numbers stay numbers, hex strings become them; names stay names. */
const value = (raw: string | number): string | bigint =>
  typeof raw === "number" || /^0x[0-9a-f]+$/.test(raw) ? BigInt(raw) : raw;

export interface Parts {
  probes: string;
  lines: TraceLine[];
  /** Both in one file. */
  whole: string;
}

/** A recording taken apart: the kernel's probes, and QEMU's events on a clock that is `shift` ahead. */
export function split(events: readonly NormalisedEvent[], shift: bigint): Parts {
  const lines: TraceLine[] = [];
  const probes: string[] = [];
  for (const event of events) {
    if (event.event !== "qemu") {
      probes.push(`${JSON.stringify(event)}\n`);
      continue;
    }
    const { name, args, ts, pid } = event;
    const ns = BigInt(ts) + shift;
    lines.push({ ns, tid: pid, name, args: ORDER[name]!.map((key) => value(args[key]!)) });
  }
  const whole = events.map((event) => `${JSON.stringify(event)}\n`).join("");
  return { probes: probes.join(""), lines, whole };
}
