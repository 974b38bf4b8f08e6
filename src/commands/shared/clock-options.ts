/** `--clock-offset`, `--clock-tolerance`, `--clock-pairs`: how recordings come to one clock. */
import { readFileSync } from "node:fs";
import type { ClockPair } from "../../join/clock-pair.ts";
import { atLine, quoteFound, RecordingError, UsageError } from "../../model/place.ts";
import type { Recording } from "../../replay/replay.ts";
import type { CommonArguments } from "./arguments.ts";
import { nanoseconds } from "./arguments.ts";

/** What the options say, as the library takes it. Throws UsageError, RecordingError. */
export function clockOptions(
  args: CommonArguments,
): Pick<Recording, "clockOffsets" | "clockPairs"> {
  const options: Pick<Recording, "clockOffsets" | "clockPairs"> = {};
  const tolerance =
    args.clockTolerance === undefined
      ? null
      : nanoseconds(args.clockTolerance, "--clock-tolerance");
  if (args.clockOffset) {
    options.clockOffsets = new Map(
      args.clockOffset.map((text) => {
        const [file, offset] = offsetOf(text);
        if (!args.recordings.includes(file)) {
          throw new UsageError(
            `--clock-offset: ${JSON.stringify(file)} is none of the recordings that are named`,
          );
        }
        return [file, { offset, tolerance }] as const;
      }),
    );
  } else if (tolerance !== null) {
    throw new UsageError("--clock-tolerance goes with --clock-offset");
  }
  if (args.clockPairs !== undefined) options.clockPairs = readPairs(args.clockPairs);
  return options;
}

function offsetOf(text: string): [string, bigint] {
  const match = /^(.+)=([+-]?)(\d{1,12}(?:\.\d{1,9})?)$/.exec(text);
  if (!match) {
    throw new UsageError(
      `--clock-offset: expected FILE=SECONDS such as src.log=-1795398785.914295, found ${JSON.stringify(text)}`,
    );
  }
  const ns = nanoseconds(match[3]!, "--clock-offset");
  return [match[1]!, match[2] === "-" ? -ns : ns];
}

const MAX_PAIRS = 10_000;

/** A longer line is none of ours, and takes the square of it to be told apart. */
const LONGEST_PAIR = 1024;

/** Lines `realtime=SEC monotonic=SEC [spread_ns=N]`; others are passed over. */
function readPairs(file: string): ClockPair[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new RecordingError(
      { file, at: "" },
      "a readable file",
      (error as NodeJS.ErrnoException).code,
    );
  }
  const pairs: ClockPair[] = [];
  text.split("\n").forEach((line, i) => {
    if (line.length > LONGEST_PAIR || !line.includes("realtime=") || pairs.length >= MAX_PAIRS)
      return;
    const match = /realtime=(\d+\.\d+)\s.*?monotonic=(\d+\.\d+)(?:.*?spread_ns=(\d+))?/.exec(line);
    if (!match) {
      const expected = "realtime=SECONDS monotonic=SECONDS";
      throw new RecordingError({ file, at: atLine(i + 1) }, expected, quoteFound(line));
    }
    pairs.push({
      realtime: nanoseconds(match[1]!, "realtime"),
      monotonic: nanoseconds(match[2]!, "monotonic"),
      spread: BigInt(match[3] ?? "0"),
    });
  });
  if (pairs.length === 0) {
    throw new RecordingError({ file, at: "" }, "a line realtime=SECONDS monotonic=SECONDS", "none");
  }
  return pairs;
}
