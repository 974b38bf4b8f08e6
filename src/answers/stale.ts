/** Which pages are stale at the destination of a live migration, and why? `stale`. */
import type { Source } from "../bytes/source.ts";
import type { OwnedPages, Owner, Owners } from "../memory/owners/owners.ts";
import { readOwners } from "../memory/owners/read-owners.ts";
import type { MigrationResult, MigrationVerdict } from "../model/migration-result.ts";
import type { ReplayResult } from "../model/result.ts";
import { type Recording, replay } from "../replay/replay.ts";
import { type CommonAnswer, type CommonOptions, prepare, type Replayer } from "./asked.ts";

export interface Options extends CommonOptions {
  /** Owners of guest pages, CSV or NDJSON with gfn, owner and kind. */
  owners?: Source;
}

/** Who owned the open pages of one policy's verdict. */
export interface VerdictOwners {
  policy: string;
  /** Of the pages of the three sets: most pages first; those of nobody. */
  owned: OwnedPages[];
  unknown: number;
  /** In the order of the verdict's `pages`; null where the file does not have the page. */
  pages: (Owner | null)[];
}

export interface Answer extends CommonAnswer {
  /** In the order of the main migration's verdicts; null where no owners were given. */
  owners: VerdictOwners[] | null;
}

/** Throws what `replay` throws, and RecordingError for a file of owners that cannot be read. */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  const owners = options.owners === undefined ? null : await readOwners(options.owners);
  const result = await run(recording, { ...base, stalePages: true });
  const verdicts = mainMigration(result)?.verdicts ?? [];
  return { asked, result, owners: owners && verdicts.map((one) => ownersOf(one, owners)) };
}

function ownersOf(verdict: MigrationVerdict, owners: Owners): VerdictOwners {
  return {
    policy: verdict.policy,
    ...owners.summarise([...verdict.stale, ...verdict.likelyStale, ...verdict.possiblyStale]),
    pages: verdict.pages.map(({ gfn }) => owners.at(gfn) ?? null),
  };
}

/** 0: no page is stale, under any policy asked for. 1: some are or may be. 3: no migration. */
export function statusOf({ result }: Pick<Answer, "result">): 0 | 1 | 3 {
  const migration = mainMigration(result);
  if (migration === null || !result.verdict) return 3;
  return migration.verdicts.some((verdict) => verdict.worst > 0) ? 1 : 0;
}

/** The migration that a report speaks of: the last one that has a verdict, else the last one. */
export function mainMigration(result: ReplayResult): MigrationResult | null {
  const withVerdict = result.migrations.filter((migration) => migration.verdicts.length > 0);
  return withVerdict.at(-1) ?? result.migrations.at(-1) ?? null;
}

/** One that QEMU's events tell; the ioctls alone do not say that it was one. */
export function toldByQemu(result: ReplayResult): MigrationResult | null {
  const main = mainMigration(result);
  return main?.from === "qemu" ? main : null;
}
