/** `fleet missing`: indexes without a whole part, as a scheduler takes them for an array. */
import { mergeParts } from "../../fleet/merge.ts";
import { EXIT, type Io } from "../shared/io.ts";
import type { ReplayApi } from "../shared/replay-api.ts";
import { openParts, openPlan } from "./shared.ts";

export interface FleetMissingArguments {
  plan: string;
  parts: string[];
  quiet?: boolean;
}

/** Prints `3,7,19-24`, or nothing; returns 3 while a part is missing, else 0. */
export async function run(_api: ReplayApi, io: Io, args: FleetMissingArguments): Promise<number> {
  const plan = await openPlan(args.plan);
  const parts = await openParts(io, plan, args.parts, args.quiet ?? false);
  const { missing } = mergeParts(plan, parts);
  if (missing.count > 0) await io.out(`${missing.indexes}\n`);
  return missing.count > 0 ? EXIT.noVerdict : EXIT.ok;
}
