/** `report`: which pages each policy would have left out of the dirty log. */
import { reportJson } from "../report/json/report-json.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { reportText, SHOWN_FINDINGS } from "../report/text/report-text.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { verdictStatus } from "../report/text/verdict.ts";
import { type CommonArguments, replayablePolicies, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

export interface ReportArguments extends CommonArguments {
  policy?: string[];
  assumeLogging?: boolean;
  all?: boolean;
}

/** The policies that are asked for when none is named. */
export const DEFAULT_POLICIES: readonly string[] = ["unpatched", "patched"];

/** Prints the report; returns 0, 1 or 3. */
export async function run(api: ReplayApi, io: Io, args: ReportArguments): Promise<number> {
  const policies = replayablePolicies(api, io, args, args.policy ?? DEFAULT_POLICIES);
  const window = windowOf(args.assumeLogging, "auto");
  const session = openSession(api, io, args);
  const options: ReplayOptions = { policies, window };
  if (io.signal) options.signal = io.signal;
  const result = await session.read((opening) => api.replay(opening, options));
  if (args.json) {
    const names = policies.map(({ policy }) => policy.name);
    const asked = { policies: names, window, syncMarker: args.syncMarker ?? null };
    await io.out(jsonDocument(reportJson(api.tool, asked, await session.withHashes(result))));
  } else {
    const shown = args.all ? Number.POSITIVE_INFINITY : SHOWN_FINDINGS;
    await io.out(reportText(result, textStyle(io.color), shown));
  }
  return verdictStatus(result);
}
