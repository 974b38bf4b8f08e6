import { discard } from "../../bytes/discard.ts";
import { rangeStream } from "../../bytes/range.ts";
import type { ByteStream } from "../../bytes/source.ts";
import { atByte, RecordingError } from "../../model/place.ts";
import { frameReader } from "./chunk-reader.ts";
import type { Cursor } from "./cursor.ts";
import { cursorAt, type SeekableFile } from "./decompress.ts";
import type { CpuData } from "./trace-dat.ts";

/** EVENT_CPU has 16 bits; Linux has at most 8192 CPUs. */
export const CPU_LIMIT = 65536;

/** Of the number of chunks in front of compressed data. */
const CHUNK_COUNT_BYTES = 4;

/** Where one CPU's data stand in the file, bytes. */
export interface CpuRange {
  readonly cpu: number;
  readonly offset: number;
  readonly size: number;
}

/** Reads {u64 offset, u64 size}. */
export async function readCpuRange(cursor: Cursor, cpu: number): Promise<CpuRange> {
  const offset = await cursor.size(`the data offset of CPU ${cpu}`);
  return { cpu, offset, size: await cursor.size(`the data size of CPU ${cpu}`) };
}

/**
 * Data of a CPU in a file with random access: plain pages, or chunks when `compressed`.
 * @throws RecordingError when they are not all within the file.
 */
export function cpuDataAt(file: SeekableFile, range: CpuRange, compressed: boolean): CpuData {
  const { cpu, offset, size } = range;
  if (size > 0 && offset + size > file.random.size) {
    throw new RecordingError(
      { file: file.name, at: atByte(offset) },
      `${size} bytes of data of CPU ${cpu}`,
      offset < file.random.size ? `${file.random.size - offset} to the end` : "the end of the file",
    );
  }
  if (!compressed || size === 0) {
    return { cpu, bytes: size, open: () => wholeRange(file, range) };
  }
  return { cpu, bytes: -1, open: () => chunkStream(file, range) };
}

/** Plain pages; a file that shrinks while it is read is an error, not an early end. */
function wholeRange(file: SeekableFile, { cpu, offset, size }: CpuRange): ByteStream {
  const stream = rangeStream(file.random, offset, offset + size);
  return exactStream(stream, size, `data of CPU ${cpu}`, file.name, offset);
}

/**
 * Passes `stream` through for `size` bytes.
 * @throws RecordingError (from read) when it ends before.
 */
export function exactStream(
  stream: ByteStream,
  size: number,
  what: string,
  file: string,
  start: number,
): ByteStream {
  let left = size;
  const advance = (count: number): number => {
    if (count === 0) {
      const place = { file, at: atByte(start + size - left) };
      throw new RecordingError(place, `${left} more bytes of ${what}`, "the end of the file");
    }
    left -= count;
    return count;
  };
  return {
    read(into) {
      if (left === 0 || into.length === 0) return 0;
      const got = stream.read(into.length > left ? into.subarray(0, left) : into);
      return typeof got === "number" ? advance(got) : got.then(advance);
    },
    close() {},
  };
}

/** u32 number of chunks, then the chunks; one is in memory at a time. */
function chunkStream(file: SeekableFile, { cpu, offset, size }: CpuRange): ByteStream {
  const named = { file: file.name, at: atByte(offset) };
  let reader: (() => Promise<Uint8Array | null>) | undefined;
  let chunk = new Uint8Array(0);
  let used = 0;
  /** Kept, so that reading on does not pass over the pages that could not be read. */
  let damage: unknown;
  const next = async (): Promise<boolean> => {
    if (damage !== undefined) throw damage;
    if (reader === undefined) {
      // The size that is stated leaves out the number of chunks itself (seen in every file).
      const end = Math.min(offset + size + CHUNK_COUNT_BYTES, file.random.size);
      const cursor = cursorAt(file, offset, end, named);
      const count = await cursor.u32(`the number of chunks of CPU ${cpu}`);
      reader = frameReader(cursor, file, count);
    }
    // Before the next frame is read: should that fail, no read may find the discarded chunk.
    const spent = chunk;
    chunk = new Uint8Array(0);
    used = 0;
    discard(spent);
    try {
      const read = await reader();
      if (read === null) return false;
      chunk = read as Uint8Array<ArrayBuffer>;
    } catch (error) {
      damage = error;
      throw error;
    }
    return true;
  };
  const give = (into: Uint8Array): number => {
    const count = Math.min(into.length, chunk.length - used);
    into.set(chunk.subarray(used, used + count));
    used += count;
    return count;
  };
  const readNext = async (into: Uint8Array): Promise<number> => {
    while (used === chunk.length) {
      if (!(await next())) return 0;
    }
    return give(into);
  };
  return {
    read: (into) => (used < chunk.length || into.length === 0 ? give(into) : readNext(into)),
    close() {
      chunk = new Uint8Array(0);
      used = 0;
      reader = async () => null;
    },
  };
}
