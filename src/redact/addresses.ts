/**
 * Addresses of the kernel and of QEMU, and numbers of threads, replaced one to one. What the replay
 * reads from distances is kept: struct vhost_dev lies inside the driver's structure, and the
 * virtqueues of a device are one array. Everything else about an address is gone.
 */
import { feistel, type Prf, remembering, shuffled } from "./prf.ts";

/** Where addresses that belong together go; canonical on x86-64 and arm64. */
const KERNEL_OBJECTS = 0xffff_8800_0000_0000n;
/** Where single addresses go. */
const KERNEL_SINGLE = 0xffff_c000_0000_0000n;
const USER_SINGLE = 0x4000_0000_0000n;
const BITS_46 = (1n << 46n) - 1n;
const WORD = 64n;
const MOST_OBJECTS = 65536;

/** A span of kernel addresses that belong together, both ends included. */
interface Span {
  first: bigint;
  last: bigint;
}

/** Collects spans of kernel addresses. */
export class KernelObjects {
  #spans: Span[] = [];

  /** These addresses lie in one object. */
  add(first: bigint, last: bigint): void {
    if (first === 0n || last < first) return;
    if (this.#spans.some((span) => span.first <= first && span.last >= last)) return;
    this.#spans.push({ first, last });
    if (this.#spans.length > 256) this.#spans = joined(this.#spans).slice(0, MOST_OBJECTS);
  }

  /** Ascending, disjoint. */
  get spans(): Span[] {
    return joined(this.#spans);
  }
}

function joined(spans: readonly Span[]): Span[] {
  const sorted = [...spans].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const result: Span[] = [];
  for (const { first, last } of sorted) {
    const before = result.at(-1);
    if (before && first <= before.last) {
      if (last > before.last) before.last = last;
    } else result.push({ first, last });
  }
  return result;
}

/** Kernel addresses after the redaction. */
export function kernelAddresses(objects: KernelObjects, prf: Prf): (address: bigint) => bigint {
  const spans = objects.spans;
  const order = shuffled(prf, "kernel order", spans.length);
  const bases = new Array<bigint>(spans.length);
  let next = KERNEL_OBJECTS + (prf("kernel base", "") & 0xff_ffffn) * WORD;
  for (const index of order) {
    bases[index] = next;
    const { first, last } = spans[index]!;
    const gap = 0x1000n + (prf("kernel gap", `${index}`) & 0xffffn) * WORD;
    next += ((last - first) / WORD + 1n) * WORD + gap;
  }
  const single = remembering(
    (text) => KERNEL_SINGLE | (prf("kernel", text) & BITS_46 & ~(WORD - 1n)),
  );
  return (address) => {
    if (address === 0n) return 0n;
    let low = 0;
    let high = spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (spans[middle]!.first <= address) low = middle + 1;
      else high = middle;
    }
    const span = spans[low - 1];
    if (span && address <= span.last) return bases[low - 1]! + address - span.first;
    return single(address.toString(16));
  };
}

/** Addresses of a process's heap: only whether two are the same is kept. 0 stays 0. */
export function userAddresses(prf: Prf): (space: number, address: bigint) => bigint {
  const single = remembering((text) => USER_SINGLE | (prf("user", text) & BITS_46));
  return (space, address) => (address === 0n ? 0n : single(`${space} ${address.toString(16)}`));
}

/** PID_MAX_LIMIT of a 64-bit kernel is 2^22. */
const PID_HALF_BITS = 11;
const PIDS = 2 ** 22;
/** The replay tells threads of QEMU apart by 24 bits. */
const MOST_PIDS = 2 ** 24;

/** Numbers of threads. 0, the idle thread, stays. */
export function threadNumbers(prf: Prf): (pid: number) => number {
  const permute = feistel(prf, "pid", PID_HALF_BITS);
  const single = remembering((text) => {
    const pid = Number(text);
    if (pid <= 0 || pid >= PIDS) {
      return PIDS + Number(prf("large pid", text) % BigInt(MOST_PIDS - PIDS));
    }
    let number = permute(pid);
    // 0 is not to be had by any other thread: go round once more (cycle walking).
    while (number === 0) number = permute(number);
    return number;
  });
  return (pid) => (pid === 0 ? 0 : single(`${pid}`));
}
