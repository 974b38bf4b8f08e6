/**
 * vhost_get_vq_desc() over a guest memory of our own: what it takes from the ring, which
 * descriptors it translates in which order (that is what the `desc` probe sees), and why it
 * refuses a chain. Follows drivers/vhost/vhost.c (7.2) as described in docs/model.md.
 */
import type { LogEntry } from "./log.ts";

export const VRING_DESC_F_NEXT = 1;
export const VRING_DESC_F_WRITE = 2;
export const VRING_DESC_F_INDIRECT = 4;

/** struct vring_desc. */
export interface VringDesc {
  addr: bigint;
  len: number;
  flags: number;
  next: number;
}
/** A region of the memory map: [start, last] of guest-physical space. */
export interface Region {
  start: bigint;
  last: bigint;
}
/** What a driver put up: descriptor table by index, indirect tables by address, available heads. */
export interface Ring {
  num: number;
  desc: Map<number, VringDesc>;
  tables: Map<bigint, VringDesc[]>;
  avail: number[];
  regions: Region[];
  iovLimit: number;
}
/** A translate_desc() call; access 1 = device reads, 2 = device writes. */
export interface Translated {
  addr: bigint;
  len: number;
  acc: 1 | 2;
}
/** The head, or a negative errno; `num` when the ring is empty. */
export interface Popped {
  head: number;
  translated: Translated[];
  log: LogEntry[];
  iovs: number;
}

class Refused extends Error {
  readonly errno: number;
  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}
const UIO_MAXIOV = 1024;
const E2BIG = 7;
const EFAULT = 14;
const EINVAL = 22;
const ENOBUFS = 105;

/** Number of iovs of a range; throws Refused when a byte of it has no region. */
function translateDesc(regions: Region[], addr: bigint, len: number, room: number): number {
  let at = addr;
  let rest = BigInt(len);
  let iovs = 0;
  while (rest > 0n) {
    if (iovs >= room) throw new Refused(ENOBUFS);
    const region = regions.find((r) => r.start <= at && at <= r.last);
    if (region === undefined) throw new Refused(EFAULT);
    const here = region.last - at + 1n;
    const size = rest < here ? rest : here;
    at += size;
    rest -= size;
    iovs += 1;
  }
  return iovs;
}

/** Takes the next chain, `lastAvail` chains having been taken before. */
export function vhostGetVqDesc(ring: Ring, lastAvail: number): Popped {
  const popped: Popped = { head: ring.num, translated: [], log: [], iovs: 0 };
  let ins = 0;
  let outs = 0;
  const room = (): number => ring.iovLimit - ins - outs;
  const one = (d: VringDesc): void => {
    const write = (d.flags & VRING_DESC_F_WRITE) !== 0;
    popped.translated.push({ addr: d.addr, len: d.len, acc: write ? 2 : 1 });
    const n = translateDesc(ring.regions, d.addr, d.len, room());
    if (write) {
      ins += n;
      if (n > 0) popped.log.push({ addr: d.addr, len: BigInt(d.len) });
    } else {
      if (ins > 0) throw new Refused(EINVAL);
      outs += n;
    }
  };
  const indirect = (d: VringDesc): void => {
    if (d.len % 16 !== 0) throw new Refused(EINVAL);
    popped.translated.push({ addr: d.addr, len: d.len, acc: 1 });
    translateDesc(ring.regions, d.addr, d.len, UIO_MAXIOV);
    const count = d.len / 16;
    if (count > 65536) throw new Refused(E2BIG);
    const table = ring.tables.get(d.addr) ?? [];
    for (let k = 0; ; k++) {
      const e = table[k];
      if (k >= count || e === undefined) throw new Refused(EINVAL);
      if (e.flags & VRING_DESC_F_INDIRECT) throw new Refused(EINVAL);
      one(e);
      if (!(e.flags & VRING_DESC_F_NEXT)) return;
    }
  };
  const head = ring.avail[lastAvail];
  if (head === undefined) return popped;
  try {
    if (head >= ring.num) throw new Refused(EINVAL);
    let i = head;
    for (let found = 0; ; ) {
      const d = ring.desc.get(i);
      found += 1;
      if (i >= ring.num || found > ring.num || d === undefined) throw new Refused(EINVAL);
      if (d.flags & VRING_DESC_F_INDIRECT) indirect(d);
      else one(d);
      if (!(d.flags & VRING_DESC_F_NEXT)) break;
      i = d.next;
    }
    popped.head = head;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    popped.head = -error.errno;
    popped.log = [];
  }
  popped.iovs = ins + outs;
  return popped;
}
