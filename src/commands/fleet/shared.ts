/** What the commands of a fleet share. */
import { readFile } from "node:fs/promises";
import { answers } from "../../fleet/merge.ts";
import type { Part } from "../../fleet/part.ts";
import { type FleetTool, type Plan, PlanError, readPlan } from "../../fleet/plan.ts";
import { UsageError } from "../../model/place.ts";
import { partsIn } from "../../node/fleet-files.ts";
import { printable } from "../../report/text/text-layout.ts";
import type { Io } from "../shared/io.ts";
import type { ReplayApi } from "../shared/replay-api.ts";

/** `EX_TEMPFAIL` of sysexits.h: the same task may succeed when it is tried again. */
export const TRY_AGAIN = 75;

/** The tool as a plan and its parts name it. */
export function toolOf(api: Pick<ReplayApi, "tool">): FleetTool {
  return { version: api.tool.version, core: api.tool.wasmSha256 };
}

/** Reads a plan. Throws UsageError for a file that is none. */
export async function openPlan(path: string): Promise<Plan> {
  try {
    return readPlan(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof PlanError) {
      throw new UsageError(`${path}:${error.line}: ${error.message}`);
    }
    throw error;
  }
}

/**
 * The parts of these folders that belong to the plan. Sets of pages are kept only where they will be
 * united, so that a million parts need little memory.
 */
export async function openParts(
  io: Io,
  plan: Plan,
  folders: readonly string[],
  quiet: boolean,
): Promise<Part[]> {
  const labels = new Map(plan.entries.map(({ id, labels }) => [id, labels]));
  const parts: Part[] = [];
  const remark = (line: string): void => {
    if (!quiet) io.err(`vhost-replay: ${printable(line)}\n`);
  };
  for (const folder of folders) {
    for await (const part of partsIn(folder, remark)) {
      const own = labels.get(part.id);
      if (own && !answers(part, plan)) {
        remark(
          `${folder}: the part of ${part.name} is of version ${part.tool.version}, or of other options`,
        );
      } else if (own) parts.push(own.vm === undefined ? withoutSets(part) : part);
    }
  }
  return parts;
}

function withoutSets(part: Part): Part {
  if (part.status === "failed") return part;
  const machines = part.machines.map((machine) => ({
    ...machine,
    policies: machine.policies.map((policy) => ({ ...policy, lostPages: "", stalePages: "" })),
  }));
  return { ...part, machines };
}
