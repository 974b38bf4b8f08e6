/** `lint`: faults of the protocol and of the recording, with their places. */
import { ask, statusOf } from "../answers/lint.ts";
import { lintJson } from "../report/json/lint-json.ts";
import { lintText } from "../report/text/lint-text.ts";
import type { CommonArguments } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

/** Prints the faults; returns 0 without any, 1, or 3 where nothing is recorded. */
export async function run(api: ReplayApi, io: Io, args: CommonArguments): Promise<number> {
  const answer = await openSession(api, io, args).ask((recording) =>
    ask(recording, commonOptions(io, args), api.replay),
  );
  await say(io, args, {
    text: (style) => lintText(answer, style),
    json: () => lintJson(api.tool, answer),
  });
  return statusOf(answer);
}
