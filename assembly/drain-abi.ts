/**
 * Constants of the rows that the host drains (drain.ts): like abi.ts compiled by asc and by tsc, so
 * nothing but integer constants and enums.
 */

/** Tables of assembly/drain.ts. */
export enum DrainTable {
  Writes = 0,
  Requests,
  Sends,
  States,
}

/** What happened to a page of a migration, beside writes of devices. */
export enum DrainSend {
  /** ram_save_page(): sent with data. */
  Data = 0,
  /** Sent as a page of zeros. */
  Zero,
  /** Arrived at the destination: it was sent some time before. */
  Arrival,
  /** A vCPU wrote it, some time before: QEMU sends it. */
  Cpu,
}

/** What a page is under a policy, from a moment on. */
export enum PageState {
  /** A migration begins: what pages were before is of no interest. */
  Begin = 0,
  /** Written and not logged since the page was sent: the destination has old bytes. */
  Missing,
  /** The same, in the first pass, where it was not sent yet as far as is known. */
  Unsent,
  /** Written and not logged; whether before or after its send is not known. */
  Possible,
  /** Covered: `Healed + Healer` of assembly/migration/migration-page.ts. */
  Healed,
  HealedFirstSend,
  HealedResend,
  HealedLog,
  HealedCpu,
  HealedStop,
}

/** What a field of a row is, for encodeColumn(). */
export enum DrainField {
  U32 = 0,
  I32,
  U16,
  /** u16, 0xffff where the event was not seen: then -1. */
  Stream,
  /** u64, nanoseconds; 0 where the event was not seen. */
  Time,
  U64,
}

/** Rows of a table that run() goes back to the host with. */
export const DRAIN_BATCH = 32768;
/** All but requests: u64, nanoseconds. */
export const DRAIN_TS = 0;
/** All but requests: u32, the first page and how many. */
export const DRAIN_PAGE = 8;
export const DRAIN_PAGES = 12;
export const DRAIN_WRITE_SIZE = 40;
/** u64: place of the event that made the write. */
export const DRAIN_PLACE = 16;
/** u32: serial of the request, 0 for a write to a ring. */
export const DRAIN_REQUEST = 24;
export const DRAIN_QUEUE = 28;
export const DRAIN_STREAM = 32;
export const DRAIN_CAUSE = 34;
export const DRAIN_SEND_SIZE = 24;
/** u32: DrainSend. */
export const DRAIN_KIND = 16;
export const DRAIN_STATE_SIZE = 24;
/** u32: policies, a bit a row. */
export const DRAIN_ROWS = 16;
/** u32: PageState. */
export const DRAIN_STATE_KIND = 20;
export const DRAIN_REQUEST_SIZE = 80;
/** u64; the stream is 0xffff where the event was not seen. */
export const DRAIN_POP_TS = 0;
export const DRAIN_USED_TS = 8;
export const DRAIN_POP_PLACE = 16;
export const DRAIN_USED_PLACE = 24;
export const DRAIN_SERIAL = 32;
export const DRAIN_REQUEST_QUEUE = 36;
/** i32, -1 where no event tells it. */
export const DRAIN_HEAD = 40;
/** i32, -1: it never completed. */
export const DRAIN_REQUEST_CAUSE = 44;
export const DRAIN_POP_STREAM = 48;
export const DRAIN_USED_STREAM = 50;
/** u32: RequestState. */
export const DRAIN_STATE = 52;
/** u64: bytes of its descriptors that the device writes, and reads. */
export const DRAIN_WRITE_BYTES = 56;
export const DRAIN_READ_BYTES = 64;
/** i32, -1 where the recording has none. */
export const DRAIN_LUN = 72;
export const DRAIN_OPCODE = 76;
