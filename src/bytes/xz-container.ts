/**
 * Walks the structure of an .xz file without decoding it ("The .xz File Format", LZMA2 chunks as in
 * xz-embedded), so that a cut off file, the end of a stream and the size of the dictionary are
 * known before the decoder sees them.
 */
import { atByte, RecordingError } from "../model/place.ts";
import { type CompressedInput, concatenated } from "./compressed-input.ts";

/** Largest dictionary accepted (`xz -9` has 64 MiB): the decoder needs as much memory. */
const DICTIONARY_LIMIT = 1 << 27;
const LZMA2 = 0x21;
/** Bytes of a block's check, by the low four bits of the stream flags. */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];

/** Whether a stream begins at `at`. */
export function streamBegins(bytes: Uint8Array, at: number): boolean {
  return MAGIC.every((byte, i) => bytes[at + i] === byte);
}

/**
 * The parts of the file, in order, none above 64 KiB + 6: all streams and the padding between
 * them. Throws RecordingError where the structure breaks.
 */
export async function* xzParts(input: CompressedInput): AsyncGenerator<Uint8Array> {
  do {
    yield* oneStream(input);
    // Stream padding: zeros in fours. A stream begins with another byte.
    while ((await input.peek()) === 0) {
      const padding = await input.take(4);
      if (padding.some((byte) => byte !== 0)) {
        throw input.damaged("bytes that are no padding", input.offset - 4);
      }
      yield padding;
    }
  } while (!(await input.atEnd()));
}

async function* oneStream(input: CompressedInput): AsyncGenerator<Uint8Array> {
  const header = await input.take(12);
  if (header[0] !== 0xfd || header[1] !== 0x37 || header[5] !== 0) {
    throw input.damaged("bytes that belong to no stream", input.offset - 12);
  }
  const checkSize = CHECK_SIZES[(header[7] ?? 0) & 15] ?? 0;
  yield header;
  for (;;) {
    const first = await input.take(1);
    if (first[0] === 0) break;
    const blockHeader = concatenated(first, await input.take(((first[0] ?? 0) + 1) * 4 - 1));
    checkFilters(input, blockHeader);
    yield blockHeader;
    const start = input.offset;
    yield* lzma2Chunks(input);
    yield await input.take(paddingOf(input.offset - start) + checkSize);
  }
  yield* index(input);
  const footer = await input.take(12);
  if (footer[10] !== 0x59 || footer[11] !== 0x5a) {
    throw input.damaged("no stream footer", input.offset - 12);
  }
  yield footer;
}

function paddingOf(length: number): number {
  return (4 - (length % 4)) % 4;
}

function checkFilters(input: CompressedInput, header: Uint8Array): void {
  const flags = header[1] ?? 0;
  let at = 2;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; at < header.length; scale *= 128) {
      const byte = header[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    return value;
  };
  if (flags & 0x40) number();
  if (flags & 0x80) number();
  let id = 0;
  let properties = 0;
  for (let filter = 0; filter <= (flags & 3); filter++) {
    id = number();
    const size = number();
    properties = header[at] ?? 0;
    at += size;
  }
  const place = { file: input.name, at: atByte(input.offset - header.length) };
  if (id !== LZMA2) throw new RecordingError(place, "xz with LZMA2", `filter 0x${id.toString(16)}`);
  const dictionary = (2 | (properties & 1)) * 2 ** ((properties >> 1) + 11);
  if (dictionary > DICTIONARY_LIMIT) {
    throw new RecordingError(place, "an xz dictionary of at most 128 MiB", `${dictionary} bytes`);
  }
}

async function* lzma2Chunks(input: CompressedInput): AsyncGenerator<Uint8Array> {
  for (;;) {
    const control = await input.take(1);
    const kind = control[0] ?? 0;
    if (kind === 0) {
      yield control;
      return;
    }
    if (kind > 2 && kind < 0x80) throw input.damaged("a chunk that cannot be", input.offset - 1);
    // Compressed: low half of the size made, size taken, properties with a new state from 0xc0 on.
    const rest = await input.take(kind < 0x80 ? 2 : kind < 0xc0 ? 4 : 5);
    const at = kind < 0x80 ? 0 : 2;
    const size = (rest[at] ?? 0) * 256 + (rest[at + 1] ?? 0) + 1;
    yield concatenated(control, rest, await input.take(size));
  }
}

/** The index behind the last block; its first byte, 0, was taken. */
async function* index(input: CompressedInput): AsyncGenerator<Uint8Array> {
  const start = input.offset - 1;
  yield new Uint8Array(1);
  const records = await variableNumber(input);
  yield records.bytes;
  for (let left = records.value * 2; left > 0; left--) yield (await variableNumber(input)).bytes;
  yield await input.take(paddingOf(input.offset - start) + 4);
}

async function variableNumber(
  input: CompressedInput,
): Promise<{ value: number; bytes: Uint8Array }> {
  const bytes: number[] = [];
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = (await input.take(1))[0] ?? 0;
    bytes.push(byte);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, bytes: Uint8Array.from(bytes) };
    if (bytes.length === 9) throw input.damaged("a number that does not end");
  }
}
