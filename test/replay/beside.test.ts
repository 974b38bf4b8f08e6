/** What is found under a policy does not depend on which others were asked about with it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ask as report } from "../../src/answers/affected.ts";
import { ask as stale } from "../../src/answers/stale.ts";
import { makeHistory, PAGE_STATES, readHistory } from "../../src/history/index.ts";
import { parseClockPairs } from "../../src/join/clock-pair.ts";
import { beside } from "../../src/replay/beside.ts";
import { type Recording, replay } from "../../src/replay/replay.ts";
import { choosePolicies } from "../../src/vhost/chosen-policy.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

/** The state that is of no policy: a migration begins. */
const BEGIN = PAGE_STATES.indexOf("begin");
const TRACES = join(import.meta.dirname, "../../traces");

/** The whole recording of a migration, without what tells which kernel ran. */
async function migrationIn(path: string): Promise<Recording> {
  const clocks = join(path, "clock.txt");
  const two = existsSync(clocks);
  const names = two ? ["trace.txt.gz", "src.log.gz", "dst.log.gz"] : ["trace.txt.gz"];
  const recording = await recordingOf(
    ...names.map((name) => memorySource(name, readFileSync(join(path, name)))),
  );
  if (!two) return recording;
  return { ...recording, clockPairs: parseClockPairs(readFileSync(clocks, "utf8"), "clock.txt") };
}

describe.each(["6.16-inflight", "6.1-inflight", "6.1"])("migration/%s", (folder) => {
  test("each policy alone has the verdict that it has beside the others", async () => {
    const path = join(TRACES, "migration", folder);
    const recording = await migrationIn(path);
    const both = (await stale(recording, { policies: choosePolicies() })).result.machines[0]!;
    expect(both.migrations[0]!.verdicts).toHaveLength(2);
    let seen = 0;
    for (const [i, name] of ["unpatched", "patched"].entries()) {
      const policies = choosePolicies([name]);
      for (const ask of [stale, report]) {
        const [machine] = (await ask(recording, { policies })).result.machines;
        const [verdict, ...more] = machine!.migrations[0]!.verdicts;
        const { best, likely, worst, whatIf, possiblyStale } = both.migrations[0]!.verdicts[i]!;
        expect(verdict).toMatchObject({ best, likely, worst, whatIf, possiblyStale });
        expect(more).toEqual([]);
        expect(machine!.policies).toEqual([both.policies[i]]);
        expect(machine!.findings).toEqual(
          both.findings.filter(({ policy }) => policy === both.policies[i]!.name),
        );
      }
      const tool = { name: "vhost-replay", version: "0.0.0" };
      const { bytes } = await makeHistory(recording, { policies, window: "auto" }, "events", tool);
      const [machine] = readHistory("history", bytes).machines;
      const [verdict, ...more] = machine!.result.migrations[0]!.verdicts;
      const { best, likely, worst, whatIf } = both.migrations[0]!.verdicts[i]!;
      expect(verdict).toMatchObject({ best, likely, worst, whatIf });
      expect([more.length, machine!.policies.length]).toEqual([0, 1]);
      // Nothing of the policy beside it, whose rows are 1 and 3: neither sets of rounds nor states.
      expect(new Set(machine!.table("rounds").row)).toEqual(new Set([0, 2]));
      const states = machine!.table("states");
      const rows = [...states.rows].filter((_, n) => states.state[n] !== BEGIN);
      seen += rows.length;
      expect(rows.filter((bits) => (bits & 0b1010) !== 0)).toEqual([]);
    }
    expect(seen).toBeGreaterThan(0);
  });
});

test("who is told that it ran is asked about alone", async () => {
  const seen: number[] = [];
  const run = beside(async (recording, options) => {
    seen.push(options.policies.length);
    return replay(recording, options);
  });
  const path = join(TRACES, "vhost-scsi/6.1.0-50-amd64/01-smoke/trace.txt.gz");
  const recording = await recordingOf(memorySource("trace.txt.gz", readFileSync(path)));
  const policies = choosePolicies(["unpatched"]);
  const alone = await run(recording, { policies, window: "auto", ran: policies[0]!.policy });
  const found = await run(recording, { policies, window: "auto" });
  expect(seen).toEqual([1, 2]);
  expect(found.machines[0]!.policies).toEqual(alone.machines[0]!.policies);
});
