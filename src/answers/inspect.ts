/** What is in a recording, and which questions can it answer? `info`. */
import { type Recording, replay } from "../replay/replay.ts";
import { type CommonAnswer, type CommonOptions, prepare, type Replayer } from "./asked.ts";

export type Options = Pick<CommonOptions, "signal">;
export type Answer = CommonAnswer;

/** Replays it against the kernels before and after the series. Throws what `replay` throws. */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  return { asked, result: await run(recording, base) };
}

/** 0: what a recording holds can always be said. */
export function statusOf(_: Answer): 0 {
  return 0;
}
