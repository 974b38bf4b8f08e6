/** `info`: what is in a recording, and which questions it can answer. */
import { infoText } from "../report/info-text.ts";
import { infoJson } from "../report/report-json.ts";
import { jsonDocument } from "../report/result-json.ts";
import { textStyle } from "../report/text-layout.ts";
import type { CommonArguments } from "./arguments.ts";
import { EXIT, type Io } from "./io.ts";
import type { ReplayApi } from "./replay-api.ts";
import { openSession } from "./session.ts";

/** Prints what the recordings hold; returns 0. */
export async function run(api: ReplayApi, io: Io, args: CommonArguments): Promise<number> {
  const session = await openSession(api, io, args);
  const result = await session.read((recording) => api.inspect(recording));
  if (args.json) {
    const document = infoJson(api.tool, args.syncMarker ?? null, await session.withHashes(result));
    await io.out(jsonDocument(document));
  } else {
    await io.out(infoText(result, textStyle(io.color)));
  }
  return EXIT.ok;
}
