/** `identify`: which policy explains an observed dirty log. */
import { ask, statusOf } from "../answers/identify-answer.ts";
import { UsageError } from "../model/place.ts";
import { identifyJson } from "../report/json/identify-json.ts";
import { identifyText } from "../report/text/identify-text.ts";
import { choosePolicies } from "../vhost/chosen-policy.ts";
import { type CommonArguments, logPagesOf, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface IdentifyArguments extends CommonArguments {
  observed?: string;
  /** Only among these. */
  policy?: string[];
  assumeLogging?: boolean;
  /** Bytes, decimal. */
  logSize?: string;
}

/** Prints the ranking and what it leaves over; returns 0, 1 or 3 (`statusOf`). */
export async function run(api: ReplayApi, io: Io, args: IdentifyArguments): Promise<number> {
  const among = args.policy
    ? choosePolicies(args.policy, api.POLICIES).map(({ policy }) => policy)
    : api.POLICIES;
  const window = windowOf(args.assumeLogging, "recorded");
  if (args.observed === undefined) throw new UsageError("identify: give --observed DIR");
  const observed = await api.observed(args.observed);
  const options = {
    ...{ observed, among, window },
    ...logPagesOf(args.logSize),
    ...commonOptions(io, args),
  };
  const answer = await openSession(api, io, args).ask((recording) =>
    ask(recording, options, api.replay),
  );
  await say(io, args, {
    text: (style) => identifyText(answer, style),
    json: () => identifyJson(api.tool, answer),
  });
  return statusOf(answer);
}
