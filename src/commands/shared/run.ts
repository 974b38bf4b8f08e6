/** How the command line runs a command. */
import type { OpenedCase } from "./case.ts";
import type { ColorChoice, Io } from "./io.ts";
import type { ReplayApi } from "./replay-api.ts";

/** The module of a command. */
export interface CommandModule<Arguments> {
  run(api: ReplayApi, io: Io, args: Arguments): Promise<number>;
  /** Answers for several cases; without it one of them must be named. */
  runMany?(cases: readonly OpenedCase<Arguments>[], io: Io): Promise<number>;
  /** The answer says which files the case has, where it is text. */
  readonly tellsCase?: boolean;
}

/** Loads a command's module and runs it with its arguments. */
export type Run = <Arguments extends SharedOptions>(
  load: () => Promise<CommandModule<Arguments>>,
  args: Arguments,
) => Promise<void>;

export interface SharedOptions {
  recordings?: string[];
  json?: boolean;
  quiet?: boolean;
  color?: ColorChoice;
  policyFile?: string[];
  policy?: string | string[];
}
