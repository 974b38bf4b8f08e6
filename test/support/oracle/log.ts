/**
 * The kernel's logging primitives, one function per kernel function, as plain as possible.
 * Follows drivers/vhost/vhost.c as described in docs/model.md; sets of page numbers stand for the
 * bitmap.
 */

/** VHOST_PAGE_SIZE: 4096 on every host. */
export const VHOST_PAGE_SIZE = 4096n;
/** A length that means "every entry completely" to vhost_log_write() of 6.16 and later. */
export const U64_MAX = (1n << 64n) - 1n;

/** One entry of vq->log: a write descriptor as the driver wrote it, bytes. */
export interface LogEntry {
  addr: bigint;
  len: bigint;
}

/** A dirty log: page numbers (gpa >> 12), and the number of pages the log has room for. */
export interface DirtyLog {
  pages: Set<number>;
  room: number;
}

/** A log without pages; `room` defaults to no limit. */
export function emptyLog(room = Number.POSITIVE_INFINITY): DirtyLog {
  return { pages: new Set(), room };
}

/**
 * log_write(): sets the bit of every page of [addr, addr + len). Returns false (-EFAULT) at the
 * first page beyond the log's room; the bits before it stay set.
 */
export function logWrite(log: DirtyLog, addr: bigint, len: bigint): boolean {
  if (len === 0n) return true;
  let page = addr / VHOST_PAGE_SIZE;
  let rest = len + (addr % VHOST_PAGE_SIZE);
  for (;;) {
    if (Number(page) >= log.room) return false;
    log.pages.add(Number(page));
    if (rest <= VHOST_PAGE_SIZE) return true;
    rest -= VHOST_PAGE_SIZE;
    page += 1n;
  }
}

function smaller(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** vhost_log_write() before 6.16; throws where the kernel has BUG(). */
export function vhostLogWriteOld(log: DirtyLog, entries: LogEntry[], len: bigint): boolean {
  let rest = len;
  for (const entry of entries) {
    const l = smaller(entry.len, rest);
    if (!logWrite(log, entry.addr, l)) return false;
    rest -= l;
    if (rest === 0n) return true;
  }
  throw new Error("BUG: length exceeds the log entries");
}

/** vhost_log_write() of 6.16 and later: `len` U64_MAX logs every entry, else the first bytes. */
export function vhostLogWriteNew(log: DirtyLog, entries: LogEntry[], len: bigint): boolean {
  let rest = len;
  for (const entry of entries) {
    const l = smaller(entry.len, rest);
    if (!logWrite(log, entry.addr, l)) return false;
    if (len !== U64_MAX) rest -= l;
  }
  return true;
}

/** A range of guest memory, bytes. */
export interface Range {
  gpa: bigint;
  len: bigint;
}

/**
 * Where vhost_add_used_n() writes `count` elements from used index `start` on: at most two runs
 * of 8-byte elements behind the 4 bytes of flags and idx at `used`. No range for a queue of size 0.
 */
export function usedElements(used: bigint, num: number, start: number, count: number): Range[] {
  if (num === 0 || count === 0) return [];
  const slot = start % num;
  const all = Math.min(count, num);
  const first = Math.min(all, num - slot);
  const element = (s: number, c: number): Range => ({
    gpa: used + 4n + 8n * BigInt(s),
    len: 8n * BigInt(c),
  });
  return all > first ? [element(slot, first), element(0, all - first)] : [element(slot, first)];
}

/** The 2 bytes of used->idx. */
export function usedIdx(used: bigint): Range {
  return { gpa: used + 2n, len: 2n };
}

/** The 2 bytes of used->flags. */
export function usedFlags(used: bigint): Range {
  return { gpa: used, len: 2n };
}

/** The 2 bytes of avail_event, which stand behind the last element. */
export function availEvent(used: bigint, num: number): Range {
  return { gpa: used + 4n + 8n * BigInt(num), len: 2n };
}
