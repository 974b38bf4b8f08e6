/** The memory map of a device, as SET_MEM_TABLE installs it. */

export interface MemoryRegion {
  /** First and last guest-physical address. */
  first: bigint;
  last: bigint;
  /** Where the front end has the first one mapped. */
  hva: bigint;
}

/** The guest-physical address that a front end has mapped at `address`; null when no region holds it. */
export function guestAddress(memory: readonly MemoryRegion[], address: bigint): bigint | null {
  for (const { first, last, hva } of memory) {
    const offset = address - hva;
    if (offset >= 0n && offset <= last - first) return first + offset;
  }
  return null;
}

/**
 * The region of a SET_MEM_TABLE message that has only one: u32 count, u32, then regions. Of several
 * only the first is recorded, and a part of a map is none.
 */
export function onlyRegion(words: readonly bigint[]): MemoryRegion[] {
  const [count, gpa, size, hva] = words as [bigint, bigint, bigint, bigint];
  if ((count & 0xffffffffn) !== 1n || size === 0n) return [];
  return [{ first: gpa, last: BigInt.asUintN(64, gpa + size - 1n), hva }];
}

/**
 * Pages of the log that QEMU allocates: 64 for each 256 KiB up to the highest address of a memory map
 * (hw/virtio/vhost.c vhost_get_log_size()); 0 when no map is known.
 */
export function qemuLogPages(maps: Iterable<readonly MemoryRegion[]>): number {
  let last = -1n;
  for (const map of maps) {
    for (const region of map) if (region.last > last) last = region.last;
  }
  return last < 0n ? 0 : Number(last / 0x40000n + 1n) * 64;
}
