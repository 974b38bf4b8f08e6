/**
 * Uprobes in a program that has libvhost-user (qemu-storage-daemon, virtiofsd in C, vhost-user-*): in
 * a stripped one, too, because its functions are in `.dynsym`. The fields of VuVirtq (vring, last_avail_idx,
 * used_idx) have stood at the same offsets since inflight descriptors came (QEMU 4.0); those of VuDev
 * move with the number of memory slots, and are read off instructions.
 * subprojects/libvhost-user/libvhost-user.c, .h.
 */
import type { BackEndProbe } from "./back-end-probe.ts";
import type { ElfImage } from "./elf-image.ts";
import { Unmeasured } from "./unmeasured.ts";

/** VuRing num, log_guest_addr, flags; VuVirtq last_avail_idx, used_idx. */
const NUM = 0;
const LOG_ADDRESS = 32;
const FLAGS = 40;
const LAST_AVAIL = 80;
const USED = 84;

/** Offsets in VuDev. */
export interface DeviceLayout {
  features: number;
  /** log_table and log_size; null where vu_log_write() does not show them. */
  logTable: number | null;
  logSize: number | null;
  /** The array of VuVirtq; null where vu_get_queue() does not show it. */
  queues: number | null;
}

interface Code {
  name: string;
  address: number;
  bytes: Uint8Array;
}

function codeOf(image: ElfImage, name: string): Code {
  const found = image.function(name);
  if (!found) throw new Unmeasured(`no symbol ${name}`);
  return { name, address: found.address, bytes: image.code(found.address, found.size || 512) };
}

const signed32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(at, true);

/** Displacements of 32 bits in instructions whose bytes match, from the first on. */
function displacements(
  { bytes }: Code,
  matches: (bytes: Uint8Array, at: number) => boolean,
  skip: number,
): number[] {
  const found: number[] = [];
  for (let at = 0; at + skip + 5 <= bytes.length; at++) {
    if (matches(bytes, at)) found.push(signed32(bytes, at + skip));
  }
  return found;
}

/** ModRM with a register and a displacement of 32 bits, not through a SIB byte. */
const far = (modrm: number): boolean => modrm >> 6 === 2 && (modrm & 7) !== 4;

/** `testb $bit, disp32(reg)`: vu_has_feature() of a feature in the highest byte of the low word. */
function featureByte(code: Code, bit: number): number[] {
  const tests = displacements(
    code,
    (bytes, at) =>
      bytes[at] === 0xf6 &&
      far(bytes[at + 1]!) &&
      ((bytes[at + 1]! >> 3) & 7) === 0 &&
      bytes[at + 6] === bit,
    2,
  );
  return tests.map((byte) => byte - 3);
}

/** A word is read at this displacement of 8 bits: `movzwl disp8(reg), reg`. */
function readsWord({ bytes }: Code, displacement: number): boolean {
  for (let at = 0; at + 4 <= bytes.length; at++) {
    const modrm = bytes[at + 2]!;
    if (bytes[at] !== 0x0f || bytes[at + 1] !== 0xb7 || modrm >> 6 !== 1) continue;
    if ((modrm & 7) !== 4 && bytes[at + 3] === displacement) return true;
  }
  return false;
}

/** Where a function jumps at its end: a call in the last place. */
function tailCalls({ bytes, address }: Code): number[] {
  const targets: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; at++) {
    if (bytes[at] !== 0xe9 && bytes[at] !== 0xe8) continue;
    targets.push(address + at + 5 + signed32(bytes, at + 1));
  }
  return targets;
}

/** Some instruction reads a 64-bit field of the device there: `mov` or `cmp disp32(reg)`. */
function readsQuad(code: Code, displacement: number): boolean {
  return displacements(
    code,
    (bytes, at) =>
      (bytes[at]! & 0xf8) === 0x48 &&
      (bytes[at + 1] === 0x8b || bytes[at + 1] === 0x3b || bytes[at + 1] === 0x39) &&
      far(bytes[at + 2]!),
    3,
  ).includes(displacement);
}

/** Reads the layout off the code. Throws Unmeasured that names what does not fit. */
export function measureDevice(image: ElfImage): DeviceLayout {
  const pop = codeOf(image, "vu_queue_pop");
  const fill = codeOf(image, "vu_queue_fill");
  const [features] = featureByte(pop, 0x20);
  if (features === undefined || features <= 0) {
    throw new Unmeasured(
      "vu_queue_pop() does not test VIRTIO_RING_F_EVENT_IDX in a way that is known",
    );
  }
  if (!readsWord(pop, LAST_AVAIL) || !readsWord(fill, USED)) {
    throw new Unmeasured(
      `last_avail_idx and used_idx of VuVirtq are not at ${LAST_AVAIL} and ${USED}: another layout`,
    );
  }
  // vu_log_write() has no symbol; vu_queue_fill() ends in it.
  const logs = tailCalls(fill).map((address) => ({
    ...{ name: "vu_log_write", address, bytes: image.code(address, 128) },
  }));
  const log = logs.find((code) => featureByte(code, 0x04).includes(features));
  const logged = log !== undefined && readsQuad(log, features - 8) && readsQuad(log, features - 16);
  const get = image.function("vu_get_queue") ? codeOf(image, "vu_get_queue") : null;
  const queues = get
    ? displacements(get, (b, at) => b[at] === 0x48 && b[at + 1] === 0x8b && far(b[at + 2]!), 3)
    : [];
  return {
    features,
    logTable: logged ? features - 8 : null,
    logSize: logged ? features - 16 : null,
    queues: queues.length === 1 ? queues[0]! : null,
  };
}

/** The four probes, for x86-64. */
export function libvhostUserProbes(layout: DeviceLayout): BackEndProbe[] {
  const { features, logTable, logSize, queues } = layout;
  const device = [
    ...(queues === null ? [] : [`q0=+${queues}(%di):x64`]),
    `feat=+${features}(%di):x64`,
    ...(logTable === null || logSize === null
      ? []
      : ["told=\\1:u8", `logbase=+${logTable}(%di):x64`, `logsize=+${logSize}(%di):x64`]),
  ];
  const ring = [
    `num=+${NUM}(%si):u32`,
    `logaddr=+${LOG_ADDRESS}(%si):x64`,
    `flags=+${FLAGS}(%si):u32`,
  ];
  return [
    {
      event: "vu_pop_entry",
      function: "vu_queue_pop",
      atReturn: false,
      fields: ["dev=%di:x64", "vq=%si:x64", ...ring, `used=+${USED}(%si):u16`, ...device],
    },
    {
      event: "vu_gpa",
      function: "vu_gpa_to_va",
      atReturn: false,
      fields: ["dev=%di:x64", "gpa=%dx:x64", "len=+0(%si):u64"],
    },
    {
      event: "vu_pop",
      function: "vu_queue_pop",
      atReturn: true,
      fields: [
        ...["elem=$retval:x64", "head=+0($retval):u32", "out=+4($retval):u32"],
        "in=+8($retval):u32",
      ],
    },
    {
      event: "vu_fill",
      function: "vu_queue_fill",
      atReturn: false,
      fields: [
        ...["dev=%di:x64", "vq=%si:x64", "head=+0(%dx):u32", "len=%cx:u32"],
        ...[...ring, `idx=+${USED}(%si):u16`, ...device],
      ],
    },
  ];
}
