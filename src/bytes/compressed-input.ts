/** What the three decoders have in common: compressed bytes with an offset, and pieces of output. */
import { atByte, RecordingError } from "../model/place.ts";
import type { ByteStream } from "./source.ts";

const CHUNK = 1 << 18;

/** Whether at `at` of `bytes` begins what a decoder can go on from. */
export type Begins = (bytes: Uint8Array, at: number) => boolean;

/** Decompressed bytes that may go on behind damage. */
export interface DecodedStream extends ByteStream {
  /**
   * After a read has thrown: goes to the next place where the format begins anew; what lies before it is
   * lost. False: there is none.
   */
  resume(): Promise<boolean>;
}

/** A chunk keeps room for more behind what is put back. */
const SPACE = new Uint8Array(CHUNK);

/** `found` of the error for a compressed file whose end is missing. */
export const CUT_OFF = "its end: the file is cut off";
/** How the platforms' DecompressionStream says it. */
const EARLY_END = /unexpected end|unexpected eof|truncated/i;

/** Compressed bytes, taken in order; knows its offset, so that damage has a place. */
export class CompressedInput {
  readonly name: string;
  readonly #format: string;
  readonly #stream: ByteStream;
  #chunk = new Uint8Array(CHUNK);
  #at = 0;
  #end = 0;
  /** Of the first byte that was not taken. */
  offset = 0;
  /** Where `seek` went last: what begins there was damaged. */
  #sought = 0;

  constructor(name: string, format: string, stream: ByteStream) {
    this.name = name;
    this.#format = format;
    this.#stream = stream;
  }

  async atEnd(): Promise<boolean> {
    return this.#at === this.#end && !(await this.#more());
  }

  /** Puts more behind what is not taken; false: there is no more. */
  async #more(): Promise<boolean> {
    const rest = this.#end - this.#at;
    if (this.#at > 0) this.#chunk.copyWithin(0, this.#at, this.#end);
    this.#at = 0;
    this.#end = rest;
    const got = this.#stream.read(this.#chunk.subarray(rest));
    const count = typeof got === "number" ? got : await got;
    this.#end += count;
    return count > 0;
  }

  /** What can be had at once, `most` bytes of it, a copy; null at the end. */
  async next(most = CHUNK): Promise<Uint8Array<ArrayBuffer> | null> {
    return (await this.atEnd()) ? null : this.#pull(Math.min(most, this.#end - this.#at));
  }

  /** Puts bytes back that were taken last, at most some KiB. */
  giveBack(bytes: Uint8Array): void {
    this.#chunk = concatenated(bytes, this.#chunk.subarray(this.#at, this.#end), SPACE);
    this.#end += bytes.length - this.#at;
    this.#at = 0;
    this.offset -= bytes.length;
  }

  /**
   * Goes on to where `begins` says so, of `length` bytes, but to no place twice; false, at the end: nowhere.
   */
  async seek(length: number, begins: Begins): Promise<boolean> {
    do {
      for (; this.#end - this.#at >= length; this.#at++, this.offset++) {
        if (this.offset <= this.#sought || !begins(this.#chunk, this.#at)) continue;
        this.#sought = this.offset;
        return true;
      }
    } while (await this.#more());
    this.offset += this.#end - this.#at;
    this.#at = this.#end;
    return false;
  }

  /** The next `count` bytes, a copy. Throws RecordingError when there are fewer, and takes none. */
  async take(count: number): Promise<Uint8Array<ArrayBuffer>> {
    if (count <= this.#end - this.#at) return this.#pull(count);
    const bytes = new Uint8Array(count);
    for (let filled = 0; filled < count; ) {
      if (await this.atEnd()) {
        const cut = this.damaged(CUT_OFF);
        this.giveBack(bytes.subarray(0, filled));
        throw cut;
      }
      const part = this.#pull(Math.min(count - filled, this.#end - this.#at));
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  }

  /** The next byte, which is not taken; undefined at the end. */
  async peek(): Promise<number | undefined> {
    return (await this.atEnd()) ? undefined : this.#chunk[this.#at];
  }

  #pull(count: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#chunk.slice(this.#at, this.#at + count);
    this.#at += count;
    this.offset += count;
    return bytes;
  }

  /** The error for what a decoder reports; one that names its place already stays as it is. */
  damaged(error: unknown, offset = this.offset): RecordingError {
    if (error instanceof RecordingError) return error;
    const message = error instanceof Error ? error.message : String(error);
    const found = EARLY_END.test(message) ? CUT_OFF : message;
    const place = { file: this.name, at: atByte(offset) };
    return new RecordingError(place, `an intact ${this.#format} stream`, found);
  }

  close(): void {
    this.#stream.close();
  }
}

/**
 * A stream over a function that gives the next piece, null at the end. After an error every read throws
 * the same again, until `resume` has found where to go on.
 */
export function pieces(
  next: () => Promise<Uint8Array | null>,
  close: () => void,
  resume: () => Promise<boolean>,
): DecodedStream {
  let piece: Uint8Array | null = new Uint8Array(0);
  let at = 0;
  let failure: unknown;
  const fill = async (into: Uint8Array): Promise<number> => {
    let filled = 0;
    while (piece && filled < into.length) {
      if (at === piece.length) {
        if (failure !== undefined) throw failure;
        at = 0;
        try {
          piece = await next();
        } catch (error) {
          // What was decoded before the damage is handed out first.
          piece = new Uint8Array(0);
          failure = error;
          if (filled > 0) return filled;
        }
        continue;
      }
      const n = Math.min(into.length - filled, piece.length - at);
      into.set(piece.subarray(at, at + n), filled);
      at += n;
      filled += n;
    }
    return filled;
  };
  return {
    read(into) {
      if (!piece || into.length > piece.length - at) return fill(into);
      into.set(piece.subarray(at, at + into.length));
      at += into.length;
      return into.length;
    },
    close,
    async resume() {
      if (!(await resume())) return false;
      failure = undefined;
      return true;
    },
  };
}

/** Byte arrays after each other. */
export function concatenated(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
