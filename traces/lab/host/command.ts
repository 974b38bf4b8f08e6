/** Runs programs of the host. */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** What the lab cannot go on without, said in one line. */
export class LabError extends Error {}

const MAX_OUTPUT = 256 << 20;

/** Runs a program to its end and returns its output. Throws LabError when it fails. */
export function run(program: string, args: readonly string[], cwd?: string): string {
  const done = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: MAX_OUTPUT,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (done.error) throw new LabError(`${program}: ${done.error.message}`);
  if (done.status !== 0) {
    const said = done.stderr.trim().split("\n").slice(-3).join("; ");
    throw new LabError(
      `${program} ${args.slice(0, 4).join(" ")} …: exit status ${done.status}: ${said}`,
    );
  }
  return done.stdout;
}

/** Output and exit status of a program that may fail. */
export function tryRun(
  program: string,
  args: readonly string[],
): { status: number; stdout: string; stderr: string } {
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: MAX_OUTPUT });
  if (done.error) throw new LabError(`${program}: ${done.error.message}`);
  return { status: done.status ?? -1, stdout: done.stdout, stderr: done.stderr };
}

/** The output of a program as bytes, for decompressors. */
export function runBinary(program: string, args: readonly string[]): Buffer {
  const done = spawnSync(program, args, { maxBuffer: MAX_OUTPUT });
  if (done.error) throw new LabError(`${program}: ${done.error.message}`);
  if (done.status !== 0) throw new LabError(`${program} ${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
}

/** Programs that are running; ended with the lab. */
const running = new Set<ReturnType<typeof spawn>>();

/** Ends what still runs. */
export function endRunning(): void {
  for (const child of running) child.kill("SIGKILL");
}

/**
 * Runs a program with its output in a file, for at most `seconds`. Returns its exit status, or
 * null when the time was over.
 */
export async function runLogged(
  program: string,
  args: readonly string[],
  log: string,
  seconds: number,
): Promise<number | null> {
  const file = openSync(log, "w");
  const child = spawn(program, args, { stdio: ["ignore", file, file] });
  running.add(child);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, seconds * 1000);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", (error) => reject(new LabError(`${program}: ${error.message}`)));
      child.on("exit", (code) => resolve(code));
    });
    return late ? null : (status ?? -1);
  } finally {
    clearTimeout(timer);
    running.delete(child);
    closeSync(file);
  }
}
