/** Every recording of a user-space back end in traces/: the predicted log equals its own. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { comparedImage } from "../../src/answers/compared-image.ts";
import { fileSource } from "../../src/node/file-source.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { replayAll } from "../support/memory-source.ts";

const ROOT = join(import.meta.dirname, "../..", "traces", "vhost-user");
const FORMS = ["trace.ndjson.gz", "uprobe.txt.gz", "trace.txt.gz"];

/** The row of the back end that made a recording, and the driver that must be found. */
const MADE_BY: readonly [RegExp, string, string][] = [
  [/^(uprobe-|record-)?libvhost-user-blk/, "libvhost-user", "vhost-user-blk"],
  [/^dpdk-net/, "dpdk-net", "vhost-user-net"],
  [/^spdk-blk-packed/, "spdk-packed", "vhost-user-blk"],
  [/^(uprobe-)?spdk-blk/, "spdk-split", "vhost-user-blk"],
  [/^spdk-scsi/, "spdk-split", "vhost-user-scsi"],
];

/** Syncs that no recording of this kind can tell, see traces/README.md. */
const INEXACT: Readonly<Record<string, number[]>> = {
  // The log is shorter than the memory, which only its message would say.
  "spdk-scsi/15-short-log": [1, 2],
  "dpdk-net/07-short-log": [2, 3],
  // The front end sees completions later than the back end logs them.
  "dpdk-net/09-live": [11, 12, 17, 18],
  // No message is recorded: whether the log was handed over is not known.
  "uprobe-libvhost-user-blk/09-switches": [0],
};

interface Case {
  name: string;
  folder: string;
  form: string;
  policy: string;
  driver: string;
}

function cases(): Case[] {
  return readdirSync(ROOT).flatMap((group) =>
    readdirSync(join(ROOT, group)).flatMap((scenario) => {
      const folder = join(ROOT, group, scenario);
      if (!existsSync(join(folder, "syncs"))) return [];
      const [, policy, driver] = MADE_BY.find(([pattern]) => pattern.test(group))!;
      const forms = FORMS.filter((form) => existsSync(join(folder, form)));
      const name = `${group}/${scenario}`;
      return forms.map((form) => ({ name, folder, form, policy, driver }));
    }),
  );
}

const CASES = cases();

test("there are recordings of each back end, made by a front end and by uprobes", () => {
  expect(new Set(CASES.map(({ policy }) => policy)).size).toBe(4);
  for (const form of FORMS) expect(CASES.some((entry) => entry.form === form)).toBe(true);
});

/** Syncs that are compared, and those that differ; the log ends at `logPages` where it is told. */
async function compared(entry: Case, logPages?: number) {
  const differing: number[] = [];
  let syncs = 0;
  const result = await replayAll([fileSource(join(entry.folder, entry.form))], {
    policies: [{ policy: findPolicy(entry.policy), alias: null }],
    ...(logPages === undefined ? {} : { logPages }),
    onSync: (view) => {
      if (!view.mark) return;
      const file = `${String(view.mark.number).padStart(3, "0")}.bin`;
      const observed = readFileSync(join(entry.folder, "syncs", file));
      syncs++;
      const predicted = comparedImage(view, 0, observed.length);
      const whole = Buffer.concat([observed, Buffer.alloc(predicted.length - observed.length)]);
      if (Buffer.compare(predicted, whole) !== 0) differing.push(view.mark.number);
    },
  });
  return { differing, syncs, result };
}

describe.each(CASES)("$name", (entry) => {
  test(`equals the back end's own log under ${entry.policy}`, async () => {
    const { differing, syncs, result } = await compared(entry);
    expect(syncs).toBeGreaterThan(0);
    expect(differing).toEqual(INEXACT[entry.name] ?? []);
    expect(result.devices.map(({ driver }) => driver)).toEqual([entry.driver]);
  });
});

test.each(CASES.filter(({ name }) => name.includes("short-log")))(
  "$name is equal at every sync once the end of the log is told",
  async (entry) => {
    expect((await compared(entry, 0x400)).differing).toEqual([]);
  },
);

test("a live migration with SPDK's packed ring: every page of the disk and of the ring that differs is foretold", async () => {
  const folder = join(ROOT, "uprobe-spdk-blk-packed-migration", "direct-reads");
  const result = await replayAll([fileSource(join(folder, "trace.ndjson.gz"))], {
    policies: ["spdk-packed", "spdk-split"].map((name) => ({
      ...{ policy: findPolicy(name), alias: null },
    })),
  });
  const verdicts = result.migrations
    .at(-1)!
    .verdicts.map(
      ({ stale, possiblyStale }) =>
        new Set(
          [...stale, ...possiblyStale].flatMap(({ gfn, pages }) =>
            Array.from({ length: pages }, (_, i) => gfn + i),
          ),
        ),
    );
  const [packed, split] = verdicts;
  // d: a write descriptor named the page, r: the descriptor ring, -: neither, so the guest's CPU.
  const differ = readFileSync(join(folder, "differ.txt"), "utf8")
    .split("\n")
    .filter((line) => /^[0-9a-f]+ [dr-]$/.test(line))
    .map((line) => ({ gfn: Number.parseInt(line, 16), who: line.slice(-1) }));
  expect(differ).toHaveLength(205);
  for (const { gfn, who } of differ) expect([gfn, packed!.has(gfn)]).toEqual([gfn, who !== "-"]);
  // Had SPDK logged as it does on a split ring: only the ring, which QEMU's log address misses.
  expect([...split!]).toEqual([0x2b4d]);
});
