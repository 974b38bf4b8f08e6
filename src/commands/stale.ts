/** `stale`: which guest pages are stale at the destination of a live migration, page by page. */
import { backEndPolicies, reportPolicies } from "../answers/affected.ts";
import { ask, statusOf } from "../answers/stale.ts";
import { staleJson } from "../report/json/stale-json.ts";
import { staleText } from "../report/text/stale-text.ts";
import {
  type CommonArguments,
  replayablePolicies,
  wholeNumber,
  windowOf,
} from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { type MigrationArguments, toldKernel } from "./shared/migration-options.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface StaleArguments extends CommonArguments, MigrationArguments {
  policy?: string[];
  assumeLogging?: boolean;
  limit?: string;
}

/** Prints the verdict; returns 0, 1 or 3 (`statusOf`). */
export async function run(api: ReplayApi, io: Io, args: StaleArguments): Promise<number> {
  const kernel = toldKernel(api, args);
  const policies =
    args.policy === undefined && args.case
      ? reportPolicies(kernel)
      : replayablePolicies(api, io, args, args.policy);
  const limit =
    args.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber(args.limit, "--limit");
  const session = openSession(api, io, args);
  const options = {
    ...{ policies, window: windowOf(args.assumeLogging, "auto") },
    ...(args.owners === undefined ? {} : { owners: session.source(args.owners) }),
    ...(kernel ? { ran: kernel.policy } : {}),
    ...commonOptions(io, args),
  };
  const answer = await session.ask(async (recording) => {
    const found = await ask(recording, options, api.replay);
    // Back ends in user space: none of the kernel's rows is theirs.
    const instead = args.policy === undefined ? backEndPolicies(found.result, kernel) : null;
    return instead ? ask(recording, { ...options, ...instead }, api.replay) : found;
  });
  await say(io, args, {
    text: (style) => staleText(answer, style, limit),
    json: () => staleJson(api.tool, answer),
  });
  return statusOf(answer);
}
