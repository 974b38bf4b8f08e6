/**
 * Takes the compression off an input, and finds what is inside: gzip, zstd, xz, nested up to four
 * deep. The bytes stream through, so memory stays bounded whatever the ratio.
 */
import { atByte, RecordingError } from "../place.ts";
import { SNIFF_BYTES, type SniffedFormat, sniff } from "./sniff.ts";
import { type ByteStream, type RandomAccess, readFully, type Source } from "./source.ts";

/** An input without its compression. */
export interface Unwrapped {
  name: string;
  /** Outermost first. */
  compression: string[];
  format: SniffedFormat;
  /** The innermost bytes from the first one on; for a source that is read once, only once. */
  stream(): ByteStream;
  /** Access by offset, where nothing is compressed and the source has it. */
  random(): RandomAccess | null;
}

const MAX_LAYERS = 4;
const CHUNK = 1 << 18;
/** Largest zstd window accepted, RFC 8878 3.1.1.1.2; a larger one needs as much memory. */
const ZSTD_WINDOW = 1 << 27;

type Opener = (name: string, compressed: ByteStream) => Promise<ByteStream>;

const OPENERS: Partial<Record<SniffedFormat, Opener>> = {
  gzip: openGzip,
  zstd: openZstd,
  xz: openXz,
};

/** Opens a source up to the first layer that is no compression. Throws RecordingError. */
export async function unwrap(source: Source): Promise<Unwrapped> {
  const compression: string[] = [];
  let stream = source.stream();
  while (true) {
    const head = new Uint8Array(SNIFF_BYTES);
    const filled = await readFully(stream, head);
    const { format } = sniff(head.subarray(0, filled));
    const whole = joined(head.subarray(0, filled), stream);
    const open = OPENERS[format];
    if (!open) {
      let first: ByteStream | null = whole;
      return {
        name: source.name,
        compression,
        format,
        stream() {
          if (!first) throw new Error("bug: the stream was taken already");
          const taken = first;
          first = null;
          return taken;
        },
        random: () => (compression.length === 0 ? (source.random?.() ?? null) : null),
      };
    }
    if (compression.length === MAX_LAYERS) {
      throw new RecordingError(
        { file: source.name, at: "" },
        `at most ${MAX_LAYERS} layers of compression`,
        [...compression, format].join(" in "),
      );
    }
    compression.push(format);
    stream = await open(source.name, whole);
  }
}

/** Bytes that were read ahead, then the rest. */
function joined(head: Uint8Array, rest: ByteStream): ByteStream {
  let at = 0;
  return {
    read(into) {
      if (at === head.length) return rest.read(into);
      const n = Math.min(into.length, head.length - at);
      into.set(head.subarray(at, at + n));
      at += n;
      return n;
    },
    close: () => rest.close(),
  };
}

/** Counts what a decoder took, so that damage has a place. */
class CompressedInput {
  readonly #stream: ByteStream;
  readonly name: string;
  offset = 0;

  constructor(name: string, stream: ByteStream) {
    this.name = name;
    this.#stream = stream;
  }

  /** The next piece; null at the end. */
  async next(): Promise<Uint8Array<ArrayBuffer> | null> {
    const chunk = new Uint8Array(CHUNK);
    const got = this.#stream.read(chunk);
    const count = typeof got === "number" ? got : await got;
    this.offset += count;
    return count === 0 ? null : chunk.subarray(0, count);
  }

  damaged(format: string, error: unknown): RecordingError {
    if (error instanceof RecordingError) return error;
    const found = error instanceof Error ? error.message : String(error);
    return new RecordingError(
      { file: this.name, at: atByte(this.offset) },
      `an intact ${format} stream`,
      found,
    );
  }

  close(): void {
    this.#stream.close();
  }
}

/** A ByteStream over a function that gives the next piece, null at the end. */
function pieces(next: () => Promise<Uint8Array | null>, close: () => void): ByteStream {
  let piece: Uint8Array | null = new Uint8Array(0);
  let at = 0;
  return {
    async read(into) {
      while (piece && at === piece.length) {
        piece = await next();
        at = 0;
      }
      if (!piece) return 0;
      const n = Math.min(into.length, piece.length - at);
      into.set(piece.subarray(at, at + n));
      at += n;
      return n;
    },
    close,
  };
}

/** RFC 1952, through the platform's DecompressionStream; `cat a.gz b.gz` is one stream of two members. */
async function openGzip(name: string, compressed: ByteStream): Promise<ByteStream> {
  const input = new CompressedInput(name, compressed);
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const chunk = await input.next();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const reader = body.pipeThrough(new DecompressionStream("gzip")).getReader();
  return pieces(
    async () => {
      try {
        const { done, value } = await reader.read();
        return done ? null : value;
      } catch (error) {
        throw input.damaged("gzip", error);
      }
    },
    () => {
      reader.cancel().catch(() => {});
      input.close();
    },
  );
}

/** RFC 8878, through fzstd; several frames after each other, skippable ones too. */
async function openZstd(name: string, compressed: ByteStream): Promise<ByteStream> {
  const { Decompress } = await import("fzstd");
  const input = new CompressedInput(name, compressed);
  const queue: Uint8Array[] = [];
  const first = await input.next();
  if (first) checkWindow(name, first);
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) queue.push(chunk.slice());
  });
  let pending: Uint8Array | null = first;
  let ended = false;
  return pieces(
    async () => {
      while (queue.length === 0 && !ended) {
        const chunk = pending ?? (await input.next());
        pending = null;
        try {
          // A piece of input of this size makes at most some thousand times as much output.
          if (chunk) decoder.push(chunk.length > 4096 ? splitOff(chunk) : chunk, false);
          else {
            ended = true;
            decoder.push(new Uint8Array(0), true);
          }
        } catch (error) {
          throw input.damaged("zstd", error);
        }
      }
      return queue.shift() ?? null;
    },
    () => input.close(),
  );

  function splitOff(chunk: Uint8Array): Uint8Array {
    pending = chunk.subarray(4096);
    return chunk.subarray(0, 4096);
  }
}

function checkWindow(name: string, head: Uint8Array): void {
  const descriptor = head[4] ?? 0;
  if (descriptor & 0x20) return;
  const byte = head[5] ?? 0;
  const window = 2 ** (10 + (byte >> 3)) * (1 + (byte & 7) / 8);
  if (head[0] === 0x28 && window > ZSTD_WINDOW) {
    throw new RecordingError(
      { file: name, at: atByte(5) },
      `a zstd window of at most ${ZSTD_WINDOW} bytes`,
      `${window}`,
    );
  }
}

/** xz, through xz-decompress. */
async function openXz(name: string, compressed: ByteStream): Promise<ByteStream> {
  const { default: xz } = await import("xz-decompress");
  const input = new CompressedInput(name, compressed);
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const chunk = await input.next();
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
  });
  const reader = new xz.XzReadableStream(body).getReader();
  return pieces(
    async () => {
      try {
        const { done, value } = await reader.read();
        return done ? null : (value as Uint8Array);
      } catch (error) {
        throw input.damaged("xz", error);
      }
    },
    () => {
      reader.cancel().catch(() => {});
      input.close();
    },
  );
}
