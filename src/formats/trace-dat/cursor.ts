import { bytesSource } from "../../bytes/memory-source.ts";
import type { ByteStream } from "../../bytes/source.ts";
import { atByte, type Place, RecordingError } from "../../model/place.ts";

/** The most that is held of one header piece or section. Real ones have at most 20 MiB. */
export const SECTION_LIMIT = 64 * 1024 * 1024;
const BUFFER_BYTES = 64 * 1024;
const FIRST_GROWTH = 1024 * 1024;
const NAME_LIMIT = 4096;

/** Where a cursor's bytes come from. */
export interface CursorSource {
  readonly file: string;
  readonly stream: ByteStream;
  /** Bytes that `stream` gives; undefined when not known before its end. */
  readonly length: number | undefined;
  /** Prefix of `at` of every place; "" for the file's own bytes, `@0x60+` for a section's. */
  readonly origin: string;
  /** Byte offset of the first byte, relative to `origin`. */
  readonly start: number;
}

/**
 * Reads forward only, so that the same parsing serves a file, a pipe and a decompressed section.
 * Nothing is allocated before it is known, or shown by arriving bytes, that the input is that
 * long. Every method that reads throws RecordingError when the input ends before.
 */
export class Cursor implements ByteStream {
  bigEndian = false;
  /** Offset of the next byte, relative to the source's origin. */
  offset: number;
  readonly #source: CursorSource;
  readonly #buffer: Uint8Array;
  readonly #view: DataView;
  #from = 0;
  #to = 0;

  constructor(source: CursorSource) {
    this.#source = source;
    this.offset = source.start;
    // At least eight bytes, so that the end of a short source is told by #fill().
    this.#buffer = new Uint8Array(
      Math.max(8, Math.min(BUFFER_BYTES, source.length ?? BUFFER_BYTES)),
    );
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** Bytes left; undefined when not known. */
  get left(): number | undefined {
    const { length, start } = this.#source;
    return length === undefined ? undefined : length - (this.offset - start);
  }

  /** The place of a byte, by default the next one. */
  place(offset = this.offset): Place {
    const { file, origin } = this.#source;
    return { file, at: origin === "" ? atByte(offset) : `${origin}0x${offset.toString(16)}` };
  }

  /** Bytes as they come, for the part of a file that is handed on unread. */
  read(into: Uint8Array): number | Promise<number> {
    if (this.#from < this.#to) {
      const count = Math.min(into.length, this.#to - this.#from);
      into.set(this.#buffer.subarray(this.#from, this.#from + count));
      this.#from += count;
      this.offset += count;
      return count;
    }
    const got = this.#source.stream.read(into);
    if (typeof got !== "number") return got.then((count) => this.#passed(count));
    return this.#passed(got);
  }

  close(): void {
    this.#source.stream.close();
  }

  /** The next `count` bytes, in memory of their own. `what` names them in errors. */
  async take(count: number, what: string): Promise<Uint8Array> {
    this.#mayTake(count, what);
    if (count > SECTION_LIMIT) {
      throw new RecordingError(
        this.place(),
        `${what} of at most ${SECTION_LIMIT} bytes`,
        `${count}`,
      );
    }
    if (count <= this.#buffer.length) {
      await this.#fill(count, what);
      const bytes = this.#buffer.slice(this.#from, this.#from + count);
      this.#from += count;
      this.offset += count;
      return bytes;
    }
    const start = this.offset;
    let bytes = new Uint8Array(this.left === undefined ? Math.min(count, FIRST_GROWTH) : count);
    let filled = 0;
    while (filled < count) {
      if (filled === bytes.length) {
        const grown = new Uint8Array(Math.min(count, bytes.length * 2));
        grown.set(bytes);
        bytes = grown;
      }
      const got = await this.read(bytes.subarray(filled));
      if (got === 0) throw this.#ended(start, count, filled, what);
      filled += got;
    }
    return bytes;
  }

  /** Passes over `count` bytes. */
  async skip(count: number, what: string): Promise<void> {
    this.#mayTake(count, what);
    const start = this.offset;
    const buffered = Math.min(count, this.#to - this.#from);
    this.#from += buffered;
    this.offset += buffered;
    while (this.offset - start < count) {
      const room = this.#buffer.subarray(0, start + count - this.offset);
      const got = await this.#source.stream.read(room);
      if (got === 0) throw this.#ended(start, count, this.offset - start, what);
      this.offset += got;
    }
  }

  /** The next `count` bytes as UTF-8 text. */
  async text(count: number, what: string): Promise<string> {
    if (this.#to - this.#from < count) return decodeText(await this.take(count, what));
    const at = this.#from;
    this.#pass(count);
    return decodeText(this.#buffer.subarray(at, at + count));
  }

  async u8(what: string): Promise<number> {
    return this.#view.getUint8(await this.#small(1, what));
  }

  async u16(what: string): Promise<number> {
    return this.#view.getUint16(await this.#small(2, what), !this.bigEndian);
  }

  async u32(what: string): Promise<number> {
    return this.#view.getUint32(await this.#small(4, what), !this.bigEndian);
  }

  async u64(what: string): Promise<bigint> {
    return this.#view.getBigUint64(await this.#small(8, what), !this.bigEndian);
  }

  /** A u64 that counts or addresses bytes of the file, so that it fits a number. */
  async size(what: string): Promise<number> {
    const start = this.offset;
    const at = await this.#small(8, what);
    const high = this.#view.getUint32(this.bigEndian ? at : at + 4, !this.bigEndian);
    const low = this.#view.getUint32(this.bigEndian ? at + 4 : at, !this.bigEndian);
    if (high > 0x1fffff) {
      const value = (BigInt(high) << 32n) | BigInt(low);
      throw new RecordingError(this.place(start), `${what} below 2^53`, `0x${value.toString(16)}`);
    }
    return high * 0x100000000 + low;
  }

  /** Passes over up to eight bytes and returns where in the buffer they are: thousands are read. */
  async #small(count: number, what: string): Promise<number> {
    if (this.#to - this.#from < count) {
      this.#mayTake(count, what);
      await this.#fill(count, what);
    }
    const at = this.#from;
    this.#pass(count);
    return at;
  }

  #pass(count: number): void {
    this.#from += count;
    this.offset += count;
  }

  /** Text up to a NUL byte, which is passed over. */
  async string(what: string): Promise<string> {
    const place = this.place();
    const codes: number[] = [];
    for (;;) {
      if (this.#from === this.#to) await this.#fill(1, what);
      const code = this.#buffer[this.#from++]!;
      this.offset++;
      if (code === 0) return decodeText(Uint8Array.from(codes));
      if (codes.length === NAME_LIMIT) {
        throw new RecordingError(place, `${what} of at most ${NAME_LIMIT} bytes and a NUL`);
      }
      codes.push(code);
    }
  }

  #passed(count: number): number {
    this.offset += count;
    return count;
  }

  #mayTake(count: number, what: string): void {
    const left = this.left;
    if (left !== undefined && count > left) throw this.#ended(this.offset, count, left, what);
  }

  #ended(start: number, wanted: number, found: number, what: string): RecordingError {
    return new RecordingError(
      this.place(start),
      `${wanted} bytes of ${what}`,
      `${found} to the end`,
    );
  }

  async #fill(count: number, what: string): Promise<void> {
    if (this.#to - this.#from >= count) return;
    this.#buffer.copyWithin(0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
    while (this.#to < count) {
      const got = await this.#source.stream.read(this.#buffer.subarray(this.#to));
      if (got === 0) throw this.#ended(this.offset, count, this.#to, what);
      this.#to += got;
    }
  }
}

/** A cursor over bytes in memory, whose places are counted from `origin`. */
export function memoryCursor(
  file: string,
  bytes: Uint8Array,
  origin: string,
  bigEndian: boolean,
  start = 0,
): Cursor {
  const stream = bytesSource(file, bytes).stream();
  const cursor = new Cursor({ file, stream, length: bytes.length, origin, start });
  cursor.bigEndian = bigEndian;
  return cursor;
}

const decoder = new TextDecoder("utf-8");

/** Text of the traced system: UTF-8; bytes that are none become U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
