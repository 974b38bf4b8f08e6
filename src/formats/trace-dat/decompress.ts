import type { Codecs } from "../../bytes/codecs.ts";
import { discard } from "../../bytes/discard.ts";
import { rangeStream } from "../../bytes/range.ts";
import type { Frame, RandomAccess } from "../../bytes/source.ts";
import { type Place, RecordingError } from "../../model/place.ts";
import { Cursor, memoryCursor, SECTION_LIMIT } from "./cursor.ts";

/** What reading a compressed or seekable part of a file takes. */
export interface SeekableFile {
  readonly name: string;
  readonly random: RandomAccess;
  readonly bigEndian: boolean;
  /** As the initial format names it. */
  readonly compression: string;
  readonly codecs: Codecs;
  /** Readers of its CPUs that read ahead: they share what may be in memory. */
  readers?: number;
}

/**
 * A cursor over bytes [start, end) of the file; places are byte offsets of the file.
 * @throws RecordingError at `named` when they are not all within the file.
 */
export function cursorAt(file: SeekableFile, start: number, end: number, named: Place): Cursor {
  const { name, random } = file;
  if (start > end || end > random.size) {
    const range = `0x${start.toString(16)} to 0x${end.toString(16)}`;
    const found = `${range}, and the file ends at 0x${random.size.toString(16)}`;
    throw new RecordingError(named, "bytes within the file", found);
  }
  const stream = rangeStream(random, start, end);
  const cursor = new Cursor({ file: name, stream, length: end - start, origin: "", start });
  cursor.bigEndian = file.bigEndian;
  return cursor;
}

/** A frame as it stands in the file, and where. */
export interface PackedFrame extends Frame {
  readonly place: Place;
}

/**
 * Reads u32 compressed size, u32 uncompressed size and one frame, as compressed sections and
 * chunks of CPU data have it (trace-cmd.dat.v7(5)), without looking into the frame.
 * @throws RecordingError when either size is more than the bytes there are or than 64 MiB.
 */
export async function readPacked(cursor: Cursor, file: SeekableFile): Promise<PackedFrame> {
  const place = cursor.place();
  const compressedSize = await cursor.u32("a compressed size");
  const size = await cursor.u32("an uncompressed size");
  if (size > SECTION_LIMIT) {
    throw new RecordingError(place, `at most ${SECTION_LIMIT} bytes uncompressed`, `${size}`);
  }
  const compressed = await cursor.take(compressedSize, `${file.compression} data`);
  return { place, compressed, size };
}

/**
 * Reads and decompresses one frame.
 * @throws RecordingError when the frame does not give exactly the uncompressed size, or cannot be
 *   read.
 */
export async function readFrame(cursor: Cursor, file: SeekableFile): Promise<Uint8Array> {
  return decodeFrame(file, await readPacked(cursor, file));
}

/** Decompresses one frame; throws as readFrame(). */
export async function decodeFrame(file: SeekableFile, frame: PackedFrame): Promise<Uint8Array> {
  const decode = codecOf(file, frame.place);
  let bytes: Uint8Array | Error;
  try {
    bytes = await decode(frame.compressed, frame.size);
  } catch (error) {
    bytes = error instanceof Error ? error : new Error(String(error));
  }
  discard(frame.compressed);
  return checkedFrame(file, frame, bytes);
}

/**
 * What a decoder gave, when it is what the file says.
 * @throws RecordingError when it is not.
 */
export function checkedFrame(
  file: SeekableFile,
  { place, size }: PackedFrame,
  bytes: Uint8Array | Error,
): Uint8Array {
  const expected = `${size} bytes of ${file.compression} data`;
  if (bytes instanceof Error) throw new RecordingError(place, expected, bytes.message);
  if (bytes.length !== size) {
    const found = bytes.length === 0 ? "a damaged frame" : `${bytes.length}`;
    throw new RecordingError(place, expected, found);
  }
  return bytes;
}

/** A cursor over what `readFrame` gives; places read `@0x60+0x1f`. */
export async function frameCursor(cursor: Cursor, file: SeekableFile): Promise<Cursor> {
  const origin = `${cursor.place().at}+`;
  return memoryCursor(file.name, await readFrame(cursor, file), origin, file.bigEndian);
}

function codecOf(file: SeekableFile, place: Place): Codecs["zstd"] {
  if (file.compression === "zstd") return (bytes, size) => file.codecs.zstd(bytes, size);
  if (file.compression === "zlib") return (bytes, size) => file.codecs.zlib(bytes, size);
  throw new RecordingError(place, "compression zstd or zlib", JSON.stringify(file.compression));
}
