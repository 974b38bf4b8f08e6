/** `dump`: normalised events as NDJSON, in time order. */
import { endJsonLine, eventJsonLine, headerJsonLine } from "../report/json/event-json.ts";
import type { CommonArguments } from "./shared/arguments.ts";
import { EXIT, type Io } from "./shared/io.ts";
import { lineWriter } from "./shared/line-writer.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

/** Prints a header, one event a line and an end; returns 0. What it prints is NDJSON with and without `--json`. */
export async function run(api: ReplayApi, io: Io, args: CommonArguments): Promise<number> {
  const session = openSession(api, io, args);
  const lines = lineWriter(io);
  let events = 0;
  await lines.write(headerJsonLine({ event: "recording", ends: true }));
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
  const gaps = inputs.flatMap((input) => input.gaps);
  await lines.write(endJsonLine(events, inputs, gaps));
  await lines.end();
  return EXIT.ok;
}
