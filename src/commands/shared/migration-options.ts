/** Options of what is said about a migration: which vhost ran, who owns the pages, where RAM lies. */
import type { Owners } from "../../memory/owners/owners.ts";
import { readOwners } from "../../memory/owners/read-owners.ts";
import { readMemoryMap } from "../../memory/read-memory-map.ts";
import { UsageError } from "../../model/place.ts";
import type { Opening, ReplayApi, ReplayOptions } from "./replay-api.ts";

export interface MigrationArguments {
  /** Policy of the vhost that ran. */
  ran?: string;
  /** CSV or NDJSON: gfn, owner, kind. */
  owners?: string;
}

/** The policy of `--ran`, for the options of a replay. Throws UsageError for a name that none has. */
export function ranOption(
  api: Pick<ReplayApi, "findPolicy">,
  args: MigrationArguments,
): Pick<ReplayOptions, "ran"> {
  return args.ran === undefined ? {} : { ran: api.findPolicy(args.ran) };
}

/** The owners of `--owners`; null without it. Throws RecordingError. */
export async function ownersOption(
  api: Pick<ReplayApi, "openSources">,
  args: MigrationArguments,
): Promise<Owners | null> {
  return args.owners === undefined ? null : readOwners(api.openSources([args.owners])[0]!);
}

/** The memory map of `--mtree`, for opening recordings. Throws RecordingError. */
export async function mapOption(
  api: Pick<ReplayApi, "openSources">,
  files: readonly string[] | undefined,
): Promise<Pick<Opening, "memoryMap">> {
  if (files === undefined) return {};
  const map = await readMemoryMap(files.map((name) => api.openSources([name])[0]!));
  if (map.ranges.length === 0) {
    throw new UsageError("--mtree: no RAM in it; give the answer to `info mtree -f`");
  }
  return { memoryMap: map.ranges };
}
