/**
 * KVM's wall clock in guest memory. A guest gives KVM an address (MSR_KVM_WALL_CLOCK_NEW), and KVM stores the
 * time of its boot there: struct pvclock_wall_clock, u32 version, sec and nsec. The destination's QEMU sets the
 * same MSR, so its KVM stores it anew: the page differs, and nothing is lost. arch/x86/kvm/x86.c
 * kvm_write_wall_clock().
 */
import type { PageRuns } from "../model/page-runs.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import type { GuestImage } from "./guest-image.ts";

const BYTES = 12;
/** Among more pages it is not looked for. */
const MOST_PAGES = 4096;
/** 2001-09-09: no host's clock is earlier. */
const LEAST_SECONDS = 1_000_000_000;
/** Both tell when one guest booted. */
const MOST_APART = 3600;

/**
 * Where the wall clock lies, guest-physical: all bytes in which its page differs are its own, and both
 * sides read as one. null: no such page among the first few thousand of `differing`.
 */
export async function findWallClock(
  first: GuestImage,
  second: GuestImage,
  differing: PageRuns,
): Promise<number | null> {
  const [a, b] = [new Uint8Array(PAGE_BYTES), new Uint8Array(PAGE_BYTES)];
  let looked = 0;
  for (const { gfn, pages } of differing) {
    for (let page = gfn; page < gfn + pages; page++) {
      if (++looked > MOST_PAGES) return null;
      await first.read(a, page);
      await second.read(b, page);
      const at = wallClockIn(a, b);
      if (at !== null) return page * PAGE_BYTES + at;
    }
  }
  return null;
}

function wallClockIn(a: Uint8Array, b: Uint8Array): number | null {
  let low = -1;
  let high = -1;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    if (low < 0) low = i;
    high = i;
    if (high - low >= BYTES) return null;
  }
  if (low < 0) return null;
  const least = Math.max(0, high - BYTES + 1 + ((4 - ((high - BYTES + 1) & 3)) & 3));
  for (let at = least; at <= low && at + BYTES <= a.length; at += 4) {
    if (bothTell(new DataView(a.buffer, at), new DataView(b.buffer, at))) return at;
  }
  return null;
}

function bothTell(a: DataView, b: DataView): boolean {
  const [one, other] = [a, b].map((view) => ({
    version: view.getUint32(0, true),
    seconds: view.getUint32(4, true),
    nanoseconds: view.getUint32(8, true),
  })) as [WallClock, WallClock];
  return (
    [one, other].every(
      ({ version, seconds, nanoseconds }) =>
        // KVM makes the version odd while it writes.
        version > 0 && version % 2 === 0 && seconds >= LEAST_SECONDS && nanoseconds < 1e9,
    ) && Math.abs(one.seconds - other.seconds) <= MOST_APART
  );
}

interface WallClock {
  version: number;
  seconds: number;
  nanoseconds: number;
}
