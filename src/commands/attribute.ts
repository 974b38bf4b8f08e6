/** `attribute`: which patches of the series save which lost pages. */
import { ask, statusOf } from "../answers/attribute.ts";
import { attributeJson } from "../report/json/attribute-json.ts";
import { attributeText } from "../report/text/attribute-text.ts";
import { type CommonArguments, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface AttributeArguments extends CommonArguments {
  assumeLogging?: boolean;
}

/** Prints the matrix of patches and pages; returns 0, 1 or 3 (`statusOf`). */
export async function run(api: ReplayApi, io: Io, args: AttributeArguments): Promise<number> {
  const options = { window: windowOf(args.assumeLogging, "auto"), ...commonOptions(io, args) };
  const answer = await openSession(api, io, args).ask((recording) =>
    ask(recording, options, api.replay),
  );
  await say(io, args, {
    text: (style) => attributeText(answer, style),
    json: () => attributeJson(api.tool, answer),
  });
  return statusOf(answer);
}
