/**
 * Uprobes in a program that has SPDK's libspdk_vhost, for split rings of vhost-blk: lib/vhost/rte_vhost_user.c.
 * Their functions are in `.symtab` or `.dynsym`; where fields lie is a matter of the build, and read from its
 * DWARF. The message is DPDK's VhostUserMsg (request, flags, size, then the payload), a descriptor virtio's.
 */
import type { BackEndProbe } from "./back-end-probe.ts";
import { memberOffsets, type Sections } from "./dwarf.ts";
import { Unmeasured } from "./unmeasured.ts";

/** Members whose offsets the probes need, by structure. */
const WANTED: ReadonlyMap<string, readonly string[]> = new Map([
  ["spdk_vhost_session", ["negotiated_features"]],
  ["spdk_vhost_virtqueue", ["vring", "last_used_idx", "vring_idx"]],
  ["rte_vhost_vring", ["size"]],
]);

export const SPDK_FUNCTIONS: readonly string[] = [
  "vhost_vq_get_desc",
  "vhost_vring_desc_to_iov",
  "vhost_vq_used_ring_enqueue",
  "extern_vhost_post_msg_handler",
];

/** Offsets of the fields in bytes. */
export interface SpdkLayout {
  features: number;
  size: number;
  lastUsed: number;
  index: number;
}

/** Reads the layout of a build. Throws Unmeasured that names what is missing, and RecordingError. */
export function spdkLayout(sections: Sections, file: string): SpdkLayout {
  const offsets = memberOffsets(sections, file, WANTED);
  if (offsets === null) {
    throw new Unmeasured(
      "no DWARF (.debug_info) tells where the fields of struct spdk_vhost_virtqueue lie; build SPDK with " +
        "debugging information (its default), or install that of the package",
    );
  }
  const at = (structure: string, member: string): number => {
    const members = offsets.get(structure);
    const found = members?.get(member);
    if (found !== undefined) return found;
    const what = members ? `has no member ${member}: another SPDK` : "is in no unit of its DWARF";
    throw new Unmeasured(`struct ${structure} ${what}`);
  };
  return {
    features: at("spdk_vhost_session", "negotiated_features"),
    size: at("spdk_vhost_virtqueue", "vring") + at("rte_vhost_vring", "size"),
    lastUsed: at("spdk_vhost_virtqueue", "last_used_idx"),
    index: at("spdk_vhost_virtqueue", "vring_idx"),
  };
}

/** The four probes, for x86-64. */
export function spdkProbes({ features, size, lastUsed, index }: SpdkLayout): BackEndProbe[] {
  const session = ["vs=%di:x64", "vq=%si:x64"];
  const queue = [`index=+${index}(%si):u32`, `feat=+${features}(%di):x64`];
  const probes: [string, string, string[]][] = [
    [
      ...(["spdk_get", "vhost_vq_get_desc"] as const),
      [...session, "head=%dx:u16", `num=+${size}(%si):u16`, `used=+${lastUsed}(%si):u16`, ...queue],
    ],
    [
      ...(["spdk_desc", "vhost_vring_desc_to_iov"] as const),
      ["vs=%di:x64", "gpa=+0(%cx):x64", "len=+8(%cx):u32", "flags=+12(%cx):x16"],
    ],
    [
      ...(["spdk_used", "vhost_vq_used_ring_enqueue"] as const),
      [
        ...[...session, "head=%dx:u16", "len=%cx:u32", `num=+${size}(%si):u16`],
        ...[`idx=+${lastUsed}(%si):u16`, ...queue],
      ],
    ],
    [
      ...(["message", "extern_vhost_post_msg_handler"] as const),
      [
        ...["vid=%di:s32", "request=+0(%si):u32", "size=+8(%si):u32"],
        ...[0, 1, 2, 3, 4].map((word) => `w${word}=+${12 + 8 * word}(%si):x64`),
      ],
    ],
  ];
  return probes.map(([event, name, fields]) => ({
    event,
    function: name,
    atReturn: false,
    fields,
  }));
}
