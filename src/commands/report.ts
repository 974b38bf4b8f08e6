/** `report`: which pages each policy would have left out of the dirty log. */
import { ask, statusOf } from "../answers/lost.ts";
import { reportJson } from "../report/json/report-json.ts";
import { reportText, SHOWN_FINDINGS } from "../report/text/report-text.ts";
import { type CommonArguments, replayablePolicies, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface ReportArguments extends CommonArguments {
  policy?: string[];
  assumeLogging?: boolean;
  all?: boolean;
}

/** Prints the report; returns 0, 1 or 3. */
export async function run(api: ReplayApi, io: Io, args: ReportArguments): Promise<number> {
  const policies = replayablePolicies(api, io, args, args.policy);
  const options = {
    policies,
    window: windowOf(args.assumeLogging, "auto"),
    ...commonOptions(io, args),
  };
  const shown = args.all ? Number.POSITIVE_INFINITY : SHOWN_FINDINGS;
  const answer = await openSession(api, io, args).ask((recording) =>
    ask(recording, options, api.replay),
  );
  await say(io, args, {
    text: (style) => reportText(answer.result, style, shown),
    json: () => reportJson(api.tool, answer),
  });
  return statusOf(answer);
}
