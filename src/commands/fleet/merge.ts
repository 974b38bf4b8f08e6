/** `fleet merge`: the parts of a plan as one answer, with bounds for what is not there. */
import { writeFile } from "node:fs/promises";
import { fleetDataset } from "../../export/fleet-dataset.ts";
import { fleetStatus, mergeParts } from "../../fleet/merge.ts";
import { jsonDocument } from "../../report/json/result-json.ts";
import { fleetText } from "../../report/text/fleet-text.ts";
import { writeDataset } from "../shared/export-files.ts";
import type { Io } from "../shared/io.ts";
import type { ReplayApi } from "../shared/replay-api.ts";
import { openParts, openPlan } from "./shared.ts";

export interface FleetMergeArguments {
  plan: string;
  parts: string[];
  output?: string;
  parquet?: string;
  json?: boolean;
  quiet?: boolean;
}

/** Returns 3 while parts are missing, else 1 where a policy loses pages, 0 where none does. */
export async function run(api: ReplayApi, io: Io, args: FleetMergeArguments): Promise<number> {
  const plan = await openPlan(args.plan);
  const parts = await openParts(io, plan, args.parts, args.quiet ?? false);
  const result = mergeParts(plan, parts);
  const json = jsonDocument(result);
  if (args.output !== undefined) await writeFile(args.output, json);
  if (args.parquet !== undefined) {
    const folders = fleetDataset(plan, parts, result);
    await writeDataset(args.parquet, folders, `${api.tool.name} ${api.tool.version}`);
  }
  await io.out(args.json ? json : fleetText(result));
  return fleetStatus(result);
}
