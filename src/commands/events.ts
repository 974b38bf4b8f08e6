/** `events`: what stands around a place of a recording. */
import { ask, statusOf } from "../answers/around.ts";
import { eventJsonLine } from "../report/json/event-json.ts";
import { aroundText } from "../report/text/around-text.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { type CommonArguments, wholeNumber } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface EventsArguments extends CommonArguments {
  around: string;
  count?: string;
}

const COUNT = 8;
const MOST = 100_000;

/** Prints the events; with `--json` one object a line, as `dump` does. */
export async function run(api: ReplayApi, io: Io, args: EventsArguments): Promise<number> {
  const count = args.count === undefined ? COUNT : wholeNumber(args.count, "--count", MOST);
  const options = { place: args.around, count, ...commonOptions(io, args) };
  const answer = await openSession(api, io, args).read((recording) => ask(recording, options));
  await io.out(
    args.json
      ? answer.events.map(eventJsonLine).join("")
      : aroundText(answer, args.around, textStyle(io.color)),
  );
  return statusOf(answer);
}
