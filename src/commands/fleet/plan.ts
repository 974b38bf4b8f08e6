/** `fleet plan`: one line a case, without reading any recording. */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { makePlan, type PlannedCase, writePlan } from "../../fleet/plan.ts";
import { UsageError } from "../../model/place.ts";
import { filesOfCase, nameUnder, sha256 } from "../../node/fleet-files.ts";
import { replayablePolicies, windowOf } from "../shared/arguments.ts";
import { EXIT, type Io } from "../shared/io.ts";
import type { ReplayApi } from "../shared/replay-api.ts";
import { toolOf } from "./shared.ts";

export interface FleetPlanArguments {
  cases: string[];
  output: string;
  root?: string;
  labels?: string;
  policy?: string[];
  assumeLogging?: boolean;
  quiet?: boolean;
}

/** Writes the plan; returns 0. */
export async function run(api: ReplayApi, io: Io, args: FleetPlanArguments): Promise<number> {
  const policies = replayablePolicies(api, io, args, args.policy);
  const root = resolve(args.root ?? ".");
  const labels = await readLabels(args.labels);
  const cases: PlannedCase[] = [];
  const names = new Set<string>();
  for (const path of args.cases) {
    const files = await filesOfCase(resolve(path), root);
    const name = nameUnder(resolve(path), root);
    if (names.has(name)) throw new UsageError(`${path}: named twice`);
    names.add(name);
    cases.push({ name, files, labels: labels.get(name) ?? {} });
  }
  const unknown = [...labels.keys()].find((name) => !names.has(name));
  if (unknown !== undefined) throw new UsageError(`--labels: no case is named ${unknown}`);
  const options = {
    policies: policies.map(({ policy }) => policy.name),
    window: windowOf(args.assumeLogging, "auto"),
  };
  const plan = makePlan(cases, toolOf(api), options, sha256);
  await writeFile(args.output, writePlan(plan));
  const last = plan.entries.length - 1;
  await io.out(`${plan.entries.length} cases, indexes ${last === 0 ? "0" : `0-${last}`}\n`);
  return EXIT.ok;
}

/** Labels of cases: a line of JSON each, `{"name": "host1/run", "vm": "…", "host": "…"}`. */
async function readLabels(path: string | undefined): Promise<Map<string, Record<string, string>>> {
  const labels = new Map<string, Record<string, string>>();
  if (path === undefined) return labels;
  for (const [i, line] of (await readFile(path, "utf8")).split("\n").entries()) {
    if (line.trim() === "") continue;
    const wrong = (): never => {
      throw new UsageError(`${path}:${i + 1}: expected an object of texts with a name`);
    };
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      wrong();
    }
    if (typeof value !== "object" || value === null) wrong();
    const { name, ...rest } = value as Record<string, unknown>;
    if (typeof name !== "string" || Object.values(rest).some((v) => typeof v !== "string")) wrong();
    labels.set(String(name), rest as Record<string, string>);
  }
  return labels;
}
