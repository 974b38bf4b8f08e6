/**
 * The bytes of a history, byte by byte in docs/history.md: magic, length and checksum of the header, the
 * header as JSON, the columns. Little endian; every column begins at a multiple of 8.
 */
import { cksum } from "../bytes/cksum.ts";
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

/** A column's bytes, in pieces. */
type Pieces = readonly Uint8Array[];

/** Lays columns out one after the other. */
export function layOut(columns: readonly Pieces[]): { extents: Extent[]; size: number } {
  let size = 0;
  const extents = columns.map((pieces) => {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    const extent = { offset: size, bytes };
    size += aligned(bytes);
    return extent;
  });
  return { extents, size };
}

/** Header and columns, laid out as `extents` says, as one piece. */
export function pack(
  header: string,
  columns: readonly Pieces[],
  extents: readonly Extent[],
  size: number,
): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(header);
  const start = PREFIX + aligned(json.length);
  const bytes = new Uint8Array(start + size);
  bytes.set(new TextEncoder().encode(MAGIC));
  const prefix = new DataView(bytes.buffer);
  prefix.setUint32(8, json.length, true);
  prefix.setUint32(12, cksum(json), true);
  bytes.set(json, PREFIX);
  columns.forEach((pieces, i) => {
    let at = start + extents[i]!.offset;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
  });
  return bytes;
}

/** Header (parsed) and the bytes behind it. Throws RecordingError. */
export function unpack(name: string, bytes: Uint8Array): { header: unknown; columns: Uint8Array } {
  const refuse = (at: number, expected: string, found?: string) =>
    new RecordingError({ file: name, at: atByte(at) }, expected, found);
  if (!hasMagic(bytes)) throw refuse(0, `a history (${MAGIC})`);
  if (bytes.length < PREFIX) throw refuse(bytes.length, "the length of the header", "its end");
  const prefix = new DataView(bytes.buffer, bytes.byteOffset);
  const length = prefix.getUint32(8, true);
  if (length > MOST_HEADER || PREFIX + length > bytes.length) {
    throw refuse(8, "the length of the header", `${length} in ${bytes.length} bytes`);
  }
  const json = bytes.subarray(PREFIX, PREFIX + length);
  const sum = prefix.getUint32(12, true);
  // 0: written before there was one.
  if (sum !== 0 && sum !== cksum(json)) throw refuse(PREFIX, "a header that is not damaged");
  try {
    return {
      header: JSON.parse(new TextDecoder().decode(json)),
      columns: bytes.subarray(PREFIX + aligned(length)),
    };
  } catch {
    throw refuse(PREFIX, "a header in JSON");
  }
}

/** Whether these are the first bytes of a history that is not compressed. */
export function hasMagic(bytes: Uint8Array): boolean {
  return [...MAGIC].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}
