/**
 * Takes the compression off an input, and finds what is inside: gzip, zstd, xz, nested up to four
 * deep. The bytes stream through, so memory stays bounded whatever the ratio.
 */
import { RecordingError } from "../model/place.ts";
import { CompressedInput, pieces } from "./compressed-input.ts";
import { openXz } from "./decompress-xz.ts";
import { openZstd } from "./decompress-zstd.ts";
import { SNIFF_BYTES, type Sniffed, type SniffedFormat, sniff } from "./sniff.ts";
import { type ByteStream, type RandomAccess, readFully, type Source } from "./source.ts";

/** An input without its compression. */
export interface Unwrapped {
  name: string;
  /** Outermost first. */
  compression: string[];
  format: SniffedFormat;
  /** The format with its variant, as `describeFormat` takes it. */
  sniffed: Sniffed;
  /** The innermost bytes from the first one on; for a source that is read once, only once. */
  stream(): ByteStream;
  /** Access by offset, where nothing is compressed and the source has it. */
  random(): RandomAccess | null;
}

const MAX_LAYERS = 4;

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
  try {
    return await innermost();
  } catch (error) {
    stream.close();
    throw error;
  }

  async function innermost(): Promise<Unwrapped> {
    while (true) {
      const head = new Uint8Array(SNIFF_BYTES);
      const filled = await readFully(stream, head);
      const sniffed = sniff(head.subarray(0, filled));
      const { format } = sniffed;
      const whole = joined(head.subarray(0, filled), stream);
      const open = OPENERS[format];
      if (!open) {
        let first: ByteStream | null = whole;
        return {
          name: source.name,
          compression,
          format,
          sniffed,
          stream() {
            if (!first) throw new Error("bug: the stream was taken already");
            const taken = first;
            first = null;
            return taken;
          },
          random() {
            if (compression.length > 0 || !source.random) return null;
            first?.close();
            first = null;
            return source.random();
          },
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

/** RFC 1952, through the platform's DecompressionStream; `cat a.gz b.gz` is one stream of two members. */
async function openGzip(name: string, compressed: ByteStream): Promise<ByteStream> {
  const input = new CompressedInput(name, "gzip", compressed);
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
        throw input.damaged(error);
      }
    },
    () => {
      reader.cancel().catch(() => {});
      input.close();
    },
  );
}
