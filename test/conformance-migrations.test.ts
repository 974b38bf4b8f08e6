/** The table of migrations that `npm run conformance` prints. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkMigration, isMigration, migrationLine } from "../src/conformance-migrations.ts";
import { loadCore } from "../src/node/index.ts";
import { findPolicy } from "../src/vhost/policy.ts";

const TRACES = join(import.meta.dirname, "../traces");
const at = (name: string): string => join(TRACES, "migration", name);

test("a migration is a folder with the pages that differed", () => {
  expect(isMigration(at("multifd-legacy"))).toBe(true);
  expect(isMigration(at("qemu-xbzrle"))).toBe(false);
});

test("whole and without the destination; what no device wrote is no page that was missed", async () => {
  const [both, alone] = await checkMigration(at("slow-disk"), findPolicy("linux-6.1"), loadCore());
  expect([both!.files, alone!.files]).toEqual(["trace+src+dst", "trace+src"]);
  expect(both!.rungs).toEqual([
    { pages: 2, differ: 2 },
    { pages: 88, differ: 0 },
    { pages: 2, differ: 0 },
  ]);
  // KVM's wall clock.
  expect([both!.others, both!.missed]).toEqual([[0x4200], []]);
  expect(migrationLine("slow-disk", both!)).toContain("1 that no device wrote: 0x4200");
});

test("a policy that logs what the kernel did not misses pages, and the line says so", async () => {
  const [both] = await checkMigration(at("qemu-11.1"), findPolicy("linux-6.16"), loadCore());
  expect(both!.missed.length).toBeGreaterThan(300);
  expect(migrationLine("q", both!)).toContain(`MISSED ${both!.missed.length}`);
});

test("the story: 8873 pages differ of those that devices wrote, and exactly these are stale", async () => {
  const folder = join(TRACES, "story/6.1-crash");
  const [both, alone] = await checkMigration(folder, findPolicy("linux-6.1.176"), loadCore());
  expect([both!.differ, both!.others, both!.missed]).toEqual([8874, [0x4200], []]);
  expect(both!.rungs).toEqual([
    { pages: 8873, differ: 8873 },
    { pages: 0, differ: 0 },
    { pages: 0, differ: 0 },
  ]);
  // Four were sent again as zeros, which only the destination shows.
  expect(alone!.rungs).toEqual([
    { pages: 0, differ: 0 },
    { pages: 8874, differ: 8870 },
    { pages: 4, differ: 3 },
  ]);
  expect(alone!.missed).toEqual([]);
});
