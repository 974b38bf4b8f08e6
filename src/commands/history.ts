/** `history`: the document that pictures of a recording are drawn from. */
import { rename, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { statusOf } from "../answers/lost.ts";
import type { HistoryLevel } from "../history/index.ts";
import { byteSize, countOf } from "../report/text/number-text.ts";
import { type CommonArguments, replayablePolicies, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { type MigrationArguments, ranOption } from "./shared/migration-options.ts";
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
  const policies = replayablePolicies(api, io, args, args.policy);
  const options = {
    ...{ policies, window: windowOf(args.assumeLogging, "auto") },
    ...ranOption(api, args),
    ...commonOptions(io, args),
  };
  const { result, bytes } = await openSession(api, io, args).read((recording) =>
    api.history(recording, options, args.level),
  );
  const packed = await promisify(gzip)(bytes);
  await writeWhole(args.output, packed);
  if (!args.quiet) {
    const events = countOf(result.eventsReplayed, "event");
    io.err(`${args.output}: ${byteSize(packed.length)}, level ${args.level}, ${events}\n`);
  }
  return statusOf({ result });
}

/** A file that has its name when it is whole. Throws the system's error. */
export async function writeWhole(name: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = `${name}.part`;
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, name);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
