/** `history`: the document that pictures of a recording are drawn from. */
import { statusOf } from "../answers/lost.ts";
import { selectMachines } from "../answers/machines.ts";
import type { HistoryLevel } from "../history/index.ts";
import { byteSize, countOf } from "../report/text/number-text.ts";
import { type CommonArguments, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan, policiesOf } from "./shared/kernel.ts";
import { machineOption } from "./shared/machine-options.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
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
  const own = { window: windowOf(args.assumeLogging, "auto"), ...commonOptions(io, args) };
  const { result, bytes } = await openSession(api, io, args).read(async (recording) => {
    const kernel = await kernelThatRan(api, args, recording);
    const policies = policiesOf(api, io, args, kernel);
    const ran = kernel ? { ran: kernel.policy } : {};
    return api.history(recording, { ...own, policies, ...ran }, args.level);
  });
  const file = await packed(bytes);
  await writeWhole(args.output, file);
  if (!args.quiet) {
    const events = countOf(result.eventsReplayed, "event");
    io.err(`${args.output}: ${byteSize(file.length)}, level ${args.level}, ${events}\n`);
  }
  return statusOf({ result: selectMachines(result, machineOption(args)) });
}
