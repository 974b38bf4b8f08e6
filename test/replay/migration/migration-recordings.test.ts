/**
 * Real live migrations of a guest on vhost-scsi (docs/qemu.md): the verdict
 * against the pages of both RAMs, and the forms of QEMU's events against each other.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import type { Source } from "../../../src/bytes/source.ts";
import type { NormalisedEvent } from "../../../src/model/event.ts";
import type { MigrationResult } from "../../../src/model/migration-result.ts";
import { dump, type Recording } from "../../../src/replay/replay.ts";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { memorySource, recordingOf, replayOne } from "../../support/memory-source.ts";
import { type Verdict, verdictOf } from "../../support/migration-guest.ts";

const SHARED = join(import.meta.dirname, "../../../../shared/recordings");
const FOLDER = join(SHARED, "migration");
const there = existsSync(FOLDER);

function bytesOf(...path: string[]): Buffer {
  const bytes = readFileSync(join(...path));
  return path.at(-1)!.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}

/** Pages by the file that says which of them differ between source and destination. */
function differing(run: string): number[] {
  return bytesOf(FOLDER, run, "differ.txt")
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Number(line.split(" ")[0]));
}

async function migrationOf(run: string, ...sources: Source[]): Promise<MigrationResult> {
  const recording: Recording = await recordingOf(...sources);
  const list = bytesOf(SHARED, "qemu/10.0-all-forms/trace-events-all.gz");
  const { migrations } = await replayOne(
    { ...recording, traceEvents: memorySource("trace-events-all", list) },
    {
      policies: ["linux-6.1", "linux-6.16"].map((name) => ({
        policy: findPolicy(name),
        alias: null,
      })),
      window: "auto",
      stalePages: true,
      ran: findPolicy(`linux-${run}`),
    },
  );
  expect(migrations).toHaveLength(1);
  return migrations[0]!;
}

const file = (run: string, name: string): Source => memorySource(name, bytesOf(FOLDER, run, name));

/** The kernel's probes alone: as recorded where QEMU has no ftrace backend. */
async function probesOf(run: string): Promise<Source> {
  const lines: string[] = [];
  await dump(await recordingOf(file(run, "trace.dat")), (event: NormalisedEvent) => {
    if (event.event !== "qemu") lines.push(`${JSON.stringify(event)}\n`);
  });
  return memorySource("probes.ndjson", lines.join(""));
}

const without = (all: readonly number[], some: readonly number[]): number[] => {
  const set = new Set(some);
  return all.filter((page) => !set.has(page));
};

describe.skipIf(!there)("6.1, unpatched", () => {
  let migration: MigrationResult;
  let unpatched: Verdict;
  const differ = there ? differing("6.1") : [];

  beforeAll(async () => {
    migration = await migrationOf("6.1", file("6.1", "trace.dat"));
    unpatched = verdictOf(migration, "linux-6.1");
  }, 120_000);

  test("the time line is that of the run", () => {
    expect(migration).toMatchObject({
      from: "qemu",
      outcome: "completed",
      syncs: 86,
      sends: { data: 4843 },
      sendTimes: "source",
    });
    expect(migration.states.map(({ state }) => state)).toEqual(
      expect.arrayContaining(["active", "completed"]),
    );
  });

  test("every page that differs is likely stale or possibly", () => {
    expect(differ).toHaveLength(1899);
    // 50 pages were sent again as zeros, which the source does not show.
    expect(unpatched.stale).toEqual([]);
    expect(without(differ, [...unpatched.likely, ...unpatched.possible])).toEqual([]);
    expect([unpatched.likely.length, unpatched.possible.length]).toEqual([1929, 12]);
    expect(without(unpatched.likely, without(unpatched.likely, differ))).toHaveLength(1893);
    expect(without(unpatched.possible, without(unpatched.possible, differ))).toHaveLength(6);
  });

  test("likely stale pages that do not differ were written again with the same content", () => {
    const source = bytesOf(FOLDER, "6.1", "ram-src.bin.gz");
    const destination = bytesOf(FOLDER, "6.1", "ram-dst.bin.gz");
    const page = (ram: Buffer, gfn: number): Buffer => ram.subarray(gfn << 12, (gfn + 1) << 12);
    const truth: number[] = [];
    for (let gfn = 0; gfn << 12 < source.length; gfn++) {
      if (!page(source, gfn).equals(page(destination, gfn))) truth.push(gfn);
    }
    expect(truth).toEqual(differ);
    const equal = without(unpatched.likely, differ);
    // Of 1929 pages 36 hold the same bytes on both sides: 26 of data, 10 of responses.
    expect(equal).toHaveLength(36);
    for (const gfn of equal) expect(page(source, gfn)).toEqual(page(destination, gfn));
    expect(equal.filter((gfn) => gfn >= 0x400 && gfn <= 0x4ff)).toHaveLength(10);
    expect(equal.filter((gfn) => gfn >= 0x800 && gfn <= 0x13ff)).toHaveLength(26);
  });

  test("under the patched kernel none is", () => {
    expect(verdictOf(migration, "linux-6.16")).toMatchObject({ stale: [], possible: [] });
  });

  test("every likely stale page was written by a request that completed after the page's last send", () => {
    const pages = unpatched.verdict.pages;
    expect(pages).toHaveLength(1941);
    for (const page of pages.filter(({ verdict }) => verdict === "likely-stale")) {
      expect(page.sentNs === null || BigInt(page.sentNs) <= BigInt(page.write.ns)).toBe(true);
      expect(page.doubts).toEqual(["zeros-unseen"]);
    }
  });

  test("with the destination: zeros are counted, and what was likely is certain", async () => {
    const both = await migrationOf(
      "6.1",
      file("6.1", "trace.dat"),
      file("6.1", "dst.simpletrace.gz"),
    );
    expect(both.sendTimes).toBe("source-and-destination");
    expect(both.sends).toMatchObject({ data: 4843, zero: 4783 });
    const verdict = verdictOf(both, "linux-6.1");
    expect([verdict.stale, verdict.likely]).toEqual([unpatched.likely, []]);
    expect(verdict.possible).toEqual(unpatched.possible);
  }, 120_000);
});

describe.skipIf(!there)("6.16, patched", () => {
  test("nothing differs, and nothing is stale", async () => {
    expect(differing("6.16")).toEqual([]);
    const migration = await migrationOf("6.16", file("6.16", "trace.dat"));
    expect(migration).toMatchObject({ outcome: "completed", syncs: 77, sends: { data: 50064 } });
    expect(verdictOf(migration, "linux-6.16")).toMatchObject({ stale: [], possible: [] });
    // What the unpatched kernel would have done: nothing is certain, for the sends are another log's.
    const other = verdictOf(migration, "linux-6.1");
    expect(other.verdict.whatIf).toBe(true);
    expect([other.stale.length, other.possible.length]).toEqual([0, 3328]);
  }, 120_000);
});

describe.skipIf(!there).each(["6.1", "6.16"])("forms of %s", (run) => {
  test("ftrace; probes and simpletrace; probes, simpletrace and destination", async () => {
    const whole = await migrationOf(run, file(run, "trace.dat"));
    const probes = await probesOf(run);
    const simple = file(run, "src.simpletrace.gz");
    const apart = await migrationOf(run, probes, simple);
    const all = await migrationOf(run, probes, simple, file(run, "dst.simpletrace.gz"));
    for (const other of [apart, all]) {
      expect(other.outcome).toBe("completed");
      expect(other.syncs).toBe(whole.syncs);
      expect(other.sends.data).toBe(whole.sends.data);
      for (const policy of ["linux-6.1", "linux-6.16"]) {
        const expected = verdictOf(whole, policy);
        const verdict = verdictOf(other, policy);
        expect([...verdict.stale, ...verdict.likely]).toEqual(expected.likely);
        expect(verdict.possible).toEqual(expected.possible);
      }
    }
  }, 240_000);
});
