/** A part of a file, as a file. */
import type { ByteStream, RandomAccess, Source } from "./source.ts";

/** Bytes [start, end) of a file in order, read straight into the caller's memory. */
export function rangeStream(random: RandomAccess, start: number, end: number): ByteStream {
  let at = start;
  const advance = (count: number): number => {
    at += count;
    return count;
  };
  return {
    read(into) {
      const want = Math.min(into.length, end - at);
      if (want <= 0) return 0;
      const got = random.readAt(want === into.length ? into : into.subarray(0, want), at);
      return typeof got === "number" ? advance(got) : got.then(advance);
    },
    close() {},
  };
}

/** Bytes [start, end) of a file as a source of its own. The file stays open: it is the caller's. */
export function rangeSource(
  name: string,
  random: RandomAccess,
  start: number,
  end: number,
): Source & Required<Pick<Source, "random">> {
  return {
    name,
    size: end - start,
    stream: () => rangeStream(random, start, end),
    random: () => ({
      size: end - start,
      readAt(into, offset) {
        const want = Math.max(0, Math.min(into.length, end - start - offset));
        return random.readAt(want === into.length ? into : into.subarray(0, want), start + offset);
      },
      close() {},
    }),
  };
}
