/** `verify`: predicted dirty logs against observed ones, or memory of both sides. */
import { backEndPolicies } from "../answers/affected.ts";
import { ask, statusOf } from "../answers/log-comparison.ts";
import { UsageError } from "../model/place.ts";
import { verifyJson } from "../report/json/verify-json.ts";
import { verifyText } from "../report/text/verify-text.ts";
import { logPagesOf, replayablePolicies, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";
import type { VerifyArguments } from "./shared/verify-arguments.ts";

/** Prints what agrees and what does not; returns 0, 1 or 3 (`statusOf`). */
export async function run(api: ReplayApi, io: Io, args: VerifyArguments): Promise<number> {
  const { sourceDump, destinationDump } = args;
  if (sourceDump !== undefined && destinationDump !== undefined && args.observed === undefined) {
    const { verifyImages } = await import("./verify-images.ts");
    return verifyImages(api, io, { ...args, sourceDump, destinationDump });
  }
  if (args.observed === undefined || sourceDump !== undefined || destinationDump !== undefined) {
    throw new UsageError("verify: give --observed DIR, or --source-dump and --destination-dump");
  }
  const policies = replayablePolicies(api, io, args, args.policy);
  const window = windowOf(args.assumeLogging, "recorded");
  const observed = await api.observed(args.observed);
  const options = {
    ...{ observed, policies, window },
    ...logPagesOf(args.logSize),
    ...commonOptions(io, args),
  };
  const answer = await openSession(api, io, args).ask(async (recording) => {
    const found = await ask(recording, options, api.replay);
    // Back ends in user space: none of the kernel's rows is theirs.
    const instead = args.policy === undefined ? backEndPolicies(found.result, undefined) : null;
    return instead ? ask(recording, { ...options, ...instead }, api.replay) : found;
  });
  await say(io, args, {
    text: (style) => verifyText(answer, style),
    json: () => verifyJson(api.tool, answer),
  });
  return statusOf(answer);
}
