/** `fleet run`: replays some cases of a plan and writes a part for each. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { prepare } from "../../answers/asked.ts";
import { machinesOfResult } from "../../fleet/answer.ts";
import { indexOfTask, parseIndexes } from "../../fleet/index-list.ts";
import { answers } from "../../fleet/merge.ts";
import {
  PART_SCHEMA,
  type Part,
  type PartInput,
  type PartMachine,
  writePart,
} from "../../fleet/part.ts";
import type { FleetOptions, Plan, PlanEntry } from "../../fleet/plan.ts";
import { RecordingError, UsageError } from "../../model/place.ts";
import type { ReplayResult } from "../../model/result.ts";

import {
  isTransient,
  partFile,
  partPath,
  sha256,
  syncFolder,
  writePartFile,
} from "../../node/fleet-files.ts";
import { expectManyReplays } from "../../node/many-replays.ts";
import { countOf } from "../../report/text/number-text.ts";
import { printable } from "../../report/text/text-layout.ts";
import { choosePolicies } from "../../vhost/chosen-policy.ts";
import type { CommonArguments } from "../shared/arguments.ts";
import { casesOf } from "../shared/case.ts";
import { EXIT, type Io } from "../shared/io.ts";
import type { ReplayApi } from "../shared/replay-api.ts";
import { commonOptions } from "../shared/say.ts";
import { openSession } from "../shared/session.ts";
import { openPlan, TRY_AGAIN, toolOf } from "./shared.ts";

export interface FleetRunArguments {
  plan: string;
  output: string;
  index?: string;
  root?: string;
  jobs?: string;
  quiet?: boolean;
}

/**
 * Returns 0 when every case has its part, of an answer or of a failure, and 75 when one has none
 * for a reason that another try may not meet.
 */
export async function run(api: ReplayApi, io: Io, args: FleetRunArguments): Promise<number> {
  const plan = await openPlan(args.plan);
  checkTool(api, plan, args.plan);
  const entries = wanted(plan, args);
  await mkdir(args.output, { recursive: true });
  if (entries.length > 1) expectManyReplays();
  let again = 0;
  for (const entry of entries) {
    io.signal?.throwIfAborted();
    try {
      const there = await partFile(partPath(args.output, entry.id));
      if (there !== null && typeof there !== "string" && isOwn(there, entry, plan)) continue;
      const part = await partOf(api, io, args, plan, entry);
      writePartFile(args.output, entry.id, writePart(part, sha256));
    } catch (error) {
      if (!isTransient(error)) throw error;
      again++;
      const why = printable((error as Error).message);
      io.err(`vhost-replay: case ${entry.index}, ${printable(entry.name)}: ${why}; no part\n`);
    }
  }
  syncFolder(args.output);
  if (again > 0) {
    io.err(`vhost-replay: ${countOf(again, "case")} to be tried again\n`);
    return TRY_AGAIN;
  }
  return EXIT.ok;
}

function isOwn(part: Part, { id }: PlanEntry, plan: Plan): boolean {
  return part.id === id && answers(part, plan);
}

/** Parts of two tools are not one answer, so a plan is run by the tool that made it. */
function checkTool(api: ReplayApi, plan: Plan, path: string): void {
  const tool = toolOf(api);
  if (plan.tool.version === tool.version && plan.tool.core === tool.core) return;
  const name = ({ version, core }: typeof tool): string => `${version} (core ${core.slice(0, 12)})`;
  throw new UsageError(
    `${path} was made by ${name(plan.tool)}, this is ${name(tool)}: make the plan anew`,
  );
}

function wanted(plan: Plan, args: FleetRunArguments): PlanEntry[] {
  const task = args.index === undefined ? indexOfTask(process.env) : null;
  const text = args.index ?? task?.value;
  if (text === undefined) return plan.entries;
  const ranges = parseIndexes(text);
  const last = plan.entries.length - 1;
  if (!ranges || ranges.some((range) => range.last > last)) {
    const name = task?.variable ?? "--index";
    throw new UsageError(
      `${name}: expected indexes up to ${last} such as 3,7,19-24, found ${JSON.stringify(text)}`,
    );
  }
  return plan.entries.filter(({ index }) =>
    ranges.some((range) => index >= range.first && index <= range.last),
  );
}

async function partOf(
  api: ReplayApi,
  io: Io,
  args: FleetRunArguments,
  plan: Plan,
  entry: PlanEntry,
): Promise<Part> {
  const { id, name, labels } = entry;
  const { tool, options } = plan;
  const head = { schema: PART_SCHEMA, id, name, labels, tool, options } as const;
  const root = args.root ?? ".";
  const nameOf = new Map(entry.files.map((file) => [join(root, file.name), file.name]));
  const common: CommonArguments = {
    recordings: [...nameOf.keys()],
    quiet: true,
    // For the hashes of the inputs.
    json: true,
    ...(args.jobs === undefined ? {} : { jobs: args.jobs }),
  };
  try {
    const cases = (await casesOf(api, io, common)) ?? [{ api, args: common }];
    const inputs: PartInput[] = [];
    const machines: PartMachine[] = [];
    // A folder may hold several migrations or hosts: their machines are as many.
    for (const opened of cases) {
      const result = await replayWhole(opened.api, io, opened.args, options);
      for (const { name: file, size, sha256: hash } of result.inputs) {
        inputs.push({ name: nameOf.get(file) ?? file, bytes: size, sha256: hash });
      }
      const before = machines.length;
      machines.push(
        ...machinesOfResult(result).map((one) => ({ ...one, number: before + one.number })),
      );
    }
    return { ...head, inputs, content: contentOf(inputs), status: "ok", machines };
  } catch (error) {
    if (isTransient(error) || !blamesInput(error)) throw error;
    const message = relativeMessage((error as Error).message, nameOf);
    return { ...head, inputs: [], content: null, status: "failed", error: message };
  }
}

/** Replays a case with all of its pages, and the hashes of its inputs. */
async function replayWhole(
  api: ReplayApi,
  io: Io,
  args: CommonArguments,
  { policies: names, window }: FleetOptions,
): Promise<ReplayResult> {
  const policies = choosePolicies(names, api.POLICIES);
  const { result } = await openSession(api, io, args).ask(async (recording) => {
    const { asked, base } = prepare(
      recording,
      { policies, window, ...commonOptions(io, {}) },
      window,
    );
    const whole = { ...base, runLimit: Number.POSITIVE_INFINITY };
    return { asked, result: await api.replay(recording, whole) };
  });
  return result;
}

/** The same content in any order of its files; null where an input was not read whole. */
function contentOf(inputs: readonly PartInput[]): string | null {
  const hashes = inputs.map((input) => input.sha256);
  return hashes.includes(null) ? null : sha256(hashes.toSorted().join("\n"));
}

/** A part names files as the plan does, wherever they lie on this host. */
function relativeMessage(message: string, nameOf: ReadonlyMap<string, string>): string {
  return [...nameOf].reduce((text, [path, name]) => text.replaceAll(path, name), message);
}

/** What cannot be read, and what needs more memory than any core has, is so on every host. */
function blamesInput(error: unknown): boolean {
  return error instanceof RecordingError || error instanceof UsageError;
}
