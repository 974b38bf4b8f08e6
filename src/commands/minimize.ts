/** `minimize`: the smallest recording that still shows what happened to a page. */
import { ask, statusOf } from "../answers/minimize.ts";
import { eventJsonLine } from "../report/json/event-json.ts";
import { ftraceLine } from "../report/text/ftrace-line.ts";
import { minimizedText } from "../report/text/minimize-text.ts";
import { type CommonArguments, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan, policiesOf } from "./shared/kernel.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
import { parsePage } from "./shared/page.ts";
import { stepLine } from "./shared/progress.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface MinimizeArguments extends CommonArguments, Pick<MigrationArguments, "ran"> {
  page: string;
  policy?: string[];
  assumeLogging?: boolean;
  /** `ndjson` or `ftrace`. */
  format?: string;
}

/** Prints the events as NDJSON or ftrace text, which read back as a recording; says on standard error what it shows. */
export async function run(api: ReplayApi, io: Io, args: MinimizeArguments): Promise<number> {
  const page = parsePage(args.page, "--page");
  const progress = stepLine(io, args.quiet ?? false);
  const options = {
    ...{ page, window: windowOf(args.assumeLogging, "auto"), ...commonOptions(io, args) },
    onProgress: (events: number, replays: number) =>
      progress.update(`${events} events left, ${replays} replays`),
  };
  const session = openSession(api, io, { ...args, quiet: true });
  const answer = await session
    .read(async (recording) => {
      const policies = policiesOf(api, io, args, await kernelThatRan(api, args, recording));
      return ask(recording, { ...options, policies });
    })
    .finally(() => progress.clear());
  const line = args.format === "ftrace" ? ftraceLine : eventJsonLine;
  await io.out(answer.events.map(line).join(""));
  if (!args.quiet) io.err(minimizedText(answer));
  return statusOf(answer);
}
