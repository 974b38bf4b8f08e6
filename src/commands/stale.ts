/** `stale`: which guest pages are stale at the destination of a live migration, page by page. */
import { backEndPolicies } from "../answers/affected.ts";
import { ask, statusOf } from "../answers/stale.ts";
import { staleJson } from "../report/json/stale-json.ts";
import { SHOWN_PAGES, staleText } from "../report/text/stale-text.ts";
import { type CommonArguments, wholeNumber, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan, policiesOf } from "./shared/kernel.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
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
  const limit = args.limit === undefined ? SHOWN_PAGES : wholeNumber(args.limit, "--limit");
  const session = openSession(api, io, args);
  const own = {
    window: windowOf(args.assumeLogging, "auto"),
    ...(args.owners === undefined ? {} : { owners: session.source(args.owners) }),
    ...commonOptions(io, args),
  };
  const answer = await session.ask(async (recording) => {
    const kernel = await kernelThatRan(api, args, recording);
    const policies = policiesOf(api, io, args, kernel);
    const options = { ...own, policies, ...(kernel ? { ran: kernel.policy } : {}) };
    // Policies that are asked for count as much as the one that ran.
    if (args.policy !== undefined) return ask(recording, options, api.replay);
    const judged = kernel ? { judged: kernel.policy } : {};
    const found = await ask(recording, { ...options, ...judged }, api.replay);
    // Back ends in user space: none of the kernel's rows is theirs.
    const instead = backEndPolicies(found.result, kernel);
    if (instead === null) return found;
    const only = instead.ran ? { judged: instead.ran } : {};
    return ask(recording, { ...own, ...instead, ...only }, api.replay);
  });
  await say(io, args, {
    text: (style) => staleText(answer, style, limit),
    json: () => staleJson(api.tool, answer),
  });
  return statusOf(answer);
}
