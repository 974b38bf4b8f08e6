/** Twins: the core and the naive oracle agree on every page of random migrations. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { MigrationResult, MigrationVerdict } from "../../../src/model/migration-result.ts";
import { memorySource, replayAll } from "../../support/memory-source.ts";
import { replayMigration, verdictOf } from "../../support/migration-guest.ts";
import {
  asFarAsSeen,
  migrations,
  type Op,
  ORACLE_POLICIES,
  oracleVerdict,
  record,
} from "../../support/migration-oracle.ts";

const RUNS = Number(process.env.MIGRATION_RUNS ?? 50);
const POLICIES = ORACLE_POLICIES.map(({ policy }) => policy);

async function migrationOf(ops: readonly Op[]): Promise<MigrationResult> {
  const { migrations: found } = await replayMigration(record(ops), POLICIES);
  expect(found).toHaveLength(1);
  await sameByRound(found[0]!, ops);
  await sameCauses(found[0]!, ops);
  return found[0]!;
}

/** With nobody asking for single pages the core takes writes by the round where it can: the same sets. */
async function sameByRound(migration: MigrationResult, ops: readonly Op[]): Promise<void> {
  const { migrations: found } = await replayMigration(record(ops), POLICIES, POLICIES[0], false);
  expect({ ...found[0]!, verdicts: found[0]!.verdicts.map(withoutPages) }).toEqual({
    ...migration,
    verdicts: migration.verdicts.map(withoutPages),
  });
}

const withoutPages = (verdict: MigrationVerdict): Partial<MigrationVerdict> => ({
  ...verdict,
  pages: [],
  causes: [],
  pagesWithoutEvidence: 0,
});

/** Counting by cause gives the numbers of the pages that are listed one by one, and lists none. */
async function sameCauses(migration: MigrationResult, ops: readonly Op[]): Promise<void> {
  const { migrations: found } = await replayAll([memorySource("case", record(ops).ndjson())], {
    policies: POLICIES.map((policy) => ({ policy, alias: null })),
    ran: POLICIES[0]!,
    staleCauses: true,
  });
  migration.verdicts.forEach((verdict, i) => {
    const counted = new Map<string, number>();
    for (const { write } of verdict.pages) {
      counted.set(write.cause, (counted.get(write.cause) ?? 0) + 1);
    }
    const { causes } = verdict;
    expect(new Map(causes.map(({ cause, pages }) => [cause, pages]))).toEqual(counted);
    expect(found[0]!.verdicts[i]).toEqual({ ...verdict, pages: [] });
  });
}

function compare(migration: MigrationResult, ops: readonly Op[]): void {
  for (const { policy, logs } of ORACLE_POLICIES) {
    const { stale, likely, possible, healed, verdict } = verdictOf(migration, policy.name);
    const oracle = asFarAsSeen(migration, oracleVerdict(ops, logs));
    expect({ policy: policy.name, stale, likely, possible, healed }).toEqual({
      policy: policy.name,
      stale: oracle.stale,
      likely: oracle.likely,
      possible: oracle.possible,
      healed: oracle.healed,
    });
    expect(verdict.whatIf).toBe(false);
    const counts = [
      ...[oracle.stale.length, oracle.stale.length + oracle.likely.length],
      oracle.stale.length + oracle.likely.length + oracle.possible.length,
    ];
    // Where no request completes the oracle finds no page, and the replay says that it is not known.
    const unknown = verdict.best === null;
    expect([verdict.best, verdict.likely, verdict.worst]).toEqual(
      unknown ? [null, null, null] : counts,
    );
    if (unknown) expect(counts).toEqual([0, 0, 0]);
    // Every open page names the write to blame, and what it hangs on.
    expect(verdict.pages.map(({ gfn }) => gfn).sort((a, b) => a - b)).toEqual(
      [...stale, ...likely, ...possible].sort((a, b) => a - b),
    );
    for (const page of verdict.pages)
      expect(page.doubts.length === 0).toBe(page.verdict === "stale");
  }
}

test("a page that is sent as its own send of 32 pages before lands is in flight again", async () => {
  const [page, other] = [0x241, 0x15];
  const between = Array.from({ length: 31 }, (_, i) => 0x1000 + i);
  const ops: Op[] = [
    { op: "start" },
    { op: "save", pages: [page, ...between] },
    { op: "save", pages: [page, other] },
    { op: "control", page },
    { op: "end" },
  ];
  const migration = await migrationOf(ops);
  compare(migration, ops);
  expect(verdictOf(migration, "linux-6.1").possible).toEqual([page]);
});

test("with page sends", async () => {
  await fc.assert(
    fc.asyncProperty(migrations(), async (ops) => compare(await migrationOf(ops), ops)),
    { numRuns: RUNS },
  );
});

test("without page sends: worst, likely and best case", async () => {
  await fc.assert(
    fc.asyncProperty(migrations(false), async (ops) => compare(await migrationOf(ops), ops)),
    { numRuns: RUNS },
  );
});
