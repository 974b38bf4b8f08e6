/** zstd streams (RFC 8878): frames after each other, skippable ones too. */
import { atByte, RecordingError } from "../model/place.ts";
import { CompressedInput, concatenated, type DecodedStream, pieces } from "./compressed-input.ts";
import type { ByteStream } from "./source.ts";
import { startZstddec } from "./start-zstddec.ts";

/** Largest window accepted, RFC 8878 3.1.1.1.2: the decoder needs as much memory. */
const WINDOW_LIMIT = 1 << 27;
/** Block_Maximum_Size, RFC 8878 3.1.1.2.4. */
const BLOCK_LIMIT = 1 << 17;
const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
/** Calls of the decoder that may pass with nothing taken and nothing made: it repeats an error forever. */
const STALLS = 8;

/**
 * The decompressed bytes of a zstd stream. Checksums are checked. Reading throws RecordingError
 * for damaged or cut off input, a window above 128 MiB, or a dictionary.
 */
export async function openZstd(name: string, compressed: ByteStream): Promise<DecodedStream> {
  const { ZSTDDecoder } = await import("zstddec/stream");
  const decoder = new ZSTDDecoder();
  await startZstddec(decoder);
  const input = new CompressedInput(name, "zstd", compressed);
  let parts = frameParts(input);
  /** The last two parts of a frame behind its header: what is damaged may have had a wrong length. */
  let recent: Uint8Array[] = [];
  let part: Uint8Array | null = null;
  let taken = 0;
  let ended = false;
  // The decoder asks for its next part without waiting, at most once a call: it lies ready.
  function* prepared(): Generator<Uint8Array> {
    for (; part; taken++) {
      const given = part;
      part = null;
      yield given;
    }
  }
  let output = decoder.decodeStreaming(prepared());

  async function next(): Promise<Uint8Array | null> {
    for (let stalls = 0, before = taken; stalls < STALLS; stalls++) {
      if (!part && !ended) {
        const got = await parts.next();
        if (got.done) ended = true;
        else {
          part = got.value;
          recent = frameBegins(part, 0) ? [] : [...recent.slice(-1), part];
        }
      }
      const { done, value } = output.next();
      if (done) return null;
      if (value.length > 0) return value;
      if (taken !== before) stalls = 0;
      before = taken;
    }
    throw new Error("data that does not decode");
  }

  return pieces(
    () =>
      next().catch((error) => {
        throw input.damaged(error);
      }),
    () => {
      part = null;
      ended = true;
      release(output);
      input.close();
    },
    async () => {
      // Behind an error a part more was taken: it may be the next frame's header.
      const unread = recent.length === 0 && part ? [part] : recent;
      part = null;
      ended = true;
      release(output);
      input.giveBack(concatenated(...unread));
      if (!(await input.seek(4, frameBegins))) return false;
      ended = false;
      recent = [];
      parts = frameParts(input);
      output = decoder.decodeStreaming(prepared());
      return true;
    },
  );
}

function frameBegins(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 3] !== 0xfd && bytes[at + 3] !== 0x18) return false;
  const number = littleEndian(bytes.subarray(at, at + 4), 4);
  return number === FRAME || number - (number % 16) === SKIPPABLE;
}

/** Lets the decoder run to its end without more input, because only there it frees its memory. */
function release(output: Generator<Uint8Array>): void {
  try {
    for (let i = 0; i < STALLS && !output.next().done; i++);
  } catch {
    // It complains about the missing rest.
  }
}

/** The parts of all frames, none above 128 KiB + 3: headers, blocks, checksums. Skippable frames are left out. */
async function* frameParts(input: CompressedInput): AsyncGenerator<Uint8Array> {
  while (!(await input.atEnd())) {
    const start = input.offset;
    const magic = await input.take(4);
    const number = littleEndian(magic, 4);
    if (number - (number % 16) === SKIPPABLE) {
      for (let left = littleEndian(await input.take(4), 4); left > 0; ) {
        left -= (await input.take(Math.min(left, BLOCK_LIMIT))).length;
      }
    } else if (number === FRAME) {
      yield* oneFrame(input, magic);
    } else {
      throw input.damaged("bytes that belong to no frame", start);
    }
  }
}

async function* oneFrame(input: CompressedInput, magic: Uint8Array): AsyncGenerator<Uint8Array> {
  const start = input.offset;
  const descriptor = await input.take(1);
  const flags = descriptor[0] ?? 0;
  const single = (flags & 0x20) !== 0;
  const windowByte = await input.take(single ? 0 : 1);
  const dictionary = await input.take([0, 1, 2, 4][flags & 3] ?? 0);
  const contentSize = await input.take([single ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0);
  const exponent = (windowByte[0] ?? 0) >> 3;
  const window = single
    ? littleEndian(contentSize, contentSize.length)
    : 2 ** (10 + exponent) * (1 + ((windowByte[0] ?? 0) & 7) / 8);
  const place = { file: input.name, at: atByte(start) };
  if (window > WINDOW_LIMIT) {
    throw new RecordingError(place, "a zstd window of at most 128 MiB", `${window} bytes`);
  }
  if (dictionary.some((byte) => byte !== 0)) {
    throw new RecordingError(place, "zstd without a dictionary", "a dictionary's number");
  }
  yield concatenated(magic, descriptor, windowByte, dictionary, contentSize);
  for (let last = false; !last; ) {
    const at = input.offset;
    const header = await input.take(3);
    const word = littleEndian(header, 3);
    last = (word & 1) === 1;
    const type = (word >> 1) & 3;
    const size = word >> 3;
    if (type === 3 || size > BLOCK_LIMIT) throw input.damaged("a block that cannot be", at);
    // 1 is RLE_Block: one byte, repeated `size` times.
    yield concatenated(header, await input.take(type === 1 ? 1 : size));
  }
  if (flags & 4) yield await input.take(4);
}

/** An unsigned number of up to eight bytes; above 2^53 only roughly. */
function littleEndian(bytes: Uint8Array, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 256 + (bytes[i] ?? 0);
  return value;
}
