/** Guest pages: what every count and every bit of a dirty log is about. */

/** Bytes in a guest page: VHOST_PAGE_SIZE (drivers/vhost/vhost.h), TARGET_PAGE_SIZE of QEMU on x86. */
export const PAGE_BYTES = 4096;

/** Guest-physical bytes: half-open, `len` at least 1. */
export interface GpaRange {
  gpa: number;
  len: number;
}

/** The whole pages that a range touches. */
export function wholePages(range: GpaRange): GpaRange {
  const gpa = Math.floor(range.gpa / PAGE_BYTES) * PAGE_BYTES;
  const end = Math.ceil((range.gpa + range.len) / PAGE_BYTES) * PAGE_BYTES;
  return { gpa, len: end - gpa };
}

/** Whether a range and `len` bytes from `gpa` have a byte in common. */
export function overlaps(range: GpaRange, gpa: number, len: number): boolean {
  return len > 0 && gpa < range.gpa + range.len && range.gpa < gpa + len;
}
