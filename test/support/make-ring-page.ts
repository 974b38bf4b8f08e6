/** Ring-buffer pages for tests, made from the layout that events/header_page and header_event tell. */
import { ByteWriter } from "./make-trace-dat.ts";

/** What can stand in a page's data; `delta` in nanoseconds since what stands before. */
export type PageItem =
  | { kind: "event"; delta?: number; payload: Uint8Array; long?: boolean }
  | { kind: "time-extend"; delta: bigint }
  | { kind: "time-stamp"; time: bigint }
  /** `length` as stated, of which the word itself is a part. */
  | { kind: "discarded"; delta?: number; length: number }
  | { kind: "padding" }
  | { kind: "raw"; bytes: Uint8Array };

export interface PageSpec {
  timestamp: bigint;
  items: PageItem[];
  bigEndian?: boolean;
  kernelLong?: 4 | 8;
  subBufferSize?: number;
  /** Events lost before this page: how many, or that nobody counted. */
  missed?: number | "unknown";
  /** Replaces the true committed length. */
  commit?: number;
}

const MISSED_EVENTS = 1 << 31;
const MISSED_STORED = 1 << 30;

/** One page of `subBufferSize` bytes. */
export function ringPage(spec: PageSpec): Uint8Array {
  const big = spec.bigEndian === true;
  const long = spec.kernelLong ?? 8;
  const data = new ByteWriter(big);
  for (const item of spec.items) putItem(data, item);
  let commit = spec.commit ?? data.length;
  if (spec.missed !== undefined) commit |= MISSED_EVENTS;
  if (typeof spec.missed === "number") {
    commit |= MISSED_STORED;
    data.int(long, spec.missed);
  }
  const page = new ByteWriter(big).int(8, spec.timestamp).int(long, commit >>> 0);
  page.bytes(data.done());
  const size = spec.subBufferSize ?? 4096;
  if (page.length > size) throw new Error(`${page.length} bytes do not fit a page of ${size}`);
  return page.align(size).done();
}

function putItem(out: ByteWriter, item: PageItem): void {
  const word = (type: number, delta: number): ByteWriter =>
    out.int(4, (out.bigEndian ? type * 2 ** 27 + delta : type + delta * 32) >>> 0);
  const low = (time: bigint): number => Number(time & 0x7ffffffn);
  const high = (time: bigint): bigint => (time >> 27n) & 0xffffffffn;
  switch (item.kind) {
    case "event": {
      const { payload, delta = 0 } = item;
      const padded = new Uint8Array((payload.length + 3) & ~3);
      padded.set(payload);
      if (!item.long && padded.length > 0 && padded.length <= 112) {
        word(padded.length / 4, delta).bytes(padded);
      } else {
        word(0, delta)
          .int(4, padded.length + 4)
          .bytes(padded);
      }
      return;
    }
    case "time-extend":
      word(30, low(item.delta)).int(4, high(item.delta));
      return;
    case "time-stamp":
      word(31, low(item.time)).int(4, high(item.time));
      return;
    case "discarded":
      word(29, item.delta ?? 1).int(4, item.length);
      out.bytes(new Uint8Array(Math.max(0, item.length - 4)));
      return;
    case "padding":
      word(29, 0);
      return;
    case "raw":
      out.bytes(item.bytes);
  }
}
