/**
 * A program from its first line to its exit status, on any load.
 *
 * Node.js waits for V8's background compile jobs in two places: whenever the event loop runs empty
 * (NodePlatform::DrainTasks) and when the process ends (NodePlatform::Shutdown). Such a job that
 * allocates while the heap is over its limit is parked until the main thread collects garbage, and then
 * both wait for ever (nodejs/node#54918). So the loop never runs empty here, and the last thing that
 * runs is a full collection, after which no job is parked and none begins.
 */
import { createRequire } from "node:module";

/** What is needed of `process`. */
export interface ProgramHost {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  getActiveResourcesInfo(): string[];
  once(event: "exit", listener: () => void): unknown;
  exit(status: number): never;
}

/** Milliseconds between two looks, and how many may find that nothing can ever happen any more. */
const LOOK_EVERY = 500;
const IDLE_LOOKS = 20;
/** Status of a bug of ours, as `EX_SOFTWARE` of sysexits.h. */
const BUG = 70;

/**
 * Runs `main` and ends the process with the status it gives, once all output is written. When `main`
 * waits for what cannot come (nothing is open, no request is under way, no timer runs), that is a
 * bug of ours: said on standard error after ten seconds, status 70. What `main` throws ends
 * the process as an uncaught exception does.
 */
export async function runProgram(host: ProgramHost, main: () => Promise<number>): Promise<void> {
  host.once("exit", collectGarbage);
  // Made on first use: they belong to what is open before the program does anything.
  const streams = [host.stdout, host.stderr];
  const watch = watchIdleness(host);
  try {
    const status = await main();
    for (const stream of streams) await flushed(stream);
    host.exit(status);
  } finally {
    clearInterval(watch);
  }
}

/** Holds the event loop, and looks whether anything else does. */
function watchIdleness(host: ProgramHost): NodeJS.Timeout {
  let idle = 0;
  const watch = setInterval(() => {
    idle = countOfOthers(host.getActiveResourcesInfo(), before) === 0 ? idle + 1 : 0;
    if (idle < IDLE_LOOKS) return;
    host.stderr.write(
      "vhost-replay: this is a bug in vhost-replay, please report it: it waits for something that cannot come\n",
    );
    host.exit(BUG);
  }, LOOK_EVERY);
  const before = host.getActiveResourcesInfo();
  return watch;
}

/** How many resources there are beyond those of `before`. */
function countOfOthers(now: readonly string[], before: readonly string[]): number {
  const known = [...before];
  return now.filter((name) => {
    const at = known.indexOf(name);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  }).length;
}

/** Waits until everything written so far has been handed to the system, or cannot be. */
function flushed(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    if (!stream.writable) resolve();
    else stream.write("", () => resolve());
  });
}

/** A full collection of garbage, which only a context made after the flag was set can ask for. */
function collectGarbage(): void {
  // At the end of the run: loading them is no part of the way to the first output.
  const require = createRequire(import.meta.url);
  const v8: typeof import("node:v8") = require("node:v8");
  const vm: typeof import("node:vm") = require("node:vm");
  v8.setFlagsFromString("--expose-gc");
  vm.runInNewContext("gc")();
}
