/** `explain`: the life of some guest pages. */
import { UsageError } from "../model/place.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { explainJson, explainText, recordLife } from "../report/text/explain.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { DEFAULT_POLICIES } from "./report.ts";
import {
  type CommonArguments,
  replayablePolicies,
  wholeNumber,
  windowOf,
} from "./shared/arguments.ts";
import { parseGpaRange, wholePages } from "./shared/gpa-range.ts";
import { EXIT, type Io } from "./shared/io.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

export interface ExplainArguments extends CommonArguments {
  gpa: string;
  policy?: string[];
  assumeLogging?: boolean;
  limit?: string;
}

/** Page sets are kept for the watched range, so it is bounded. */
const MOST_BYTES = 2 ** 30;
const KEPT_EVENTS = 10_000;
const MOST_KEPT_EVENTS = 1_000_000;

/** Prints writes and syncs of the pages that the range touches; returns 0. */
export async function run(api: ReplayApi, io: Io, args: ExplainArguments): Promise<number> {
  const range = wholePages(parseGpaRange(args.gpa));
  if (range.len > MOST_BYTES) throw new UsageError("--gpa: explain takes at most 1 GiB");
  const keep =
    args.limit === undefined ? KEPT_EVENTS : wholeNumber(args.limit, "--limit", MOST_KEPT_EVENTS);
  const policies = replayablePolicies(api, io, args, args.policy ?? DEFAULT_POLICIES);
  const window = windowOf(args.assumeLogging, "auto");
  const session = openSession(api, io, args);
  // Whether logging was ever on is known at the end only, so `auto` keeps both readings.
  const recorded = recordLife(range.gpa, range.len, policies, keep, false);
  const assumed = recordLife(range.gpa, range.len, policies, keep, true);
  const options: ReplayOptions = {
    policies,
    window,
    watch: range,
    onWrite(write) {
      recorded.write(write);
      assumed.write(write);
    },
    onSync(view) {
      recorded.sync(view.round.index, view.mark);
      assumed.sync(view.round.index, view.mark);
    },
  };
  if (io.signal) options.signal = io.signal;
  const result = await session.read((opening) => api.replay(opening, options));
  const life = (result.window === "assumed" ? assumed : recorded).life();
  if (args.json) {
    const asked = {
      policies: policies.map(({ policy }) => policy.name),
      window,
      syncMarker: args.syncMarker ?? null,
    };
    const hashed = await session.withHashes(result);
    await io.out(jsonDocument(explainJson(api.tool, asked, life, hashed)));
  } else {
    await io.out(explainText(life, result, textStyle(io.color)));
  }
  return EXIT.ok;
}
