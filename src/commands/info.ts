/** `info`: what is in a recording, and which questions it can answer. */
import { ask, statusOf } from "../answers/inspect.ts";
import { infoJson } from "../report/json/report-json.ts";
import { infoText } from "../report/text/info-text.ts";
import type { CommonArguments } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

/** Prints what the recordings hold; returns 0. */
export async function run(api: ReplayApi, io: Io, args: CommonArguments): Promise<number> {
  const answer = await openSession(api, io, args).ask((recording) =>
    ask(recording, commonOptions(io, args), api.replay),
  );
  await say(io, args, {
    text: (style) => infoText(answer.result, style),
    json: () => infoJson(api.tool, answer),
  });
  return statusOf(answer);
}
