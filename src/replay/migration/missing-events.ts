/**
 * What is left of certainty where events are missing that nothing places: a loss with a place takes it away
 * in the core, from what lies before it. Here the recording as a whole lacks something.
 */
import type { Doubt, MigrationResult, MigrationVerdict } from "../../model/migration-result.ts";
import { countPages, PageRuns } from "../../model/page-runs.ts";
import type { Limit } from "../../model/result.ts";

/**
 * Limits that say that events are missing, and not where. One may be what healed a page: a send, or an
 * ioctl by which a policy would have logged the write. Losses with a place (`events-lost`,
 * `events-unread`) and limits that only say how much a write covers are not among them.
 */
const MISSING: ReadonlySet<string> = new Set([
  "events-missing",
  "completions-lost",
  "pops-lost",
  "drains-unseen",
  "ioctls-unseen",
  "ioctls-unanswered",
]);

const DOUBT: Doubt = "events-lost";

/** The migrations, in which no page is certainly stale where a limit says that events are missing. */
export function withoutCertainty(
  migrations: readonly MigrationResult[],
  limits: readonly Limit[],
): MigrationResult[] {
  if (!limits.some(({ code }) => MISSING.has(code))) return [...migrations];
  return migrations.map((migration) => ({
    ...migration,
    verdicts: migration.verdicts.map(lowered),
  }));
}

/** What was certain is likely. */
function lowered(verdict: MigrationVerdict): MigrationVerdict {
  if (verdict.stale.length === 0) return verdict;
  const likely = PageRuns.from(verdict.stale).union(PageRuns.from(verdict.likelyStale)).toArray();
  return {
    ...verdict,
    best: 0,
    likely: countPages(likely),
    stale: [],
    likelyStale: likely,
    pages: verdict.pages.map((page) =>
      page.verdict === "stale"
        ? { ...page, verdict: "likely-stale", doubts: [...page.doubts, DOUBT] }
        : page,
    ),
  };
}
