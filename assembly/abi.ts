/**
 * Constants that both sides of the Wasm boundary use: compiled by asc and by tsc, so it may hold
 * nothing but integer constants and enums, and may import nothing.
 */

/** Version of this boundary; the host refuses a core with another one. */
export const ABI = 1;

// ---------------------------------------------------------------- guest pages

/** VHOST_PAGE_SIZE (drivers/vhost/vhost.h): 4096 whatever the host's page size is. */
export const PAGE_SHIFT = 12;
/** Guest-physical space covered: 16 TiB, so a page number fits 32 bits. */
export const GPA_BITS = 44;
/** One block of pages is 2 MiB of guest memory: 512 bits, one cache line a plane. */
export const BLOCK_SHIFT = 21;
export const BLOCK_WORDS = 8;
export const BLOCK_BYTES = 64;

/** Host-virtual or ring address that is not set (log_addr before SET_VRING_ADDR): all 64 bits, as i64. */
export const NO_ADDRESS = -1;

// ---------------------------------------------------------------- statuses

/** Why a core call returned. */
export enum Status {
  /** The batch is decoded, or every stream that has events was replayed. */
  Ok = 0,
  /** Stream needs more bytes: `streamNeeds()` says which. */
  NeedBytes,
  /** The host must look at an event: `eventPtr()`. */
  HostEvent,
  /** The host must look at a line or record that the scanner cannot place: `linePtr()`, `lineLen()`. */
  HostLine,
  /** A name the plan does not know: `linePtr()` is the whole line. */
  NewName,
  /** A request left the queue (only when requests are observed): `requestPtr()`. */
  RequestDone,
  /** A write touched the watched range (only when one is watched): `writePtr()`. */
  WatchedWrite,
  /** All streams ended and everything was replayed. */
  End,
  /** Out of memory for bitmaps. */
  NoMemory,
  /** A ring-buffer page is damaged: `damageOffset()`, `damageKind()`. */
  Damaged,
  /** A table of rows has a batch: `drainPtr()` (only when the host drains). */
  Drained,
  /**
   * The record at `eventPtr()` is of a queue, or of a QEMU, of which the machine is not known: the host
   * says which with `placeQueue()` or `placeSpace()`, and it is replayed.
   */
  Unplaced,
}
