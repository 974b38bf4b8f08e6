/** UTF-16 text, as a PowerShell redirection writes it, to UTF-8. */
import { Head } from "./head.ts";
import type { ByteStream } from "./source.ts";

const CHUNK = 1 << 16;

/** The beginning of such a text, transcoded. */
export function headAsUtf8({ bytes }: Head, format: "utf16le" | "utf16be"): Head {
  return new Head(new TextEncoder().encode(decoderOf(format).decode(bytes, { stream: true })));
}

function decoderOf(format: "utf16le" | "utf16be"): TextDecoder {
  return new TextDecoder(format === "utf16le" ? "utf-16le" : "utf-16be");
}

/** Transcodes a stream that starts with a byte order mark. */
export function asUtf8(stream: ByteStream, format: "utf16le" | "utf16be"): ByteStream {
  const decoder = decoderOf(format);
  const encoder = new TextEncoder();
  const chunk = new Uint8Array(CHUNK);
  let piece = new Uint8Array(0);
  let at = 0;
  let ended = false;
  return {
    async read(into) {
      while (at === piece.length) {
        if (ended) return 0;
        const got = stream.read(chunk);
        const count = typeof got === "number" ? got : await got;
        ended = count === 0;
        piece = encoder.encode(decoder.decode(chunk.subarray(0, count), { stream: !ended }));
        at = 0;
      }
      const n = Math.min(into.length, piece.length - at);
      into.set(piece.subarray(at, at + n));
      at += n;
      return n;
    },
    close: () => stream.close(),
  };
}
