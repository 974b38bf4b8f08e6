/** What is in a recording, and which questions can it answer? `info`. */
import { type Recording, replay } from "../replay/replay.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { type MachineOptions, selectMachines } from "./machines.ts";
import type { Replayer } from "./replayer.ts";

export type Options = Pick<CommonOptions, "signal" | keyof MachineOptions>;
export type Answer = CommonAnswer;

/** Replays it against the kernels before and after the series. Throws what `replay` throws. */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  return { asked, result: selectMachines(await run(recording, base), options) };
}

/** 0: what a recording holds can always be said. */
export function statusOf(_: Answer): 0 {
  return 0;
}
