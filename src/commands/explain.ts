/** `explain`: the life of some guest pages. */
import { ask, statusOf } from "../answers/life.ts";
import { explainJson } from "../report/json/explain-json.ts";
import { explainText } from "../report/text/explain-text.ts";
import { type CommonArguments, wholeNumber, windowOf } from "./shared/arguments.ts";
import { parseGpaRange } from "./shared/gpa-range.ts";
import { qemuAddress, rangeOf } from "./shared/guest-address.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan, policiesOf } from "./shared/kernel.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface ExplainArguments extends CommonArguments, Pick<MigrationArguments, "ran"> {
  gpa: string;
  policy?: string[];
  assumeLogging?: boolean;
  limit?: string;
}

const MOST_KEPT_EVENTS = 1_000_000;

/** Prints writes and syncs of the pages that the range touches; returns 0. */
export async function run(api: ReplayApi, io: Io, args: ExplainArguments): Promise<number> {
  if (qemuAddress(args.gpa) === null) parseGpaRange(args.gpa);
  const { limit } = args;
  const keep = limit === undefined ? {} : { keep: wholeNumber(limit, "--limit", MOST_KEPT_EVENTS) };
  const window = windowOf(args.assumeLogging, "auto");
  const options = { window, ...keep, ...commonOptions(io, args) };
  const answer = await openSession(api, io, args).ask(async (recording) => {
    const range = await rangeOf(args.gpa, recording, io.signal);
    const kernel = await kernelThatRan(api, args, recording);
    const policies = policiesOf(api, io, args, kernel);
    const ran = kernel ? { ran: kernel.policy } : {};
    return ask(recording, { ...options, policies, ...ran, range }, api.replay);
  });
  await say(io, args, {
    text: (style) => explainText(answer, style),
    json: () => explainJson(api.tool, answer),
  });
  return statusOf(answer);
}
