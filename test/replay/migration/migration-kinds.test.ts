/**
 * Migrations of every kind that was recorded, against the pages that really differed at the destination.
 * None that differs is missed; what is certain differs but for writes that repeat old bytes (short reads,
 * equal responses), which no recording tells.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ClockPair } from "../../../src/join/clock-pair.ts";
import { STALE_LADDER } from "../../../src/model/migration-result.ts";
import { eachPage } from "../../../src/model/page-runs.ts";
import { fileSource, nodeSurroundings } from "../../../src/node/index.ts";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { coreModule, replayOne } from "../../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../../traces/migration");
/** KVM's wall clock, which the destination writes: it differs and is no loss. */
const WALL_CLOCK = 0x4200;

function clockPairs(text: string): ClockPair[] {
  return [...text.matchAll(/realtime=(\d+)\.(\d+) monotonic=(\d+)\.(\d+) spread_ns=(\d+)/g)].map(
    ([, r, rn, m, mn, spread]) => ({
      realtime: BigInt(`${r}${rn}`),
      monotonic: BigInt(`${m}${mn}`),
      spread: BigInt(spread!),
    }),
  );
}

async function verdictOf(name: string, policy: string, files: readonly string[]) {
  const at = (file: string): string => join(TRACES, name, file);
  const differ = new Set(
    readFileSync(at("differ.txt"), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => Number(line)),
  );
  differ.delete(WALL_CLOCK);
  const { migrations, limits } = await replayOne(
    {
      sources: files.map((file) => fileSource(at(file))),
      surroundings: nodeSurroundings(() => {}),
      module: await coreModule(),
      clockPairs: clockPairs(readFileSync(at("clock.txt"), "utf8")),
    },
    {
      policies: [{ policy: findPolicy(policy), alias: null }],
      window: "auto",
      stalePages: true,
    },
  );
  const migration = migrations.at(-1)!;
  const verdict = migration.verdicts[0]!;
  const sets = [verdict.stale, verdict.likelyStale, verdict.possiblyStale];
  const pages = sets.map((runs) => [...eachPage(runs)]);
  const told = new Set(pages.flat());
  return {
    migration,
    limits: limits.map(({ code }) => code),
    verdict,
    /** Of each rung: pages, and those of them that differ. */
    rungs: pages.map((set) => [set.length, set.filter((gfn) => differ.has(gfn)).length]),
    differ: differ.size,
    missed: [...differ].filter((gfn) => !told.has(gfn)),
  };
}

const BOTH = ["trace.txt.xz", "src.log.xz", "dst.log.xz"];
const SOURCE = BOTH.slice(0, 2);

/** Recording, policy, and of stale, likely and possibly: pages, and how many of them differ. */
const RECORDINGS: [name: string, policy: string, files: string[], rungs: number[][]][] = [
  [
    "autoconverge",
    "linux-6.1",
    BOTH,
    [
      [502, 495],
      [0, 0],
      [15, 8],
    ],
  ],
  [
    "hotplug",
    "linux-6.1",
    BOTH,
    [
      [515, 500],
      [0, 0],
      [15, 6],
    ],
  ],
  [
    "mapped-ram",
    "linux-6.1",
    BOTH,
    [
      // Loaded from a file, no page arrives by itself: zeros are unseen.
      [0, 0],
      [957, 935],
      [4, 3],
    ],
  ],
  [
    "qemu-11.1",
    "linux-6.1",
    BOTH,
    [
      [392, 380],
      [0, 0],
      [6, 3],
    ],
  ],
  [
    "postcopy",
    "linux-7.3",
    BOTH,
    [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  ],
  [
    "slow-disk",
    "linux-6.1",
    BOTH,
    [
      [2, 2],
      [88, 0],
      [2, 0],
    ],
  ],
  [
    "multifd",
    "linux-6.1",
    BOTH,
    [
      [0, 0],
      [314, 293],
      [74, 27],
    ],
  ],
  [
    "multifd",
    "linux-6.1",
    SOURCE,
    [
      [0, 0],
      [314, 293],
      [74, 27],
    ],
  ],
  [
    "multifd-legacy",
    "linux-6.1",
    BOTH,
    [
      [0, 0],
      [1033, 1007],
      [92, 46],
    ],
  ],
  [
    "multifd-legacy",
    "linux-6.1",
    SOURCE,
    [
      [0, 0],
      [947, 921],
      [359, 132],
    ],
  ],
];

describe.each(RECORDINGS)("%s, %s", (name, policy, files, rungs) => {
  test(`${files.length} files: no page that differs is missed`, async () => {
    const found = await verdictOf(name, policy, files);
    expect(found.migration.outcome).toBe("completed");
    expect(found.missed).toEqual([]);
    expect(found.rungs).toEqual(rungs);
    // Each page says why it is no surer.
    for (const { verdict, doubts } of found.verdict.pages) {
      expect(doubts.length === 0, JSON.stringify(doubts)).toBe(verdict === STALE_LADDER[0]);
    }
  });
});

test("a page that was sent while its request was in flight is likely stale, no more", async () => {
  const { verdict } = await verdictOf("slow-disk", "linux-6.1", BOTH);
  for (const page of verdict.pages) {
    if (page.verdict === "possibly-stale") continue;
    expect(page.poppedBeforeSend).toBe(page.verdict === "likely-stale");
    expect(page.doubts).toEqual(page.verdict === "stale" ? [] : ["popped-before-send"]);
  }
});

describe("multifd", () => {
  test("says where its send times come from, and that nothing is certain", async () => {
    const { migration, limits } = await verdictOf("multifd", "linux-6.1", SOURCE);
    expect(migration.sendTimes).toBe("packets");
    expect(limits).toContain("multifd-sends");
  });

  test("nothing is lost on a patched kernel", async () => {
    const { verdict } = await verdictOf("multifd", "linux-6.16", SOURCE);
    expect(verdict.worst).toBe(0);
  });
});
