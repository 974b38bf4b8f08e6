/** What the map draws: red at the end is exactly what `stale` answers, under every policy. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { MachineHistory } from "../../src/history/index.ts";
import { makeHistory, readHistory } from "../../src/history/index.ts";
import { Lane, pageOfLane } from "../../src/history/lanes.ts";
import { pageStates } from "../../src/history/page-states.ts";
import type { Recording } from "../../src/join/recording.ts";
import type { PageRun } from "../../src/model/result.ts";
import { fileSource } from "../../src/node/file-source.ts";
import { findPolicy, POLICIES, refusal } from "../../src/vhost/policy.ts";
import { recordingOf } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const TOOL = { name: "vhost-replay", version: "0.0.0" };
/** As many as one pass of two windows takes. */
const HALVES = [POLICIES.slice(0, 12), POLICIES.slice(12)].map((half) =>
  half.filter((policy) => refusal(policy) === null),
);

const MIGRATIONS: [string, string[]][] = [
  ["6.1", ["trace.txt.gz", "dst.simpletrace.gz"]],
  ["6.1", ["trace.txt.gz"]],
  ["6.1-inflight", ["trace.txt.gz", "src.log.gz", "dst.log.gz"]],
  ["6.16-inflight", ["trace.txt.gz", "src.log.gz", "dst.log.gz"]],
  ["6.16-inflight", ["trace.txt.gz", "src.log.gz"]],
];

async function recording(folder: string, files: string[]): Promise<Recording> {
  const own = await recordingOf(...files.map((file) => fileSource(join(TRACES, folder, file))));
  if (files.length < 2 || files[1]!.includes("simpletrace")) return own;
  const text = readFileSync(join(TRACES, folder, "clock.txt"), "utf8");
  const ns = (seconds: string) => BigInt(seconds.replace(".", "").padEnd(19, "0").slice(0, 19));
  const pairs = [...text.matchAll(/realtime=(\d+\.\d+)\s.*?monotonic=(\d+)\.(\d+)/g)].map((m) => ({
    realtime: ns(m[1]!),
    monotonic: BigInt(m[2]!) * 1_000_000_000n + BigInt(m[3]!.padEnd(9, "0")),
    spread: 0n,
  }));
  return { ...own, clockPairs: pairs };
}

/** Pages whose last state is one of these, ascending. */
function finalPages(
  machine: MachineHistory,
  originNs: string,
  policy: number,
  settle: boolean,
  ...wanted: Lane[]
) {
  const states = pageStates(machine, originNs, policy, settle);
  const found: number[] = [];
  for (let lane = 0; lane + 1 < states.first.length; lane++) {
    const end = states.first[lane + 1]!;
    if (end > states.first[lane]! && wanted.includes(states.state[end - 1]!)) {
      found.push(pageOfLane(states, lane));
    }
  }
  return found;
}

const pagesOf = (runs: PageRun[]) =>
  runs.flatMap(({ gfn, pages }) => Array.from({ length: pages }, (_, i) => gfn + i));

describe.each(MIGRATIONS)("migration %s, %j", (folder, files) => {
  test.each(HALVES.map((policies, half) => ({ half, policies })))(
    "red is the stale set under every policy, half $half",
    async ({ policies }) => {
      const chosen = policies.map((policy) => ({ policy, alias: null }));
      const made = await makeHistory(
        await recording(`migration/${folder}`, files),
        { policies: chosen, window: "auto" },
        "events",
        TOOL,
      );
      const history = readHistory("h", made.bytes);
      const machine = history.machines[0]!;
      const migration = made.result.machines[0]!.migrations.at(-1)!;
      for (const [i, { name }] of machine.policies.entries()) {
        const verdict = migration.verdicts.find(({ policy }) => policy === name)!;
        const pages = (settle: boolean, ...wanted: Lane[]) =>
          finalPages(machine, history.originNs, i, settle, ...wanted);
        expect(pages(true, Lane.Stale), name).toEqual(pagesOf(verdict.stale));
        expect(pages(true, Lane.Likely), name).toEqual(pagesOf(verdict.likelyStale));
        expect(pages(true, Lane.Possible), name).toEqual(pagesOf(verdict.possiblyStale));
        expect(pages(true, Lane.Unsent), name).toEqual([]);
        // The states lead there by themselves: the verdict at the end is no repair.
        const sure = migration.sendTimes !== "none" && !verdict.whatIf;
        if (!sure) continue;
        expect(pages(false, Lane.Stale), name).toEqual(pagesOf(verdict.stale));
        expect(pages(false, Lane.Likely), name).toEqual(pagesOf(verdict.likelyStale));
        expect(pages(false, Lane.Possible, Lane.Unsent), name).toEqual(
          pagesOf(verdict.possiblyStale),
        );
      }
    },
  );
});

test("every page that a kernel without gaps logged was blue for a while, and none anything else", async () => {
  const chosen = [{ policy: findPolicy("linux-6.16"), alias: null }];
  const options = { policies: chosen, window: "auto" } as const;
  const own = await recording("migration/6.1", ["trace.txt.gz", "dst.simpletrace.gz"]);
  const made = await makeHistory(own, options, "events", TOOL);
  const history = readHistory("h", made.bytes);
  const states = pageStates(history.machines[0]!, history.originNs, 0);
  const lanes = Array.from(
    states.first.subarray(0, -1),
    (from, lane) => new Set(states.state.subarray(from, states.first[lane + 1])),
  );
  const blue = lanes.filter((seen) => seen.has(Lane.Logged));
  expect(blue.length).toBe(made.result.machines[0]!.policies[0]!.logged);
  expect(
    blue.every((seen) => [...seen].every((state) => state === Lane.Logged || state === Lane.None)),
  ).toBe(true);
});

test("violet is what a report counts as logged and not written, and only where it is asked for", async () => {
  const chosen = [{ policy: findPolicy("qemu-device"), alias: null }];
  const own = await recording("", ["vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"]);
  const options = { policies: chosen, window: "auto" } as const;
  const made = await makeHistory(own, options, "rounds", TOOL);
  const history = readHistory("h", made.bytes);
  const violet = (over: boolean): number => {
    const states = pageStates(history.machines[0]!, history.originNs, 0, true, over);
    return states.state.filter((state) => state === Lane.OverLogged).length;
  };
  const extra = made.result.machines[0]!.rounds.reduce(
    (sum, { policies }) => sum + policies[0]!.extra!,
    0,
  );
  expect(violet(false)).toBe(0);
  expect([violet(true) > 0, extra > 0]).toEqual([true, true]);
  expect(violet(true)).toBeLessThanOrEqual(extra);
});

describe.each([
  "vhost-scsi/6.1.0-50-amd64/02-read-direct/trace.txt.gz",
  "vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz",
  "vhost-scsi/6.1.0-50-amd64/21-nolog/trace.txt.gz",
  "vhost-scsi-variants/6.1-long/trace.dat",
  "vhost-net/6.1.0-50-amd64/n04-mrg/trace.txt.gz",
])("without a migration that QEMU tells of, %s", (file) => {
  test.each(["events", "rounds"] as const)(
    "orange is what a report calls stale, %s",
    async (level) => {
      const chosen = HALVES[0]!.map((policy) => ({ policy, alias: null }));
      const made = await makeHistory(
        await recording("", [file]),
        { policies: chosen, window: "auto" },
        level,
        TOOL,
      );
      const history = readHistory("h", made.bytes);
      const machine = history.machines[0]!;
      for (const [i, { name, stillLost }] of made.result.machines[0]!.policies.entries()) {
        const found = finalPages(machine, history.originNs, i, true, Lane.Possible);
        expect(found.length, name).toBe(stillLost);
        expect(finalPages(machine, history.originNs, i, true, Lane.Stale, Lane.Unsent)).toEqual([]);
      }
    },
  );
});
