/** `dump`: normalised events as NDJSON, in time order. */
import { eventJsonLine } from "../report/event-json.ts";
import type { CommonArguments } from "./arguments.ts";
import { EXIT, type Io } from "./io.ts";
import { lineWriter } from "./line-writer.ts";
import type { ReplayApi } from "./replay-api.ts";
import { openSession } from "./session.ts";

/** Prints one event a line; returns 0. What it prints is NDJSON with and without `--json`. */
export async function run(api: ReplayApi, io: Io, args: CommonArguments): Promise<number> {
  const session = openSession(api, io, args);
  const lines = lineWriter(io);
  await session.read((opening) =>
    api.dump(opening, (event) => lines.write(eventJsonLine(event)), io.signal),
  );
  await lines.end();
  return EXIT.ok;
}
