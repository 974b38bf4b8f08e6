/** `--clock-offset`, `--clock-tolerance`, `--clock-pairs`: how recordings come to one clock. */
import type { Source } from "../../bytes/source.ts";
import { wholeText } from "../../bytes/whole-text.ts";
import { parseClockPairs } from "../../join/clock-pair.ts";
import { UsageError } from "../../model/place.ts";
import type { Recording } from "../../replay/replay.ts";
import type { CommonArguments } from "./arguments.ts";
import { nanoseconds } from "./arguments.ts";

/** A file of readings is small. */
const MOST_BYTES = 2 ** 24;

/** What the options say, as the library takes it; `open` opens a file. Throws UsageError, RecordingError. */
export async function clockOptions(
  args: CommonArguments,
  open: (name: string) => Source,
): Promise<Pick<Recording, "clockOffsets" | "clockPairs">> {
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
  if (args.clockPairs !== undefined) {
    const text = await wholeText(open(args.clockPairs), MOST_BYTES, "clock readings");
    options.clockPairs = parseClockPairs(text, args.clockPairs);
  }
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
