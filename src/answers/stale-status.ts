/** The exit status of `stale`. */
import type { ReplayResult } from "../model/result.ts";
import { mainMigration } from "../report/text/migration-text.ts";

/** 0: no page is stale, under any policy asked for. 1: some are or may be. 3: no migration. */
export function staleStatus(result: ReplayResult): 0 | 1 | 3 {
  const migration = mainMigration(result);
  if (migration === null || !result.verdict) return 3;
  return migration.verdicts.some((verdict) => verdict.worst > 0) ? 1 : 0;
}
