/** mark() and the set algebra against plain sets. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { CAUSES, Cause, RowSet } from "../../assembly/page-abi.ts";
import { Core, type CoreModule } from "../../src/core/core.ts";
import { installRows } from "../../src/core/rows.ts";
import { hasCause, mask } from "../../src/vhost/causes.ts";
import { coreModule } from "../support/memory-source.ts";

let module: CoreModule;
beforeAll(async () => {
  module = await coreModule();
});

interface Masks {
  window: bigint;
  logs: bigint;
}

async function coreWith(rows: Masks[]): Promise<Core> {
  const core = await Core.create(module, rows.length);
  installRows(
    core,
    rows.map((row, policy) => ({
      policy,
      window: "recorded",
      windowMask: row.window,
      logsMask: row.logs,
    })),
  );
  return core;
}

const pagesOf = (gpa: bigint, len: bigint): number[] => {
  const pages: number[] = [];
  for (let p = gpa >> 12n; len > 0n && p <= (gpa + len - 1n) >> 12n; p++) pages.push(Number(p));
  return pages;
};

const pages = (core: Core, row: number, set: RowSet): number[] =>
  core
    .runs(row, set, Number.POSITIVE_INFINITY)
    .runs.flatMap((run) => Array.from({ length: run.pages }, (_, i) => run.gfn + i));

const sorted = (set: Set<number>): number[] => [...set].sort((a, b) => a - b);

/** Addresses crowd around the borders that the core has: words, blocks, the end of the space. */
const address = fc.oneof(
  fc.bigInt(0n, 0x800000n),
  fc.constantFrom(0x1ff000n, 0x1fffffn, 0x3f000n, 0x3ffffn, (1n << 32n) - 1n, (1n << 44n) - 4096n),
  fc.bigInt(0n, (1n << 44n) - 1n),
);
const length = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 51n, 108n, 4095n, 4096n, 4097n, 0x200000n),
  fc.bigInt(0n, 0x300000n),
);

describe("the planes", () => {
  test("agree with plain sets over random writes, syncs and policies", async () => {
    const write = fc.record({
      cause: fc.integer({ min: 0, max: CAUSES - 1 }),
      gpa: address,
      len: length,
    });
    // Part stands for other causes until a device tells a length: test/core/semantics-backends.test.ts.
    const part = mask(Cause.PartLogged, Cause.PartOff);
    const masks = fc.bigInt(0n, (1n << BigInt(CAUSES)) - 1n).map((bits) => bits & ~part);
    const rounds = fc.array(fc.array(write, { maxLength: 12 }), { minLength: 1, maxLength: 4 });
    const rows = fc.array(fc.record({ window: masks, logs: masks }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(rounds, rows, async (allRounds, masks) => {
        const core = await coreWith(masks);
        const stale = masks.map(() => new Set<number>());
        const ever = masks.map(() => new Set<number>());
        for (const writes of allRounds) {
          for (const { cause, gpa, len } of writes) core.exports.mark(cause, gpa, len);
          core.exports.sync();
          masks.forEach(({ window, logs }, row) => {
            const written = new Set<number>();
            const logged = new Set<number>();
            for (const { cause, gpa, len } of writes) {
              if (gpa + len > 1n << 44n) continue;
              for (const page of pagesOf(gpa, len)) {
                if (hasCause(window, cause)) written.add(page);
                if (hasCause(logs, cause)) logged.add(page);
              }
            }
            const lost = new Set([...written].filter((page) => !logged.has(page)));
            for (const page of written) stale[row]!.add(page);
            for (const page of logged) stale[row]!.delete(page);
            for (const page of lost) ever[row]!.add(page);
            expect(pages(core, row, RowSet.Written)).toEqual(sorted(written));
            expect(pages(core, row, RowSet.Logged)).toEqual(sorted(logged));
            expect(pages(core, row, RowSet.Lost)).toEqual(sorted(lost));
            expect(pages(core, row, RowSet.Stale)).toEqual(sorted(stale[row]!));
            expect(pages(core, row, RowSet.EverLost)).toEqual(sorted(ever[row]!));
            expect(core.highest(row, RowSet.Logged)).toBe(sorted(logged).at(-1) ?? -1);
          });
          core.exports.clearRound();
        }
      }),
      { numRuns: 60 },
    );
  });

  test("a range that ends beyond 16 TiB marks nothing", async () => {
    const core = await coreWith([{ window: 1n, logs: 0n }]);
    expect(core.exports.mark(0, (1n << 44n) - 4096n, 4097n)).toBe(-1);
    expect(core.exports.mark(0, (1n << 64n) - 8n, 16n)).toBe(-1);
    expect(core.exports.mark(0, (1n << 44n) - 4096n, 4096n)).toBe(1);
    core.exports.sync();
    expect(pages(core, 0, RowSet.Written)).toEqual([0xffffffff]);
  });

  test("an image has bit n of the least significant first for page n, and counts what is beyond", async () => {
    const core = await coreWith([{ window: 1n, logs: 1n }]);
    core.exports.mark(0, 0x1fffn, 2n);
    core.exports.mark(0, 0x40000n, 1n);
    core.exports.mark(0, 0x10000000n, 1n);
    core.exports.sync();
    const { image, beyond } = core.image(0, RowSet.Logged, 16);
    expect([...image]).toEqual([0x06, 0, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0]);
    expect(beyond).toBe(1);
  });

  test("untouched guest memory costs nothing: one page in 16 TiB needs one block", async () => {
    const core = await coreWith([{ window: 1n, logs: 0n }]);
    core.exports.mark(0, 1n << 43n, 1n);
    expect(core.exports.blocks()).toBe(1);
  });
});
