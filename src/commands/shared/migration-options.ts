/** Options of what is said about a migration: which vhost ran, who owns the pages, where RAM lies. */
import type { Ran } from "../../answers/affected.ts";
import type { CommonOptions } from "../../answers/asked.ts";
import { wholeText } from "../../bytes/whole-text.ts";
import { readMemoryMap } from "../../memory/read-memory-map.ts";
import { UsageError } from "../../model/place.ts";
import { settingsOfTranscript } from "../../qemu/migration-settings.ts";
import type { Recording } from "../../replay/replay.ts";
import { resolvePolicy } from "../../vhost/policy.ts";
import { releaseRow } from "../../vhost/releases.ts";
import type { ReplayApi } from "./replay-api.ts";

/** Far above any transcript around a migration. */
const MOST_BYTES = 2 ** 26;

export interface MigrationArguments {
  /** Policy of the vhost that ran. */
  ran?: string;
  /** CSV or NDJSON: gfn, owner, kind. */
  owners?: string;
}

/** The policy of `--ran`, for the options of a question. Throws UsageError for a name that none has. */
export function ranOption(
  api: Pick<ReplayApi, "POLICIES">,
  args: MigrationArguments & { kernel?: string },
): Pick<CommonOptions, "ran"> {
  const kernel = toldKernel(api, args);
  return kernel ? { ran: kernel.policy } : {};
}

/**
 * The kernel that ran, as `--ran` (a policy, or what `uname` prints) or a file of the case tells it.
 * Throws UsageError for a name that is neither.
 */
export function toldKernel(
  api: Pick<ReplayApi, "POLICIES">,
  args: MigrationArguments & { kernel?: string },
): Ran | undefined {
  const { ran, kernel } = args;
  if (ran === undefined) {
    return kernel === undefined ? undefined : kernelOf(kernel, "a file of the case");
  }
  const own = api.POLICIES.find(({ name, aliases }) => name === ran || aliases.includes(ran));
  if (own) return { policy: own, toldBy: "--ran", release: ran, reason: null, sure: true };
  const release = kernelOf(ran, "--ran");
  if (release) return release;
  const { policy, reason } = resolvePolicy(ran);
  return { policy, toldBy: "--ran", release: ran, reason, sure: true };
}

/** The kernel of a text of `uname`; undefined where it names none that is known. */
export function kernelOf(uname: string, toldBy: string): Ran | undefined {
  const row = releaseRow(uname);
  if (!row) return undefined;
  const release = /^Linux \S+ (\S+) /.exec(uname)?.[1] ?? uname;
  const { policy, reason, sure, version } = row;
  const name = release.startsWith(version) ? release : `${release} (${version})`;
  return { policy, toldBy, release: name, reason, sure };
}

/**
 * The memory map of `--mtree`, for opening recordings; from a transcript of QMP also what QEMU was told about
 * migrations. Throws RecordingError.
 */
export async function mapOption(
  api: Pick<ReplayApi, "openSources">,
  files: readonly string[] | undefined,
): Promise<Pick<Recording, "memoryMap" | "migrationSettings">> {
  if (files === undefined) return {};
  const map = await readMemoryMap(files.map((name) => api.openSources([name])[0]!));
  if (map.ranges.length === 0) {
    throw new UsageError("--mtree: no RAM in it; give the answer to `info mtree -f`");
  }
  const text = await wholeText(api.openSources([files[0]!])[0]!, MOST_BYTES, "a transcript of QMP");
  const transcript = /^\s*\{/.test(text);
  return {
    memoryMap: map.ranges,
    ...(transcript ? { migrationSettings: settingsOfTranscript(text) } : {}),
  };
}
