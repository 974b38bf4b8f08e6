/** Memory images against the stale verdict: sets, statuses, text, JSON and its schema. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { imageVerdict, imageVerdictStatus } from "../../src/answers/image-verdict.ts";
import type { ReplayApi } from "../../src/commands/shared/replay-api.ts";
import { verifyImages } from "../../src/commands/verify-images.ts";
import { PageRuns } from "../../src/model/page-runs.ts";
import { RecordingError, UsageError } from "../../src/model/place.ts";
import { fileSource, nodeSurroundings } from "../../src/node/index.ts";
import { makeElfDump, pagesOf } from "../support/make-elf-dump.ts";
import { makeMappedRam } from "../support/make-mapped-ram.ts";
import { fakeApi, fakeIo, migrationOf, resultOf } from "../support/report-fixture.ts";
import { errorsOf } from "../support/schemas.ts";

const set = (...pages: number[]) => PageRuns.from(pages.map((gfn) => ({ gfn, pages: 1 })));
const range = (gfn: number, pages: number) => PageRuns.from([{ gfn, pages }]);
const none = new PageRuns();
const comparisonOf = (compared: PageRuns, differing: PageRuns) => ({
  ...{ compared, differing, onlyInFirst: none, onlyInSecond: none, holes: none },
});

describe("sets", () => {
  const comparison = comparisonOf(range(0, 10), set(1, 2, 3, 4));

  test("each page is counted in one class", () => {
    const verdict = imageVerdict(comparison, {
      stale: set(1, 5, 20),
      possiblyStale: set(2),
      healed: set(3, 6),
      clean: set(7),
    });
    expect(verdict.classes).toEqual([
      { class: "stale", pages: 3, differing: 1, equal: 1, uncompared: 1 },
      { class: "likely-stale", pages: 0, differing: 0, equal: 0, uncompared: 0 },
      { class: "possibly-stale", pages: 1, differing: 1, equal: 0, uncompared: 0 },
      { class: "healed", pages: 2, differing: 1, equal: 1, uncompared: 0 },
      { class: "clean", pages: 1, differing: 0, equal: 1, uncompared: 0 },
      { class: "not-written", pages: null, differing: 1, equal: 3, uncompared: null },
    ]);
    expect([...verdict.unexplained]).toEqual([{ gfn: 3, pages: 2 }]);
    expect([...verdict.staleEqual]).toEqual([{ gfn: 5, pages: 1 }]);
    expect(verdict.answer).toBe("unexplained");
  });

  test("the status: some policy explains all, none does, nothing compared", () => {
    const all = imageVerdict(comparison, { stale: set(1, 2, 3), possiblyStale: set(4) });
    const some = imageVerdict(comparison, { stale: set(1, 2, 3), possiblyStale: none });
    const nothing = imageVerdict(comparisonOf(none, none), { stale: set(1), possiblyStale: none });
    expect(all.answer).toBe("explained");
    expect(imageVerdictStatus([some, all])).toBe(0);
    expect(imageVerdictStatus([some])).toBe(1);
    expect(imageVerdictStatus([nothing])).toBe(3);
    const equal = imageVerdict(comparisonOf(range(0, 4), none), {
      stale: none,
      possiblyStale: none,
    });
    expect(imageVerdictStatus([equal])).toBe(0);
  });

  test("a page that differs for a reason of its own leaves nothing unexplained", () => {
    const verdict = imageVerdict(
      comparison,
      { stale: set(1, 2, 3), possiblyStale: none },
      null,
      set(4),
    );
    expect([verdict.answer, verdict.unexplained.pages]).toEqual(["explained", 0]);
  });

  test("sent pages", () => {
    const sent = { data: set(1, 2), zero: set(5), unmapped: [] };
    const verdict = imageVerdict(comparison, { stale: set(1, 5, 9), possiblyStale: none }, sent);
    expect(verdict.staleSent).toEqual({ data: 1, zero: 1, neither: 1 });
  });

  test("compared pages and differing pages add up over the classes, whatever the verdict", () => {
    const pages = fc.uniqueArray(fc.nat(40), { maxLength: 20 });
    fc.assert(
      fc.property(
        pages,
        pages,
        fc.array(fc.nat(4), { minLength: 41, maxLength: 41 }),
        (a, b, of) => {
          const comparison = comparisonOf(set(...a, ...b), set(...b));
          const classOf = (n: number) =>
            set(...of.flatMap((value, gfn) => (value === n ? [gfn] : [])));
          const { classes, unexplained } = imageVerdict(comparison, {
            ...{
              stale: classOf(0),
              possiblyStale: classOf(1),
              healed: classOf(2),
              clean: classOf(3),
            },
          });
          const sum = (pick: (one: (typeof classes)[number]) => number) =>
            classes.reduce((total, one) => total + pick(one), 0);
          expect(sum((one) => one.differing)).toBe(new Set(b).size);
          expect(sum((one) => one.differing + one.equal)).toBe(new Set([...a, ...b]).size);
          expect(unexplained.pages).toBe(b.filter((gfn) => of[gfn]! > 1).length);
        },
      ),
    );
  });
});

/** A library that reads files, and whose replay finds one migration with these verdicts. */
function apiOf(verdicts: { policy: string; stale: PageRuns; possiblyStale: PageRuns }[]) {
  return {
    ...fakeApi(resultOf({ migrations: [migrationOf(verdicts)] })),
    openSources: (names: readonly string[]) => names.map(fileSource),
    surroundings: nodeSurroundings,
  };
}

describe("verify --source-dump A --destination-dump B", () => {
  let folder = "";
  const path = (name: string) => join(folder, name);
  /** A library whose replay finds a migration with this verdict. */
  const verdict = (stale: PageRuns, possiblyStale = none) =>
    apiOf([{ policy: "linux-6.1", stale, possiblyStale }]);
  const args = () => ({
    ...{ recordings: [import.meta.filename], policy: ["unpatched"] },
    ...{ sourceDump: path("a.elf"), destinationDump: path("b.raw") },
  });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "vhost-replay-"));
    const source = pagesOf(1, 2, 3, 4, 5, 6);
    await writeFile(path("a.elf"), makeElfDump([{ paddr: 0x1000, bytes: source }]));
    await writeFile(path("b.raw"), pagesOf(1, 9, 9, 4, 5));
    await writeFile(
      path("sent"),
      makeMappedRam([
        { name: "ram", pages: [null, pagesOf(1), pagesOf(9), pagesOf(9), null, pagesOf(5)] },
      ]),
    );
    await writeFile(
      path("mtree.txt"),
      'FlatView #0\n AS "memory", root: system\n Root memory region: system\n  0000000000000000-0000000000005fff (prio 0, ram): ram\n\n',
    );
    await writeFile(path("owners.csv"), 'gfn,owner,kind\n2-3,"systemd, pid 1",swap cache\n');
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("every differing page is stale: 0, and the table says so", async () => {
    const io = fakeIo();
    const base = { ...args(), dumpBase: "0x1000", owners: path("owners.csv") };
    expect(await verifyImages(verdict(set(2, 4, 5), set(3)), io, base)).toBe(0);
    expect(io.stdout.split("\n")[0]).toBe(
      "2 of 5 pages differ; linux-6.1 (unpatched) explains all: 1 stale, 0 likely, 1",
    );
    expect(io.stdout).toContain("  stale               3       1      2            0\n");
    expect(io.stdout).toContain("  possibly stale      1       1      0            0\n");
    expect(io.stdout).toContain("stale, yet equal");
    expect(io.stdout).toContain("1 page only in the source: not compared");
    expect(io.stdout.split("\n").every((line) => line.length <= 80 || line.includes(folder))).toBe(
      true,
    );
  });

  test("a differing page that is not: 1, named with its owner", async () => {
    const io = fakeIo();
    const base = { ...args(), dumpBase: "0x1000", owners: path("owners.csv") };
    expect(await verifyImages(verdict(set(2)), io, base)).toBe(1);
    expect(io.stdout).toContain("neither stale nor possibly stale: 0x3000-0x3fff\n");
    expect(io.stdout).toContain("1  swap cache page of systemd, pid 1\n");
  });

  test("no page in common: 3", async () => {
    const io = fakeIo();
    const base = { ...args(), dumpBase: "4G" };
    expect(await verifyImages(verdict(set(2)), io, base)).toBe(3);
    expect(io.stdout).toMatch(/^Nothing compared: the two images have no page in common\./);
  });

  test("--json is what its schema says", async () => {
    for (const more of [
      { dumpBase: "0x1000" },
      { mtree: [path("mtree.txt")], sentPages: path("sent"), owners: path("owners.csv") },
    ]) {
      const io = fakeIo();
      await verifyImages(verdict(set(2, 4), set(3)), io, { ...args(), ...more, json: true });
      const document = JSON.parse(io.stdout);
      expect(errorsOf("verify-images", document)).toEqual([]);
      expect(errorsOf("verify-images", { ...document, more: 1 })).not.toEqual([]);
      expect(document.answer).toBe("dumpBase" in more ? "explained" : "unexplained");
      if (!("sentPages" in more)) continue;
      expect(document.policies[0].staleSent).toEqual({ data: 1, zero: 1, neither: 0 });
      expect(document.differing.owners).toEqual({
        owned: [{ owner: "systemd, pid 1", kind: "swap cache", pages: 2 }],
        ...{ moreOwners: 0, unknown: 2 },
      });
    }
  });

  test("a mapped-ram file is an image as well", async () => {
    const io = fakeIo();
    const files = {
      ...args(),
      destinationDump: path("sent"),
      mtree: [path("mtree.txt")],
    };
    // 1 equal, 2 and 3 overwritten, 4 sent as zero page, 5 equal.
    expect(await verifyImages(verdict(set(2, 3, 4)), io, files)).toBe(0);
    expect(io.stdout).toMatch(/^3 of 5 pages differ; /);
  });

  test("what is missing is told before the replay", async () => {
    const io = fakeIo();
    let replayed = false;
    const never: ReplayApi = {
      ...verdict(none),
      replay: async () => {
        replayed = true;
        return resultOf();
      },
    };
    const sent = { ...args(), sentPages: path("sent") };
    await expect(verifyImages(never, io, sent)).rejects.toThrow(UsageError);
    const odd = { ...args(), dumpBase: "0x1001" };
    await expect(verifyImages(never, io, odd)).rejects.toThrow("--dump-base: expected");
    const absent = { ...args(), destinationDump: path("no") };
    await expect(verifyImages(never, io, absent)).rejects.toThrow(RecordingError);
    const foreign = { ...args(), destinationDump: path("owners.csv") };
    await expect(verifyImages(never, io, foreign)).rejects.toThrow("expected guest memory");
    expect(replayed).toBe(false);
  });
});

test("a real migration: its differing pages as the verdict", async () => {
  const root = join(import.meta.dirname, "../..");
  const images = join(root, "test/fixtures/migration");
  const differ = join(root, "traces/migration/6.1/differ.txt");
  const listed = (await readFile(differ, "utf8")).match(/^0x\w+/gm)!.map(Number);
  const io = fakeIo();
  const args = {
    ...{ recordings: [import.meta.filename], policy: ["linux-6.1", "linux-6.16"] },
    sourceDump: join(images, "6.1-ram-src.bin.gz"),
    destinationDump: join(images, "6.1-ram-dst.bin.gz"),
    json: true,
  };
  const api = apiOf([
    { policy: "linux-6.1", stale: set(...listed), possiblyStale: none },
    { policy: "linux-6.16", stale: set(...listed.slice(1)), possiblyStale: none },
  ]);
  const status = await verifyImages(api, io, args);
  expect(status).toBe(0);
  const document = JSON.parse(io.stdout);
  expect(document.compared).toBe(8192);
  expect(document.differing.pages).toBe(1899);
  expect(document.policies.map((one: { answer: string }) => one.answer)).toEqual([
    "explained",
    "unexplained",
  ]);
  expect(document.policies[1].unexplained.runs).toEqual([
    { gfn: "0x400", gpa: "0x400000", pages: 1 },
  ]);
  expect(io.stderr).toContain("is compressed: it is copied to a temporary file");
});
