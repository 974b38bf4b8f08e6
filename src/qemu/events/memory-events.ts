/** Events that tell where guest RAM lies in QEMU. */
import { EventKind } from "../../../assembly/event-abi.ts";
import type { EventRow } from "../event-row.ts";

export const MEMORY_EVENTS: readonly EventRow[] = [
  {
    name: "kvm_set_user_memory",
    kind: EventKind.QSlot,
    format: [
      {
        versions: ["10.0", "11.1"],
        text: "AddrSpace#{as:d} Slot#{slot:d} flags=0x{flags:x} gpa=0x{guest_phys_addr:x} size=0x{memory_size:x} ua=0x{userspace_addr:x} guest_memfd={fd:d} guest_memfd_offset=0x{fd_offset:x} ret={ret:d}",
      },
      {
        versions: ["7.2"],
        text: "Slot#{slot:d} flags=0x{flags:x} gpa=0x{guest_phys_addr:x} size=0x{memory_size:x} ua=0x{userspace_addr:x} ret={ret:d}",
      },
    ],
    role: "both",
    recorded: true,
    redact: {
      ...{ as: "keep", slot: "keep", flags: "none", guest_phys_addr: "keep", memory_size: "keep" },
      ...{ userspace_addr: "host", fd: "none", fd_offset: "none", ret: "none" },
    },
    tells: "guest RAM as KVM has it, by slot",
    source: "accel/kvm/kvm-all.c kvm_set_user_memory_region()",
  },
  {
    name: "vhost_region_add_section",
    kind: EventKind.QRegion,
    format: "{name:s}: 0x{gpa:x}+0x{size:x} @ 0x{host:x}",
    role: "both",
    recorded: true,
    redact: { name: "none", gpa: "keep", size: "keep", host: "host" },
    tells: "guest RAM as a vhost device gets it",
    source: "hw/virtio/vhost.c vhost_region_add_section()",
  },
  {
    name: "vhost_user_set_mem_table_withfd",
    kind: EventKind.QUserRegion,
    format:
      "{index:d}:{name:s}: size:0x{memory_size:x} GPA:0x{guest_phys_addr:x} QVA/userspace:0x{userspace_addr:x} RB offset:0x{offset:x}",
    role: "both",
    recorded: true,
    redact: {
      ...{ index: "keep", name: "none", memory_size: "keep", guest_phys_addr: "keep" },
      ...{ userspace_addr: "host", offset: "none" },
    },
    tells: "guest RAM as a vhost-user back end gets it",
    source: "hw/virtio/vhost-user.c vhost_user_fill_set_mem_table_msg()",
  },
];
