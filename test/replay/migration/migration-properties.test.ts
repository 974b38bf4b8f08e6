/**
 * What more of a recording, a finer clock, or more of a log may change of a verdict: only what was
 * possible becomes certain. Random migrations, every policy of the oracle.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NormalisedEvent } from "../../../src/model/event.ts";
import type { MigrationResult } from "../../../src/model/migration-result.ts";
import type { Recording } from "../../../src/replay/replay.ts";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { qemuLog, type TraceLine } from "../../support/make-qemu-log.ts";
import { simpletrace } from "../../support/make-simpletrace.ts";
import { memorySource, recordingOf, replayOne } from "../../support/memory-source.ts";
import { type Verdict, verdictOf } from "../../support/migration-guest.ts";
import {
  asFarAsSeen,
  lastZero,
  migrations,
  type Op,
  ORACLE_POLICIES,
  oracleVerdict,
  plausible,
  record,
  zeroed,
} from "../../support/migration-oracle.ts";
import { split } from "../../support/split-recording.ts";

const RUNS = Number(process.env.MIGRATION_RUNS ?? 50);
const POLICIES = ORACLE_POLICIES.map(({ policy }) => policy);
const MS = 1_000_000n;
const BOOT = 5_000_000n * MS;
const APART = 1_795_398_785_914_295_400n;

async function migrationOf(
  sources: Recording["sources"],
  { ran = "linux-6.1", ...more }: Partial<Recording> & { ran?: string } = {},
): Promise<MigrationResult> {
  const vhost = POLICIES.find(({ name }) => name === ran) ?? findPolicy(ran);
  const { migrations: found } = await replayOne(
    { ...(await recordingOf(...sources)), ...more },
    {
      policies: POLICIES.map((policy) => ({ policy, alias: null })),
      window: "auto",
      stalePages: true,
      ran: vhost,
    },
  );
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** The events of a migration, `spread` ns apart, with what QEMU's counter would have told. */
function timed(ops: readonly Op[], spread: bigint): NormalisedEvent[] {
  let counter = 0;
  let last: bigint | null = null;
  return record(ops)
    .timed()
    .map((event, i) => {
      const ns = BOOT + BigInt(i) * spread;
      const at = { ...event, ts: `${ns}` };
      if (at.event !== "qemu") return at;
      if (at.name === "migration_bitmap_sync_start") last ??= ns / MS;
      if (at.name !== "migration_bitmap_sync_end") return at;
      counter += Number(at.args.dirty_pages);
      const told = { ...at, args: { dirty_pages: counter } };
      if (ns / MS > last! + 1000n) {
        last = ns / MS;
        counter = 0;
      }
      return told;
    });
}

const ndjson = (events: readonly NormalisedEvent[]): string =>
  events.map((event) => `${JSON.stringify(event)}\n`).join("");

const ordered = ({ stale, likely }: Verdict): number[] => [...stale, ...likely];
const open = (verdict: Verdict): number[] => [...ordered(verdict), ...verdict.possible];

/** Nothing that was certain has changed: `known` rests on more than `unknown` does. */
function onlyPossibleChanged(known: Verdict, unknown: Verdict): void {
  for (const page of unknown.stale) expect(known.stale).toContain(page);
  // So neither a healed page nor a clean one has become stale, or possibly so.
  const before = new Set(open(unknown));
  for (const page of open(known)) expect(before.has(page)).toBe(true);
}

/** A cheaper way to see that tests would notice: how often verdicts differed at all. */
const same = (a: Verdict, b: Verdict): boolean =>
  JSON.stringify([a.stale, a.likely, a.possible]) ===
  JSON.stringify([b.stale, b.likely, b.possible]);

describe("the clock", () => {
  test("a finer one turns possibly stale into another verdict, and nothing else", async () => {
    let changed = 0;
    await fc.assert(
      fc.asyncProperty(
        migrations(),
        fc.bigInt({ min: 1000n, max: 60_000n }),
        async (ops, spread) => {
          const events = timed(ops, spread);
          const parts = split(events, APART);
          const sources = [
            memorySource("host", parts.probes),
            memorySource("src", qemuLog(parts.lines, "tid@time")),
          ];
          let finer = await migrationOf([memorySource("whole", ndjson(events))]);
          // Times of the log are whole microseconds.
          for (const tolerance of [2000n, 40_000n, 400_000n, 1_000_000_000n]) {
            const clockOffsets = new Map([["src", { offset: -APART, tolerance }]]);
            const coarser = await migrationOf(sources, { clockOffsets });
            for (const { name } of POLICIES) {
              const [known, unknown] = [verdictOf(finer, name), verdictOf(coarser, name)];
              onlyPossibleChanged(known, unknown);
              for (const page of unknown.likely) expect(ordered(known)).toContain(page);
              if (!same(known, unknown)) changed++;
            }
            finer = coarser;
          }
        },
      ),
      { numRuns: RUNS },
    );
    expect(changed).toBeGreaterThan(RUNS / 10);
  });
});

describe("page sends of the source", () => {
  test("without them nothing is certainly stale; with them nothing else becomes so", async () => {
    let stale = 0;
    await fc.assert(
      fc.asyncProperty(migrations(), async (ops) => {
        const events = timed(ops, 1000n);
        const without = events.filter(
          (event) => event.event !== "qemu" || event.name !== "ram_save_page",
        );
        const known = await migrationOf([memorySource("sends", ndjson(events))]);
        const unknown = await migrationOf([memorySource("none", ndjson(without))]);
        for (const { name } of POLICIES) {
          expect(verdictOf(unknown, name).stale).toEqual([]);
          onlyPossibleChanged(verdictOf(known, name), verdictOf(unknown, name));
          stale += ordered(verdictOf(known, name)).length;
        }
      }),
      { numRuns: RUNS },
    );
    expect(stale).toBeGreaterThan(RUNS / 25);
  });
});

describe("the destination", () => {
  /** A migration that QEMU could have made, with pages of zeros. */
  const withZeros = fc
    .tuple(
      fc.oneof(
        { weight: 2, arbitrary: migrations(true, true) },
        // Nothing else is sent again: the number is reached.
        {
          weight: 1,
          arbitrary: fc
            .array(zeroed, { minLength: 1, maxLength: 2 })
            .map((parts): Op[] => [{ op: "start" }, ...parts.flat(), { op: "end" }]),
        },
      ),
      fc.array(fc.constantFrom(0, 0, 0, 2), { minLength: 1, maxLength: 5 }),
    )
    .map(([ops, spare]) => {
      const start = ops.findIndex(({ op }) => op === "start");
      const begun: Op[] = [{ op: "sync" }, { op: "save", pages: [0x800] }];
      return plausible(
        [...ops.slice(0, start + 1), ...begun, ...ops.slice(start + 1)],
        (sync) => spare[sync % spare.length]!,
      );
    });

  /** What the destination receives, in its own time. */
  function arrivals(ops: readonly Op[]): Uint8Array {
    const lines: TraceLine[] = [];
    const add = (page: number, flags: number): void => {
      const addr = BigInt(page) << 12n;
      lines.push({
        ...{ ns: 900_000n * BOOT + BigInt(lines.length) * 1000n, tid: 9, name: "ram_load_loop" },
        args: ["pc.ram", addr, flags, 0x7e0000000000n + addr],
      });
    };
    for (const op of ops) {
      if (op.op === "end") break;
      if (op.op === "zero") add(op.page, 2);
      if (op.op === "save") for (const page of op.pages) add(page, 8);
    }
    return simpletrace(lines, { pid: 77 });
  }

  test("only pages that were sent again as zeros are no longer stale, and no more than was said", async () => {
    let left = 0;
    let least = Number.POSITIVE_INFINITY;
    await fc.assert(
      fc.asyncProperty(
        withZeros,
        fc.constantFrom(1000n, 20n * MS, 90n * MS),
        async (ops, spread) => {
          const source = memorySource("src", ndjson(timed(ops, spread)));
          const destination = memorySource("dst", arrivals(ops));
          const alone = await migrationOf([source]);
          const both = await migrationOf([source, destination]);
          const most = alone.zeroResendsAtMost;
          if (!ops.some(({ op }) => op === "gap")) {
            expect(most).not.toBeNull();
            expect(both.zeroResendsAtMost).toBe(0);
          }
          for (const { policy, logs } of ORACLE_POLICIES) {
            const [known, unknown] = [both, alone].map((found) => verdictOf(found, policy.name));
            const gone = ordered(unknown!).filter((page) => !ordered(known!).includes(page));
            let again = 0;
            for (const page of gone) {
              const zero = lastZero(ops, page, logs);
              const healed = known!.healed.includes(page);
              // Between the same two sends of the source the order of a write is not known.
              expect([healed, zero.order > 0]).toEqual([zero.order > 0, healed]);
              expect(zero.order).toBeGreaterThanOrEqual(0);
              // A first send is before the second sync, which the destination does not show.
              if (zero.again) again++;
              else expect(healed).toBe(false);
            }
            expect(again).toBeLessThanOrEqual(most ?? Number.POSITIVE_INFINITY);
            if (again > 0) least = Math.min(least, (most ?? 99) - again);
            left += again;
            const before = new Set(open(unknown!));
            for (const page of open(known!)) expect(before.has(page)).toBe(true);
            // Both are what the naive twin says.
            for (const [verdict, shown] of [
              [unknown!, false],
              [known!, true],
            ] as const) {
              const oracle = asFarAsSeen(shown ? both : alone, oracleVerdict(ops, logs, shown));
              const { stale, likely, possible, healed } = verdict;
              expect({ stale, likely, possible, healed }).toEqual(oracle);
            }
          }
        },
      ),
      { numRuns: 2 * RUNS },
    );
    expect(left).toBeGreaterThan(RUNS / 50);
    // The number is reached: one less would be wrong.
    expect(least).toBe(0);
  });
});

describe("a policy that logs more", () => {
  const more = ORACLE_POLICIES.flatMap((less) =>
    ORACLE_POLICIES.filter(
      (greater) => greater !== less && [...less.logs].every((kind) => greater.logs.has(kind)),
    ).map((greater) => [less.policy.name, greater.policy.name] as const),
  );

  test("what is healed under a policy is not stale under it, whichever ran", async () => {
    expect(more).toHaveLength(8);
    let healed = 0;
    await fc.assert(
      fc.asyncProperty(
        migrations(),
        fc.constantFrom(...POLICIES.map(({ name }) => name)),
        async (ops, ran) => {
          const source = memorySource("case", ndjson(timed(ops, 1000n)));
          const migration = await migrationOf([source], { ran });
          for (const [less, greater] of more) {
            const [a, b] = [verdictOf(migration, less), verdictOf(migration, greater)];
            for (const page of a.healed) expect(open(b)).not.toContain(page);
            for (const page of open(b)) expect(open(a)).toContain(page);
            // Of one that would not have sent the same pages nothing more is certain.
            if (a.verdict.whatIf === b.verdict.whatIf) {
              for (const page of b.stale) expect(a.stale).toContain(page);
            }
            healed += a.healed.length;
          }
        },
      ),
      { numRuns: RUNS },
    );
    expect(healed).toBeGreaterThan(RUNS / 5);
  });
});
