/** The smallest recording that still shows a page: what is left, that it shows it, that all of it is needed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ask, verdictOf } from "../../src/answers/minimize.ts";
import type { Source } from "../../src/bytes/source.ts";
import { reduce } from "../../src/minimize/reduce.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { UsageError } from "../../src/model/place.ts";
import { replay } from "../../src/replay/replay.ts";
import { eventJsonLine } from "../../src/report/json/event-json.ts";
import { ftraceLine } from "../../src/report/text/ftrace-line.ts";
import { choosePolicies } from "../../src/vhost/chosen-policy.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const trace = (path: string): Source => memorySource(path, readFileSync(join(TRACES, path)));
const policies = choosePolicies(["linux-6.1", "linux-6.16"]);

async function verdicts(events: readonly NormalisedEvent[], line: typeof ftraceLine, page: number) {
  const source = memorySource("minimized", events.map(line).join(""));
  const result = await replay(await recordingOf(source), { policies, window: "auto" });
  return policies.map(({ policy }) => verdictOf(result.machines[0]!, policy.name, page));
}

describe("delta debugging", () => {
  const list = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

  test("finds exactly what is needed, wherever it is", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.nat(199), { minLength: 1, maxLength: 6 }),
        async (count, wanted) => {
          const needed = [...new Set(wanted.map((n) => n % count))].sort((a, b) => a - b);
          let asked = 0;
          const shows = async (part: readonly number[]): Promise<boolean> => {
            asked++;
            return needed.every((n) => part.includes(n));
          };
          expect(await reduce(list(count), shows, 10_000)).toEqual(needed);
          expect(asked).toBeLessThan(40 * needed.length + 4 * Math.log2(count) * 10 + 40);
        },
      ),
    );
  });

  test("asks no more often than it may", async () => {
    let asked = 0;
    const shows = async (): Promise<boolean> => {
      asked++;
      return false;
    };
    expect(await reduce(list(50), shows, 7)).toHaveLength(50);
    expect(asked).toBe(7);
  });
});

describe("a page of a real migration", () => {
  test("needs fewer than 60 of 22783 events, each of them; the same every time, in both forms", async () => {
    const recording = await recordingOf(trace("migration/6.1/trace.txt.gz"));
    const answer = await ask(recording, { page: 0x400, policies });
    expect(answer.verdicts.map(({ verdict }) => verdict)).toEqual(["likely-stale", "kept"]);
    expect([answer.from, answer.minimal]).toEqual([22783, true]);
    expect(answer.events.length).toBeLessThan(60);
    expect(answer.events.every(({ place }) => place?.startsWith("migration/6.1/"))).toBe(true);
    for (const line of [eventJsonLine, ftraceLine]) {
      expect(await verdicts(answer.events, line, 0x400)).toEqual(["likely-stale", "kept"]);
    }
    for (const left of answer.events) {
      const rest = answer.events.filter((event) => event !== left);
      expect(await verdicts(rest, eventJsonLine, 0x400), left.event).not.toEqual([
        "likely-stale",
        "kept",
      ]);
    }
    const again = await ask(recording, { page: 0x400, policies });
    expect(again.events).toEqual(answer.events);
  });

  test("that the policy keeps is refused", async () => {
    const recording = await recordingOf(trace("migration/6.1/trace.txt.gz"));
    await expect(
      ask(recording, { page: 0x400, policies: choosePolicies(["linux-6.16"]) }),
    ).rejects.toThrow(
      new UsageError("page 0x400: linux-6.16 neither loses it nor leaves it stale"),
    );
  });
});

test("a lost page of a recording of vhost alone, also one of a used ring", async () => {
  const recording = await recordingOf(trace("vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"));
  const { machines } = await replay(recording, { policies, window: "auto" });
  const totals = machines[0]!.policies;
  for (const { gfn } of totals[0]!.lostRuns.slice(0, 2)) {
    const answer = await ask(recording, { page: gfn, policies });
    expect(answer.verdicts[0]).toEqual({ policy: "linux-6.1", verdict: "lost" });
    expect(answer.events.length).toBeLessThan(20);
  }
});
