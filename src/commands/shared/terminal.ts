/** The process as the commands see it: streams, colour, interrupt. */
import type { ColorChoice, Io } from "./io.ts";

/** What is needed of `process`. */
export interface HostProcess {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  once(event: "SIGINT", listener: () => void): unknown;
}

/** The terminal, and what became of the answer. */
export interface Terminal {
  io(color: ColorChoice): Io;
  /** The reader of the answer has gone. */
  readonly closed: boolean;
  /** Why the answer could not be written (a disk that is full), otherwise undefined. */
  readonly failed: Error | undefined;
}

/**
 * Listens for an interrupt (the first one asks the replay to stop, the second one ends the process
 * as usual), for a closed standard output, which stops the work silently, and for one that cannot be
 * written.
 */
export function openTerminal(host: HostProcess): Terminal {
  const abort = new AbortController();
  const gone = new AbortController();
  let closed = false;
  let failed: Error | undefined;
  host.once("SIGINT", () => abort.abort());
  host.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") closed = true;
    else failed ??= error;
    gone.abort();
    abort.abort();
  });
  host.stderr.on("error", () => {});
  return {
    get closed() {
      return closed;
    },
    get failed() {
      return failed;
    },
    io: (color) => ({
      out: (text) => write(host.stdout, text, abort.signal),
      final: (text) => write(host.stdout, text, gone.signal),
      err: (text) => void host.stderr.write(text),
      isTTY: showsProgress(host),
      columns: host.stderr.columns ?? 80,
      color: wantsColor(color, host.env, host.stdout.isTTY === true),
      signal: abort.signal,
    }),
  };
}

/** Waits only where the stream asks for it; a reader that has gone ends the wait. */
function write(
  stream: NodeJS.WriteStream,
  text: string,
  signal: AbortSignal,
): void | Promise<void> {
  if (signal.aborted || stream.write(text)) return;
  return new Promise((resolve, reject) => {
    const stop = () => {
      stream.off("drain", go);
      reject(signal.reason);
    };
    const go = () => {
      signal.removeEventListener("abort", stop);
      resolve();
    };
    stream.once("drain", go);
    signal.addEventListener("abort", stop, { once: true });
  });
}

function showsProgress({ stderr, env }: HostProcess): boolean {
  return stderr.isTTY === true && env.TERM !== "dumb" && !env.CI;
}

/**
 * `--color` decides; `auto` follows NO_COLOR (https://no-color.org: set and not empty), then
 * FORCE_COLOR (set, not `0`), then whether the answer goes to a terminal.
 */
export function wantsColor(
  choice: ColorChoice,
  env: Readonly<Record<string, string | undefined>>,
  isTTY: boolean,
): boolean {
  if (choice !== "auto") return choice === "always";
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0";
  return isTTY && env.TERM !== "dumb";
}
