/** Bytes that are already in memory, as a source. */
import type { RandomAccess, Source } from "./source.ts";

export function bytesSource(name: string, bytes: Uint8Array): Source {
  const copy = (into: Uint8Array, from: number): number => {
    const part = bytes.subarray(from, from + into.length);
    into.set(part);
    return part.length;
  };
  return {
    name,
    size: bytes.length,
    stream() {
      let at = 0;
      return {
        read(into) {
          const count = copy(into, at);
          at += count;
          return count;
        },
        close() {},
      };
    },
    random: (): RandomAccess => ({ size: bytes.length, readAt: copy, close() {} }),
  };
}
