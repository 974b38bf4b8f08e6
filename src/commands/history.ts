/** `history`: the document that pictures of a recording are drawn from. */
import { statusOf } from "../answers/lost.ts";
import type { HistoryLevel } from "../history/index.ts";
import { byteSize, countOf } from "../report/text/number-text.ts";
import { type CommonArguments, replayablePolicies, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { type MigrationArguments, ranOption } from "./shared/migration-options.ts";
import { packed, writeWhole } from "./shared/page-file.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface HistoryArguments extends CommonArguments, Pick<MigrationArguments, "ran"> {
  output: string;
  level: HistoryLevel;
  policy?: string[];
  assumeLogging?: boolean;
}

/** Writes the history; returns 0, 1 or 3, as `report` does. */
export async function run(api: ReplayApi, io: Io, args: HistoryArguments): Promise<number> {
  const options = {
    policies: replayablePolicies(api, io, args, args.policy),
    window: windowOf(args.assumeLogging, "auto"),
    ...ranOption(api, args),
    ...commonOptions(io, args),
  };
  const { result, bytes } = await openSession(api, io, args).read((recording) =>
    api.history(recording, options, args.level),
  );
  const file = await packed(bytes);
  await writeWhole(args.output, file);
  if (!args.quiet) {
    const events = countOf(result.eventsReplayed, "event");
    io.err(`${args.output}: ${byteSize(file.length)}, level ${args.level}, ${events}\n`);
  }
  return statusOf({ result });
}
