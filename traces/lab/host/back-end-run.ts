/** What runs of back ends have in common: programs that are waited for, the comparison, the table. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LabError, run, tryRun } from "./command.ts";
import { LAB, RESULTS, TOOL } from "./paths.ts";
import { findProgram } from "./tools.ts";

/** One run of the front end. */
export interface BackEndRow {
  backEnd: string;
  scenario: string;
  syncs: number;
  equal: number;
  /** What `verify` says, its first line. */
  sentence: string;
}

export const PATIENCE = 60_000;

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for something that a program does. Throws LabError with what the program said. */
export async function until(
  what: string,
  ready: () => boolean,
  child: ChildProcess,
): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!ready()) {
    if (child.exitCode !== null)
      throw new LabError(`${what}: the program ended (${child.exitCode})`);
    if (Date.now() > end) throw new LabError(`${what}: not after ${PATIENCE / 1000} s`);
    await pause(50);
  }
}

export const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null
    ? Promise.resolve()
    : new Promise((done) => child.once("exit", () => done()));

/** Compiles a front end of traces/lab/guest. Throws LabError. */
export function frontEnd(name: string): string {
  if (findProgram("gcc") === null) throw new LabError("missing: gcc; apt-get install gcc");
  const base = join(RESULTS, "vhost-user");
  mkdirSync(base, { recursive: true });
  const program = join(base, name);
  run("gcc", ["-O2", "-Wall", "-o", program, join(LAB, "guest", `${name}.c`)]);
  return program;
}

/** An empty folder for a run. */
export function runFolder(backEnd: string, scenario: string): string {
  const folder = join(RESULTS, "vhost-user", backEnd, scenario);
  rmSync(folder, { recursive: true, force: true });
  for (const name of ["syncs", "changed"]) mkdirSync(join(folder, name), { recursive: true });
  return folder;
}

/** The predicted log of a policy against the back end's own at each sync. */
export function compare(
  { backEnd, scenario, policy }: { backEnd: string; scenario: string; policy: string },
  recording: string,
  folder: string,
): BackEndRow {
  const { stdout } = tryRun(process.execPath, [
    ...[TOOL, "verify", recording, "--observed", join(folder, "syncs")],
    ...["--policy", policy, "--json", "--quiet"],
  ]);
  const answer = JSON.parse(stdout) as {
    sentence: string;
    policies: { syncs: { missing: { pages: number }; extra: { pages: number } }[] }[];
  };
  const syncs = answer.policies[0]?.syncs ?? [];
  const equal = syncs.filter(({ missing, extra }) => missing.pages + extra.pages === 0).length;
  return { backEnd, scenario, syncs: syncs.length, equal, sentence: answer.sentence };
}

/** One line a run. */
export function backEndText(rows: readonly BackEndRow[]): string {
  return rows
    .map(({ backEnd, scenario, syncs, equal, sentence }) =>
      `${backEnd.padEnd(14)} ${scenario.padEnd(24)} ${equal} of ${syncs} syncs equal  ${sentence}`.trimEnd(),
    )
    .join("\n");
}

/** Whether every run was compared, and equal at every sync. */
export function backEndHolds(rows: readonly BackEndRow[]): boolean {
  return rows.length > 0 && rows.every(({ syncs, equal }) => syncs > 0 && equal === syncs);
}
