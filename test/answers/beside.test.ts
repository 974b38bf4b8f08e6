/** What is found under a policy does not depend on which others were asked about with it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ask as report } from "../../src/answers/affected.ts";
import { beside } from "../../src/answers/beside.ts";
import { ask as stale } from "../../src/answers/stale.ts";
import { replay } from "../../src/replay/replay.ts";
import { choosePolicies } from "../../src/vhost/chosen-policy.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces");

describe.each(["6.16-inflight", "6.1-inflight", "6.1"])("migration/%s", (folder) => {
  test("each policy alone has the verdict that it has beside the others", async () => {
    const path = join(TRACES, "migration", folder);
    const names = folder === "6.1" ? ["trace.txt.gz"] : ["src.log.gz"];
    const recording = await recordingOf(
      ...names.map((name) => memorySource(name, readFileSync(join(path, name)))),
    );
    const both = (await stale(recording, { policies: choosePolicies() })).result.machines[0]!;
    expect(both.migrations[0]!.verdicts).toHaveLength(2);
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
    }
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
