/** From an error to what the user reads and the exit status. */
import { CommanderError } from "commander";
import { RecordingError, UsageError } from "../../model/place.ts";
import { printable } from "../../report/text/text-layout.ts";
import { EXIT, type Io } from "./io.ts";

/**
 * Says what went wrong on standard error and returns the exit status: 2 for the user's input and
 * the machine's refusals (no such file, disk full), 130 after an interrupt, 70 for our own bugs.
 */
export function failureStatus(error: unknown, io: Pick<Io, "err" | "signal">): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.trouble;
  if (io.signal?.aborted && (error === io.signal.reason || isAbort(error))) return EXIT.interrupted;
  if (error instanceof RecordingError || error instanceof UsageError || isSystemError(error)) {
    io.err(`vhost-replay: ${printable(error.message)}\n`);
    return EXIT.trouble;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err(
    `vhost-replay: this is a bug in vhost-replay, please report it with these lines:\n${stack}\n`,
  );
  return EXIT.bug;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error;
}
