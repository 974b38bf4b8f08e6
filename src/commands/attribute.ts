/** `attribute`: which patches of the series save which lost pages. */
import { ATTRIBUTE_RUNS, attributePages, attributionPolicies } from "../answers/attribute.ts";
import { attributeJson } from "../report/json/attribute-json.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { attributeStatus, attributeText } from "../report/text/attribute-text.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { type CommonArguments, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

export interface AttributeArguments extends CommonArguments {
  assumeLogging?: boolean;
}

/** Prints the matrix of patches and pages; returns 0, 1 or 3 (`attributeStatus`). */
export async function run(api: ReplayApi, io: Io, args: AttributeArguments): Promise<number> {
  const window = windowOf(args.assumeLogging, "auto");
  const session = openSession(api, io, args);
  const policies = attributionPolicies();
  const options: ReplayOptions = { policies, window, runLimit: ATTRIBUTE_RUNS };
  if (io.signal) options.signal = io.signal;
  const result = await session.read((opening) => api.replay(opening, options));
  const attribution = attributePages(result);
  if (args.json) {
    const names = policies.map(({ policy }) => policy.name);
    const asked = { policies: names, window, syncMarker: args.syncMarker ?? null };
    const hashed = await session.withHashes(result);
    await io.out(jsonDocument(attributeJson(api.tool, asked, attribution, hashed)));
  } else {
    await io.out(attributeText(attribution, result, textStyle(io.color)));
  }
  return attributeStatus(attribution, result);
}
