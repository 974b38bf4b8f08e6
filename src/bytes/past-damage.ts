/** Decompressed bytes of a damaged file: they end there, or go on behind it. */
import { MAX_LINE } from "../../assembly/decode-abi.ts";
import { RecordingError } from "../model/place.ts";
import type { DecodedStream } from "./compressed-input.ts";
import type { ByteStream } from "./source.ts";

/** A place that does not decompress. */
export interface Damage {
  readonly error: RecordingError;
  /** What is behind it is read. */
  passed: boolean;
  /** Nothing stands for it among the bytes, because none were before it. */
  unmarked: boolean;
}

export interface DamageableStream extends ByteStream {
  /**
   * The bytes are lines: from now on they go on behind damage. The line in which it is and the one in which
   * they go on become one of zeros that is too long to be read: readers make a loss of it in its place.
   */
  goOn(): void;
}

const NEWLINE = 10;

/**
 * The bytes of `stream`. Where they are damaged `onDamage` is called and they end, unless `goOn` was;
 * when nothing was decompressed before the damage they go on in any case, and reading throws where there
 * is nothing behind it either.
 */
export function pastDamage(
  stream: DecodedStream,
  onDamage: (damage: Damage) => void,
): DamageableStream {
  let given = 0;
  let going = false;
  /** The damage that the next read is to pass. */
  let stopped: Damage | null = null;
  let ended = false;
  /** Zeros that stand for damage, still to be given. */
  let zeros = 0;
  /** The rest of the line in which the bytes go on is left out. */
  let skipping = false;

  const meet = (error: unknown): void => {
    if (!(error instanceof RecordingError)) throw error;
    stopped = { error, passed: false, unmarked: given === 0 };
    if (given > 0) onDamage(stopped);
  };
  const pass = async (damage: Damage): Promise<boolean> => {
    if (!going && given > 0) return false;
    if (!(await stream.resume())) {
      ended = true;
      if (given === 0) throw damage.error;
      return false;
    }
    damage.passed = true;
    if (given === 0) onDamage(damage);
    stopped = null;
    skipping = true;
    zeros = given > 0 ? MAX_LINE : 0;
    return true;
  };
  /** Without the rest of the line in which they go on; its end ends the zeros. */
  const fromNextLine = (into: Uint8Array, got: number): number => {
    const end = into.subarray(0, got).indexOf(NEWLINE);
    if (end < 0) return 0;
    skipping = false;
    const from = given > 0 ? end : end + 1;
    into.copyWithin(0, from, got);
    return got - from;
  };
  const slow = async (into: Uint8Array): Promise<number> => {
    for (;;) {
      if (ended || (stopped && !(await pass(stopped)))) return 0;
      if (zeros > 0) {
        const count = Math.min(zeros, into.length);
        into.fill(0, 0, count);
        zeros -= count;
        return count;
      }
      try {
        const got = await stream.read(into);
        if (got === 0) ended = true;
        const count = skipping ? fromNextLine(into, got) : got;
        given += count;
        if (count > 0 || ended) return count;
      } catch (error) {
        meet(error);
      }
    }
  };
  return {
    read(into) {
      if (ended || into.length === 0) return 0;
      if (stopped || zeros > 0 || skipping) return slow(into);
      const count = (got: number): number => {
        given += got;
        return got;
      };
      const failed = (error: unknown): Promise<number> => {
        meet(error);
        return slow(into);
      };
      try {
        const got = stream.read(into);
        return typeof got === "number" ? count(got) : got.then(count, failed);
      } catch (error) {
        return failed(error);
      }
    },
    goOn() {
      going = true;
    },
    close: () => stream.close(),
  };
}
