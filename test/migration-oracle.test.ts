/** Twins: the core and the naive oracle agree on every page of random migrations. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MigrationResult, MigrationVerdict } from "../src/result.ts";
import { replayMigration, verdictOf } from "./migration-guest.ts";
import { migrations, type Op, ORACLE_POLICIES, oracleVerdict, record } from "./migration-oracle.ts";

const RUNS = Number(process.env.MIGRATION_RUNS ?? 50);
const POLICIES = ORACLE_POLICIES.map(({ policy }) => policy);

async function migrationOf(ops: readonly Op[]): Promise<MigrationResult> {
  const { migrations: found } = await replayMigration(record(ops), POLICIES);
  expect(found).toHaveLength(1);
  await sameByRound(found[0]!, ops);
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
  pagesWithoutEvidence: 0,
});

function compare(migration: MigrationResult, ops: readonly Op[]): void {
  for (const { policy, logs } of ORACLE_POLICIES) {
    const { stale, possible, healed, verdict } = verdictOf(migration, policy.name);
    const oracle = oracleVerdict(ops, logs);
    expect({ policy: policy.name, stale, possible, healed }).toEqual({
      policy: policy.name,
      stale: oracle.stale,
      possible: oracle.possible,
      healed: oracle.healed,
    });
    expect(verdict.whatIf).toBe(false);
    expect([verdict.best, verdict.likely, verdict.worst]).toEqual([
      oracle.stale.length,
      oracle.likely.length,
      oracle.stale.length + oracle.possible.length,
    ]);
    // Every open page names the write to blame, and what it hangs on.
    expect(verdict.pages.map(({ gfn }) => gfn).sort((a, b) => a - b)).toEqual(
      [...stale, ...possible].sort((a, b) => a - b),
    );
    for (const page of verdict.pages)
      expect(page.doubts.length === 0).toBe(page.verdict === "stale");
  }
}

test("with page sends", async () => {
  await fc.assert(
    fc.asyncProperty(migrations(), async (ops) => compare(await migrationOf(ops), ops)),
    { numRuns: RUNS },
  );
}, 120_000);

test("without page sends: worst, likely and best case", async () => {
  await fc.assert(
    fc.asyncProperty(migrations(false), async (ops) => compare(await migrationOf(ops), ops)),
    { numRuns: RUNS },
  );
}, 120_000);

describe("what more of a log, or more of a recording, changes", () => {
  const open = ({ stale, possible }: { stale: number[]; possible: number[] }): Set<number> =>
    new Set([...stale, ...possible]);

  test("what is healed under a policy is not stale under one that logs more", async () => {
    const more: [string, string][] = [
      ["linux-6.1", "control"],
      ["linux-6.1", "late"],
      ["linux-6.1", "linux-6.16"],
      ["control", "linux-6.16"],
      ["linux-6.16", "all"],
      ["late", "all"],
    ];
    await fc.assert(
      fc.asyncProperty(migrations(), async (ops) => {
        const migration = await migrationOf(ops);
        for (const [less, greater] of more) {
          const a = verdictOf(migration, less);
          const b = verdictOf(migration, greater);
          for (const page of a.healed) expect(open(b).has(page)).toBe(false);
          for (const page of b.stale) expect(a.stale).toContain(page);
          for (const page of open(b)) expect(open(a).has(page)).toBe(true);
        }
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test("send times turn possibly stale into another verdict, and clean into none", async () => {
    await fc.assert(
      fc.asyncProperty(migrations(), async (ops) => {
        const withSends = await migrationOf(ops);
        const without = await migrationOf(ops.filter(({ op }) => op !== "save"));
        for (const { policy } of ORACLE_POLICIES) {
          const known = verdictOf(withSends, policy.name);
          const unknown = verdictOf(without, policy.name);
          expect(unknown.stale).toEqual([]);
          for (const page of open(known)) expect(open(unknown).has(page)).toBe(true);
        }
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
