/**
 * Takes the compression off an input: gzip, zstd, xz, nested up to four deep. The bytes stream
 * through, so memory stays bounded whatever the ratio.
 */
import { RecordingError } from "../model/place.ts";
import type { DecodedStream } from "./compressed-input.ts";
import { openGzip } from "./decompress-gzip.ts";
import { openXz } from "./decompress-xz.ts";
import { openZstd } from "./decompress-zstd.ts";
import { HEAD_BYTES, Head, LONG_HEAD_BYTES, magic } from "./head.ts";
import { type Damage, pastDamage } from "./past-damage.ts";
import { type ByteStream, type RandomAccess, readFully, type Source } from "./source.ts";

/** One kind of compression. */
interface Compression {
  readonly name: string;
  begins(head: Head): boolean;
  /** `again`, where it can be had, gives the same bytes from the first one once more. */
  open(name: string, compressed: ByteStream, again?: () => ByteStream): Promise<DecodedStream>;
}

/** All of them; each has a signature, so that their order decides nothing. */
export const COMPRESSIONS: readonly Compression[] = [
  { name: "gzip", begins: magic([0x1f, 0x8b, 0x08]), open: openGzip },
  { name: "zstd", begins: zstdFrame, open: openZstd },
  { name: "xz", begins: magic([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), open: openXz },
];

/** An input without its compression. */
export interface Unwrapped {
  name: string;
  /** Outermost first. */
  compression: string[];
  /** The first 64 KiB of the innermost bytes, or all of them. */
  head: Head;
  /** The first MiB, where 64 KiB do not tell what it is. Before `stream()` and `random()`. */
  longHead(): Promise<Head>;
  /** The innermost bytes from the first one on; for a source that is read once, only once. */
  stream(): ByteStream;
  /** The same of a text: it goes on behind damage, where that is one layer's (past-damage.ts). */
  lines(): ByteStream;
  /** Access by offset, where nothing is compressed and the source has it. */
  random(): RandomAccess | null;
}

const MAX_LAYERS = 4;

/**
 * Opens a source up to the first layer that is no compression. Throws RecordingError. Where a layer is
 * damaged or cut off, reading throws too; but with `onDamage` the stream then ends behind what could
 * be decompressed, or goes on behind the damage, and the error is handed over, the innermost first. A layer
 * that gives nothing at all throws in any case.
 */
export async function unwrap(
  source: Source,
  onDamage?: (damage: Damage) => void,
): Promise<Unwrapped> {
  const compression: string[] = [];
  let stream = source.stream();
  let goOn: (() => void) | null = null;
  try {
    return await innermost();
  } catch (error) {
    stream.close();
    throw error;
  }

  async function innermost(): Promise<Unwrapped> {
    while (true) {
      const head = new Head(await readHead(stream, HEAD_BYTES));
      const layer = COMPRESSIONS.find(({ begins }) => begins(head));
      if (!layer) return opened(source, compression, head, stream, goOn);
      if (compression.length === MAX_LAYERS) {
        throw new RecordingError(
          { file: source.name, at: "" },
          `at most ${MAX_LAYERS} layers of compression`,
          [...compression, layer.name].join(" in "),
        );
      }
      compression.push(layer.name);
      const outermost = compression.length === 1;
      const again = outermost && source.random ? () => source.stream() : undefined;
      const plain = await layer.open(source.name, joined(head.bytes, stream), again);
      if (onDamage) {
        const damageable = pastDamage(plain, onDamage);
        goOn = outermost ? () => damageable.goOn() : null;
        stream = damageable;
      } else stream = plain;
    }
  }
}

async function readHead(stream: ByteStream, bytes: number): Promise<Uint8Array> {
  const head = new Uint8Array(bytes);
  return head.subarray(0, await readFully(stream, head));
}

function opened(
  source: Source,
  compression: string[],
  head: Head,
  rest: ByteStream,
  goOn: (() => void) | null,
): Unwrapped {
  let read = head.bytes;
  let first: ByteStream | null = rest;
  const stream = (): ByteStream => {
    if (!first) throw new Error("bug: the stream was taken already");
    const taken = joined(read, first);
    first = null;
    return taken;
  };
  return {
    name: source.name,
    compression,
    head,
    async longHead() {
      if (read.length === HEAD_BYTES) {
        const more = await readHead(rest, LONG_HEAD_BYTES - HEAD_BYTES);
        const both = new Uint8Array(read.length + more.length);
        both.set(read);
        both.set(more, read.length);
        read = both;
      }
      return new Head(read);
    },
    stream,
    lines() {
      goOn?.();
      return stream();
    },
    random() {
      if (compression.length > 0 || !source.random) return null;
      first?.close();
      first = null;
      return source.random();
    },
  };
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

/** RFC 8878: a Zstandard frame, or one of the sixteen kinds of skippable frames. */
function zstdFrame({ bytes }: Head): boolean {
  const [a = 0, b, c, d] = bytes;
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return true;
  return (a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18;
}
