/** `info`: what is in a recording, and which questions it can answer. */

import { infoJson } from "../report/json/report-json.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { infoText } from "../report/text/info-text.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { DEFAULT_POLICIES } from "./report.ts";
import { type CommonArguments, policiesNamed } from "./shared/arguments.ts";
import { EXIT, type Io } from "./shared/io.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

/** Prints what the recordings hold; returns 0. */
export async function run(api: ReplayApi, io: Io, args: CommonArguments): Promise<number> {
  const session = openSession(api, io, args);
  const options: ReplayOptions = { policies: policiesNamed(api, DEFAULT_POLICIES), window: "auto" };
  if (io.signal) options.signal = io.signal;
  const result = await session.read((opening) => api.replay(opening, options));
  if (args.json) {
    const document = infoJson(api.tool, args.syncMarker ?? null, await session.withHashes(result));
    await io.out(jsonDocument(document));
  } else {
    await io.out(infoText(result, textStyle(io.color)));
  }
  return EXIT.ok;
}
