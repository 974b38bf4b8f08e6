/**
 * The real migrations in traces/migration: both memories were compared page by page after each
 * (`differ.txt`), and what the replay says must explain every page that differs.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ClockPair } from "../../../src/join/clock-pair.ts";
import type { MigrationResult, MigrationVerdict } from "../../../src/model/migration-result.ts";
import { eachPage } from "../../../src/model/page-runs.ts";
import { fileSource } from "../../../src/node/file-source.ts";
import { dump } from "../../../src/replay/replay.ts";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { recordingOf, replayAll } from "../../support/memory-source.ts";

const ROOT = join(import.meta.dirname, "../../..", "traces", "migration");

/** Pages whose content differs between source and destination. */
function differing(run: string): Set<number> {
  const lines = readFileSync(join(ROOT, run, "differ.txt"), "utf8").split("\n");
  return new Set(lines.filter((line) => line !== "").map((line) => Number(line.split(" ")[0])));
}

function clockPairs(run: string): ClockPair[] {
  const text = readFileSync(join(ROOT, run, "clock.txt"), "utf8");
  return [...text.matchAll(/realtime=(\d+)\.(\d+) monotonic=(\d+)\.(\d+) spread_ns=(\d+)/g)].map(
    ([, r, rn, m, mn, spread]) => ({
      realtime: BigInt(`${r}${rn}`),
      monotonic: BigInt(`${m}${mn}`),
      spread: BigInt(spread!),
    }),
  );
}

async function migrationOf(
  run: string,
  files: string[],
  more: { clockPairs?: ClockPair[] } = {},
): Promise<MigrationResult> {
  const policies = ["linux-6.1", "linux-6.16"].map((name) => ({
    policy: findPolicy(name),
    alias: null,
  }));
  const sources = files.map((file) => fileSource(join(ROOT, run, file)));
  const result = await replayAll(sources, { policies, stalePages: true }, more);
  expect(result.migrations).toHaveLength(1);
  return result.migrations[0]!;
}

function pagesOf({ stale, likelyStale, possiblyStale }: MigrationVerdict) {
  const set = (runs: MigrationVerdict["stale"]): Set<number> => new Set(eachPage(runs));
  return { stale: set(stale), likely: set(likelyStale), possible: set(possiblyStale) };
}

describe("6.1, unpatched: 1899 pages differ", () => {
  const differ = differing("6.1");

  test.each([
    ["the source alone", ["trace.txt.gz"]],
    ["source and destination", ["trace.txt.gz", "dst.simpletrace.gz"]],
  ])("%s: every page that differs is stale or may be", async (_, files) => {
    const migration = await migrationOf("6.1", files);
    expect(migration.outcome).toBe("completed");
    const [unpatched, patched] = migration.verdicts;
    const { stale, likely, possible } = pagesOf(unpatched!);
    expect(differ.size).toBe(1899);
    const told = new Set([...stale, ...likely, ...possible]);
    expect([...differ].filter((gfn) => !told.has(gfn))).toEqual([]);
    // Notes of the experiment: 1929 predicted, 12 within QEMU's iovec. 50 pages were sent again as zeros,
    // which the source alone does not show.
    const alone = files.length === 1;
    const [sure, unsure] = alone ? [0, 1929] : [1929, 0];
    expect([stale.size, likely.size, possible.size]).toEqual([sure, unsure, 12]);
    expect(new Set(unpatched!.pages.flatMap(({ doubts }) => doubts))).toEqual(
      new Set(alone ? ["zeros-unseen", "in-flight"] : ["in-flight"]),
    );
    expect(patched!.worst).toBe(0);
    expect(unpatched!.whatIf).toBe(false);
  });

  test("the destination adds the pages of zeros that QMP counted", async () => {
    const migration = await migrationOf("6.1", ["trace.txt.gz", "dst.simpletrace.gz"]);
    // query-migrate of that run: normal 4843, duplicate 4783.
    expect(migration.sends).toMatchObject({ data: 4843, zero: 4783 });
  });
});

describe("pages sent again as zeros", () => {
  /** How many of them the destination received. */
  async function received(run: string, file: string): Promise<number> {
    const seen = new Set<string>();
    let again = 0;
    await dump(await recordingOf(fileSource(join(ROOT, run, file))), (event) => {
      if (event.event !== "qemu" || event.name !== "ram_load_loop") return;
      const { rbname, addr, flags } = event.args;
      const page = `${rbname} ${addr}`;
      if (Number(flags) & 2 && seen.has(page)) again++;
      seen.add(page);
    });
    return again;
  }

  test.each([
    ["6.1", ["trace.txt.gz"], "dst.simpletrace.gz", 50],
    ["6.1-inflight", ["trace.txt.gz", "src.log.gz"], "dst.log.gz", 8],
    ["6.16-inflight", ["trace.txt.gz", "src.log.gz"], "dst.log.gz", 8],
  ])("%s: at most as many as the destination shows", async (run, files, destination, truth) => {
    const pairs = files.length > 1 ? { clockPairs: clockPairs(run) } : {};
    const alone = await migrationOf(run, files, pairs);
    expect(await received(run, destination)).toBe(truth);
    expect(alone).toMatchObject({ sendTimes: "source", zeroResendsAtMost: truth });
    const both = await migrationOf(run, [...files, destination], pairs);
    expect(both).toMatchObject({ sendTimes: "source-and-destination", zeroResendsAtMost: 0 });
  });
});

describe("6.16, patched, requests in flight when logging began: 68 pages differ", () => {
  const differ = differing("6.16-inflight");

  test("the log of QEMU, on the kernel's clock by the pairs that were read", async () => {
    const migration = await migrationOf(
      "6.16-inflight",
      ["trace.txt.gz", "src.log.gz", "dst.log.gz"],
      { clockPairs: clockPairs("6.16-inflight") },
    );
    const [, patched] = migration.verdicts;
    const { stale, likely, possible } = pagesOf(patched!);
    expect(differ.size).toBe(68);
    expect([...differ].filter((gfn) => !likely.has(gfn) && !possible.has(gfn))).toEqual([]);
    // All were sent between the pop and the completion: nothing is certain.
    expect(stale.size).toBe(0);
    // What is stale was popped before LOG_ALL: the entries were never captured.
    expect(new Set(patched!.pages.map(({ write }) => write.cause))).toEqual(new Set(["io-late"]));
    expect(patched!.pages.every(({ poppedBeforeSend }) => poppedBeforeSend)).toBe(true);
  });

  test("without a way from one clock to the other it is refused", async () => {
    await expect(migrationOf("6.16-inflight", ["trace.txt.gz", "src.log.gz"])).rejects.toThrow(
      /times that can be compared.*--clock-offset/,
    );
  });
});
