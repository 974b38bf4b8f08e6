/** `stale`: which guest pages are stale at the destination of a live migration, page by page. */

import { staleStatus } from "../answers/stale-status.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { staleJson } from "../report/json/stale-json.ts";
import { staleText } from "../report/text/stale-text.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { DEFAULT_POLICIES } from "./report.ts";
import {
  type CommonArguments,
  replayablePolicies,
  wholeNumber,
  windowOf,
} from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { type MigrationArguments, ownersOption, ranOption } from "./shared/migration-options.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

export interface StaleArguments extends CommonArguments, MigrationArguments {
  policy?: string[];
  assumeLogging?: boolean;
  limit?: string;
}

/** Prints the verdict; returns 0, 1 or 3 (`staleStatus`). */
export async function run(api: ReplayApi, io: Io, args: StaleArguments): Promise<number> {
  const policies = replayablePolicies(api, io, args, args.policy ?? DEFAULT_POLICIES);
  const window = windowOf(args.assumeLogging, "auto");
  const limit =
    args.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber(args.limit, "--limit");
  const owners = await ownersOption(api, args);
  const session = openSession(api, io, args);
  const options: ReplayOptions = { policies, window, stalePages: true, ...ranOption(api, args) };
  if (io.signal) options.signal = io.signal;
  const result = await session.read((opening) => api.replay(opening, options));
  if (args.json) {
    const names = policies.map(({ policy }) => policy.name);
    const asked = {
      policies: names,
      window,
      syncMarker: args.syncMarker ?? null,
      ran: args.ran ?? null,
    };
    await io.out(
      jsonDocument(staleJson(api.tool, asked, await session.withHashes(result), owners)),
    );
  } else {
    await io.out(staleText(result, owners, textStyle(io.color), limit));
  }
  return staleStatus(result);
}
