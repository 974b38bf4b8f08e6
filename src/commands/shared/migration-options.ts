/** Options of what is said about a migration: which vhost ran, who owns the pages, where RAM lies. */
import type { CommonOptions } from "../../answers/asked.ts";
import { readMemoryMap } from "../../memory/read-memory-map.ts";
import { UsageError } from "../../model/place.ts";
import type { Recording } from "../../replay/replay.ts";
import { choosePolicies } from "../../vhost/chosen-policy.ts";
import type { ReplayApi } from "./replay-api.ts";

export interface MigrationArguments {
  /** Policy of the vhost that ran. */
  ran?: string;
  /** CSV or NDJSON: gfn, owner, kind. */
  owners?: string;
}

/** The policy of `--ran`, for the options of a question. Throws UsageError for a name that none has. */
export function ranOption(
  api: Pick<ReplayApi, "POLICIES">,
  args: MigrationArguments,
): Pick<CommonOptions, "ran"> {
  if (args.ran === undefined) return {};
  return { ran: choosePolicies([args.ran], api.POLICIES)[0]!.policy };
}

/** The memory map of `--mtree`, for opening recordings. Throws RecordingError. */
export async function mapOption(
  api: Pick<ReplayApi, "openSources">,
  files: readonly string[] | undefined,
): Promise<Pick<Recording, "memoryMap">> {
  if (files === undefined) return {};
  const map = await readMemoryMap(files.map((name) => api.openSources([name])[0]!));
  if (map.ranges.length === 0) {
    throw new UsageError("--mtree: no RAM in it; give the answer to `info mtree -f`");
  }
  return { memoryMap: map.ranges };
}
