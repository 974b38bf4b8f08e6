/** What a user tells of the clocks of recordings. */
import { atLine, quoteFound, RecordingError } from "../model/place.ts";

/** An offset as the user gives it. */
export interface GivenOffset {
  offset: bigint;
  tolerance: bigint | null;
}

/** CLOCK_REALTIME and CLOCK_MONOTONIC read together, ns. */
export interface ClockPair {
  realtime: bigint;
  monotonic: bigint;
  /** How long reading both took. */
  spread: bigint;
}

const MAX_PAIRS = 10_000;
/** A number of nanoseconds in a bundle's manifest: schema/bundle. */
const MANIFEST = /"realtimeNs":\s*"(\d{1,20})",\s*"monotonicNs":\s*"(\d{1,20})"/g;

/** A longer line is none of ours, and takes the square of it to be told apart. */
const LONGEST_PAIR = 1024;

/**
 * Readings of both clocks: lines `realtime=SEC monotonic=SEC [spread_ns=N]`, others are passed over; or
 * the manifest of a bundle. Throws RecordingError for a line that cannot be read, and without any.
 */
export function parseClockPairs(text: string, file: string): ClockPair[] {
  const pairs: ClockPair[] = [];
  for (const [, realtime, monotonic] of text.matchAll(MANIFEST)) {
    pairs.push({ realtime: BigInt(realtime!), monotonic: BigInt(monotonic!), spread: 0n });
  }
  text.split("\n").forEach((line, i) => {
    if (line.length > LONGEST_PAIR || !line.includes("realtime=") || pairs.length >= MAX_PAIRS)
      return;
    const match =
      /realtime=(\d{1,12}\.\d{1,9})\s.*?monotonic=(\d{1,12}\.\d{1,9})(?:.*?spread_ns=(\d{1,18}))?/.exec(
        line,
      );
    if (!match) {
      const expected = "realtime=SECONDS monotonic=SECONDS";
      throw new RecordingError({ file, at: atLine(i + 1) }, expected, quoteFound(line));
    }
    pairs.push({
      realtime: fromSeconds(match[1]!),
      monotonic: fromSeconds(match[2]!),
      spread: BigInt(match[3] ?? "0"),
    });
  });
  if (pairs.length === 0) {
    throw new RecordingError({ file, at: "" }, "a line realtime=SECONDS monotonic=SECONDS", "none");
  }
  return pairs;
}

function fromSeconds(text: string): bigint {
  const [whole = "0", fraction = ""] = text.split(".");
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}
