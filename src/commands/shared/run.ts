/** How the command line runs a command. */
import type { ColorChoice, Io } from "./io.ts";
import type { ReplayApi } from "./replay-api.ts";

/** The module of a command. */
export interface CommandModule<Arguments> {
  run(api: ReplayApi, io: Io, args: Arguments): Promise<number>;
}

/** Loads a command's module and runs it with its arguments. */
export type Run = <Arguments extends SharedOptions>(
  load: () => Promise<CommandModule<Arguments>>,
  args: Arguments,
) => Promise<void>;

export interface SharedOptions {
  color?: ColorChoice;
  policyFile?: string[];
  policy?: string | string[];
}
