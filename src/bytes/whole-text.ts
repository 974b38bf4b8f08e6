/** Small texts beside recordings, read whole. */
import { RecordingError } from "../model/place.ts";
import { unwrap } from "./decompress.ts";
import type { Source } from "./source.ts";

/** The text of a source, UTF-8, compressed or not. Throws RecordingError for more than `most` bytes. */
export async function wholeText(source: Source, most: number, what: string): Promise<string> {
  const stream = (await unwrap(source)).stream();
  const parts: string[] = [];
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(1 << 16);
  let bytes = 0;
  try {
    for (;;) {
      const count = await stream.read(chunk);
      if (count === 0) break;
      bytes += count;
      if (bytes > most) {
        throw new RecordingError(
          { file: source.name, at: "" },
          `at most ${most} bytes of ${what}`,
          "more",
        );
      }
      parts.push(decoder.decode(chunk.subarray(0, count), { stream: true }));
    }
  } finally {
    stream.close();
  }
  return parts.join("") + decoder.decode();
}
