/** `dump`: normalised events as NDJSON, in time order. */
import type { RecordingHeader } from "../model/event.ts";
import type { InputSummary } from "../model/result.ts";
import { eventJsonLine, headerJsonLine } from "../report/json/event-json.ts";
import type { CommonArguments } from "./shared/arguments.ts";
import { EXIT, type Io } from "./shared/io.ts";
import { lineWriter } from "./shared/line-writer.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

/**
 * Prints one event a line, or what is known of a recording without any: what it prints is a recording again.
 * Returns 0. It is NDJSON with and without `--json`.
 */
export async function run(api: ReplayApi, io: Io, args: CommonArguments): Promise<number> {
  const session = openSession(api, io, args);
  const lines = lineWriter(io);
  let events = 0;
  const { inputs } = await session.read((recording) =>
    api.dump(
      recording,
      (event) => {
        events++;
        return lines.write(eventJsonLine(event));
      },
      io.signal,
    ),
  );
  if (events === 0) await lines.write(headerJsonLine(headerOf(inputs)));
  await lines.end();
  return EXIT.ok;
}

/** What NDJSON says of a recording without events. */
function headerOf(inputs: readonly InputSummary[]): RecordingHeader {
  const clock = inputs.find((input) => input.clock !== null)?.clock;
  const gaps = inputs.flatMap((input) => input.gaps.map(({ cpu, lost }) => ({ cpu, lost })));
  return {
    event: "recording",
    ...(typeof clock === "string" ? { clock } : {}),
    ...(gaps.length > 0 ? { gaps } : {}),
  };
}
