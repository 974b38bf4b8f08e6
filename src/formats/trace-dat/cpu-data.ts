import { discard } from "../../bytes/discard.ts";
import { rangeStream } from "../../bytes/range.ts";
import type { ByteStream } from "../../bytes/source.ts";
import { atByte, RecordingError } from "../../model/place.ts";
import { type FrameReader, frameReader } from "./chunk-reader.ts";
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

/** Of the zeros that stand for data that cannot be found: a page of any size has as many at least. */
const MARK_BYTES = 4096;

/**
 * Data of a CPU in a file with random access: plain pages, or chunks when `compressed`. Where the file
 * ends before them, there are fewer.
 */
export function cpuDataAt(file: SeekableFile, range: CpuRange, compressed: boolean): CpuData {
  const { cpu, offset, size } = range;
  if (!compressed || size === 0) {
    const there = Math.max(0, Math.min(size, file.random.size - offset));
    const open = (): ByteStream => wholeRange(file, { cpu, offset, size: there });
    return { cpu, offset, bytes: there, missing: size - there, open };
  }
  const open: CpuData["open"] = (onDamage) => chunkStream(file, range, onDamage);
  return { cpu, offset, bytes: -1, missing: 0, open };
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
function chunkStream(
  file: SeekableFile,
  { cpu, offset, size }: CpuRange,
  onDamage: ((damage: RecordingError) => void) | undefined,
): ByteStream {
  const named = { file: file.name, at: atByte(offset) };
  let reader: FrameReader | undefined;
  let chunk = new Uint8Array(0);
  let used = 0;
  const ended: FrameReader = async () => null;
  const firstReader = async (): Promise<FrameReader> => {
    // The size that is stated leaves out the number of chunks itself (seen in every file).
    const end = Math.min(offset + size + CHUNK_COUNT_BYTES, file.random.size);
    const cursor = cursorAt(file, offset, end, named);
    return frameReader(cursor, file, await cursor.u32(`the number of chunks of CPU ${cpu}`));
  };
  const next = async (): Promise<boolean> => {
    // Before the next frame is read: should that fail, no read may find the discarded chunk.
    const spent = chunk;
    chunk = new Uint8Array(0);
    used = 0;
    discard(spent);
    try {
      reader ??= await firstReader();
      const read = await reader();
      if (read === null) return false;
      if (read instanceof Uint8Array) chunk = read as Uint8Array<ArrayBuffer>;
      else {
        if (!onDamage) throw read.error;
        onDamage(read.error);
        chunk = new Uint8Array(read.size);
      }
    } catch (error) {
      if (!(error instanceof RecordingError) || !onDamage) {
        // Reading on does not pass over what could not be read.
        reader = () => Promise.reject(error);
        throw error;
      }
      onDamage(error);
      reader = ended;
      chunk = new Uint8Array(MARK_BYTES);
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
      reader = ended;
    },
  };
}
