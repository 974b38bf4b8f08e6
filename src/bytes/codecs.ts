/** The decompression that every surroundings has. */
import type { Codecs } from "./source.ts";
import { startZstddec } from "./start-zstddec.ts";

export type { Codecs } from "./source.ts";

/**
 * zstd through the package zstddec, which is loaded on first use, and zlib through the platform's
 * DecompressionStream. Neither makes more than `size` + 1 MiB bytes; both may return fewer or more
 * bytes than `size` for a corrupt frame, so the caller compares.
 */
export const portableCodecs: Codecs = { zstd: decodeZstd, zlib: decodeZlib };

let zstdDecoder: Promise<(compressed: Uint8Array, size: number) => Uint8Array> | undefined;

async function loadZstd(): Promise<(compressed: Uint8Array, size: number) => Uint8Array> {
  const { ZSTDDecoder } = await import("zstddec/stream");
  const decoder = new ZSTDDecoder();
  await startZstddec(decoder);
  return (compressed, size) => decoder.decode(compressed, size);
}

async function decodeZstd(compressed: Uint8Array, size: number): Promise<Uint8Array> {
  // The package takes 0 for "unknown" and then reads a size out of the frame.
  if (size === 0) return new Uint8Array(0);
  zstdDecoder ??= loadZstd();
  return (await zstdDecoder)(compressed, size);
}

async function decodeZlib(compressed: Uint8Array, size: number): Promise<Uint8Array> {
  const inflate = new DecompressionStream("deflate");
  const writer = inflate.writable.getWriter();
  // Both fail together with the reader below, which is the one that reports.
  writer.write(compressed as Uint8Array<ArrayBuffer>).catch(() => {});
  writer.close().catch(() => {});
  const reader = inflate.readable.getReader();
  const out = new Uint8Array(size);
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return out.subarray(0, filled);
    if (filled + value.length > size) {
      await reader.cancel();
      throw new Error(`more than ${size} bytes`);
    }
    out.set(value, filled);
    filled += value.length;
  }
}
