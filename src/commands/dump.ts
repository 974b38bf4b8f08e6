/** `dump`: normalised events as NDJSON, in time order. */
import { eventJsonLine } from "../report/json/event-json.ts";
import type { CommonArguments } from "./shared/arguments.ts";
import { EXIT, type Io } from "./shared/io.ts";
import { lineWriter } from "./shared/line-writer.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

/** Prints one event a line; returns 0. What it prints is NDJSON with and without `--json`. */
export async function run(api: ReplayApi, io: Io, args: CommonArguments): Promise<number> {
  const session = openSession(api, io, args);
  const lines = lineWriter(io);
  await session.read((recording) =>
    api.dump(recording, (event) => lines.write(eventJsonLine(event)), io.signal),
  );
  await lines.end();
  return EXIT.ok;
}
