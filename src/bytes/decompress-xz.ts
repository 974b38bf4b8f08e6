/** xz files: one stream or several (`cat a.xz b.xz`), through the package xz-decompress. */
import { CompressedInput, type DecodedStream, pieces } from "./compressed-input.ts";
import { holdingLoop } from "./hold-loop.ts";
import type { ByteStream } from "./source.ts";
import { streamBegins, xzParts } from "./xz-container.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** What of the package's class is used beyond its types; its version is pinned for that. */
interface XzClass {
  new (compressed: ReadableStream<Uint8Array>): ReadableStream<Uint8Array>;
  _moduleInstance: unknown;
  _moduleInstancePromise: unknown;
  _contextMutex: { acquire(): Promise<void>; release(): void };
}

interface Package {
  XzReadableStream: XzClass;
}

/** Calls of the decoder that may pass with nothing taken and nothing made. */
const STALLS = 64;

/** Openings wait for each other, because the package keeps the instance in a static member. */
let opening: Promise<unknown> = Promise.resolve();

/**
 * The decompressed bytes of an xz file. Checks (CRC32, CRC64) are checked. Reading throws
 * RecordingError for damaged or cut off input and for a dictionary above 128 MiB.
 */
export async function openXz(name: string, compressed: ByteStream): Promise<DecodedStream> {
  const xz = await import("xz-decompress");
  const { XzReadableStream } = ((xz as { default?: unknown }).default ?? xz) as Package;
  const input = new CompressedInput(name, "xz", compressed);
  let reader = await openDecoder(XzReadableStream, xzParts(input));

  async function next(): Promise<Uint8Array | null> {
    for (let stalls = 0, before = input.offset; stalls < STALLS; stalls++) {
      const { done, value } = await reader.read();
      if (done) return null;
      if (value.length > 0) return value;
      if (input.offset !== before) stalls = 0;
      before = input.offset;
    }
    throw new Error("data that does not decode");
  }

  return pieces(
    () =>
      next().catch((error) => {
        throw input.damaged(error);
      }),
    () => {
      reader.cancel().catch(() => {});
      input.close();
    },
    async () => {
      reader.cancel().catch(() => {});
      if (!(await input.seek(6, streamBegins))) return false;
      reader = await openDecoder(XzReadableStream, xzParts(input));
      return true;
    },
  );
}

/**
 * A decoder for these parts. The package has one Wasm instance for all and lets decoders wait until
 * the one before is done, so two inputs that are read in turn would wait for ever. Here every
 * input gets an instance of its own, and none waits.
 */
function openDecoder(Xz: XzClass, parts: AsyncGenerator<Uint8Array>): Promise<Reader> {
  const opened = opening.then(async () => {
    Xz._contextMutex = { acquire: async () => {}, release() {} };
    Xz._moduleInstance = undefined;
    Xz._moduleInstancePromise = undefined;
    let begun: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          begun();
          const { done, value } = await parts.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
      },
      { highWaterMark: 0 },
    );
    const reader = new Xz(body).getReader();
    // It asks for input as soon as it has its instance; when it fails, the first read reports it.
    await holdingLoop(Promise.race([started, reader.closed.catch(() => {})]));
    return reader;
  });
  opening = opened.catch(() => {});
  return opened;
}
