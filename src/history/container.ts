/**
 * The bytes of a history, byte by byte in docs/history.md: magic, length of the header, the header as
 * JSON, the columns. Little endian; every column begins at a multiple of 8.
 */
import { atByte, RecordingError } from "../model/place.ts";

/** The first eight bytes, before any compression. */
export const MAGIC = "vhrhist1";
const PREFIX = 16;
/** A header is JSON of rounds, findings and limits, all of which are bounded. */
const MOST_HEADER = 1 << 28;

/** Where the bytes of a column are, from the end of the header on. */
export interface Extent {
  offset: number;
  bytes: number;
}

const aligned = (length: number): number => (length + 7) & ~7;

/** Lays columns out one after the other. */
export function layOut(columns: readonly Uint8Array[]): { extents: Extent[]; size: number } {
  let size = 0;
  const extents = columns.map((column) => {
    const extent = { offset: size, bytes: column.length };
    size += aligned(column.length);
    return extent;
  });
  return { extents, size };
}

/** Header and columns, laid out as `extents` says, as one piece. */
export function pack(
  header: string,
  columns: readonly Uint8Array[],
  extents: readonly Extent[],
  size: number,
): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(header);
  const start = PREFIX + aligned(json.length);
  const bytes = new Uint8Array(start + size);
  bytes.set(new TextEncoder().encode(MAGIC));
  new DataView(bytes.buffer).setUint32(8, json.length, true);
  bytes.set(json, PREFIX);
  columns.forEach((column, i) => {
    bytes.set(column, start + extents[i]!.offset);
  });
  return bytes;
}

/** Header (parsed) and the bytes behind it. Throws RecordingError. */
export function unpack(name: string, bytes: Uint8Array): { header: unknown; columns: Uint8Array } {
  const refuse = (at: number, expected: string, found?: string) =>
    new RecordingError({ file: name, at: atByte(at) }, expected, found);
  if (!hasMagic(bytes)) throw refuse(0, `a history (${MAGIC})`);
  if (bytes.length < PREFIX) throw refuse(bytes.length, "the length of the header", "its end");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  if (length > MOST_HEADER || PREFIX + length > bytes.length) {
    throw refuse(8, "the length of the header", `${length} in ${bytes.length} bytes`);
  }
  const json = new TextDecoder().decode(bytes.subarray(PREFIX, PREFIX + length));
  try {
    return { header: JSON.parse(json), columns: bytes.subarray(PREFIX + aligned(length)) };
  } catch {
    throw refuse(PREFIX, "a header in JSON");
  }
}

/** Whether these are the first bytes of a history that is not compressed. */
export function hasMagic(bytes: Uint8Array): boolean {
  return [...MAGIC].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}
