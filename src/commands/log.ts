/** `log`: the dirty log that a policy would have written, one image a sync. */
import { ask, statusOf } from "../answers/log-images.ts";
import { UsageError } from "../model/place.ts";
import { logIndexJson } from "../report/json/log-index.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { logText, logWarnings } from "../report/text/log-text.ts";
import {
  type CommonArguments,
  replayablePolicies,
  wholeNumber,
  windowOf,
} from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { openLogDirectory } from "./shared/log-directory.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface LogArguments extends CommonArguments {
  policy: string;
  output: string;
  logSize?: string;
  assumeLogging?: boolean;
}

/** One bit a page, 16 TiB of guest memory. */
const MOST_BYTES = 2 ** 29;

/** Writes the images and their index; returns 0, or 3 when the recording carries no verdict. */
export async function run(api: ReplayApi, io: Io, args: LogArguments): Promise<number> {
  const size = args.logSize === undefined ? {} : { size: logSize(args.logSize) };
  const [policy] = replayablePolicies(api, io, args, [args.policy]);
  const window = windowOf(args.assumeLogging, "recorded");
  const session = openSession(api, io, { ...args, json: true });
  const folder = await openLogDirectory(args.output);
  const options = {
    policy: policy!,
    window,
    ...size,
    onImage: folder.add,
    ...commonOptions(io, args),
  };
  try {
    const answer = await session.ask((recording) => ask(recording, options, api.replay));
    const index = jsonDocument(logIndexJson(api.tool, answer));
    await folder.commit(index);
    if (!args.quiet) for (const line of logWarnings(answer)) io.err(`${line}\n`);
    await io.out(args.json ? index : logText(answer.images));
    return statusOf(answer);
  } catch (error) {
    await folder.discard();
    throw error;
  }
}

function logSize(text: string): number {
  const bytes = wholeNumber(text, "--log-size", MOST_BYTES);
  if (bytes === 0 || bytes % 8 !== 0) {
    throw new UsageError(`--log-size: expected a multiple of 8 bytes, found ${bytes}`);
  }
  return bytes;
}
