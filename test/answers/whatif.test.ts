/** What a migration would have cost: by hand on a small load, and against a real run of the same load. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Load, VCPU } from "../../src/answers/load.ts";
import { followPrecopy, leastRate } from "../../src/answers/precopy.ts";
import { type Answer, ask, type Options, statusOf } from "../../src/answers/whatif.ts";
import { whatifJson } from "../../src/report/json/whatif-json.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { whatifText } from "../../src/report/text/whatif-text.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";
import { errorsOf } from "../support/schemas.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const TOOL = { name: "test", version: "0", wasmSha256: "0".repeat(64) };

async function asked(paths: string[], options: Options = {}): Promise<Answer> {
  const sources = paths.map((path) =>
    memorySource(path.split("/").at(-1)!, readFileSync(join(TRACES, path))),
  );
  return ask(await recordingOf(...sources), options);
}
const MIGRATION = ["migration/6.1/trace.txt.gz", "migration/6.1/dst.simpletrace.gz"];

/**
 * The same guest, reader and limits (20,000,000 bytes a second, 1 ms of downtime, lifted after 10 s) on a host with
 * Linux 6.16.12: pages with data by `query-migrate`, its seconds, and what its second to sixth pass sent.
 */
const PATCHED_RUN = { sends: 50_064, seconds: 10.146, passes: [2282, 1479, 887, 877, 722] };

describe("on the migration of a host with Linux 6.1", () => {
  const limits = { downtimeMs: 1, forNs: PATCHED_RUN.seconds * 1e9 };

  test.each([
    ["the bandwidth of its own migration", limits],
    ["the bandwidth that was set", { ...limits, bandwidth: 20_000_000 }],
  ])("the sends of the patched run lie within the bounds, by %s", async (_, options) => {
    const answer = await asked(MIGRATION, options);
    const [unpatched, patched] = answer.costs;
    const { sends, seconds, expected, course } = patched!;
    expect(sends.atLeast).toBeLessThanOrEqual(PATCHED_RUN.sends);
    expect(sends.atMost).toBeGreaterThanOrEqual(PATCHED_RUN.sends);
    expect(seconds.atMost).toBeCloseTo(PATCHED_RUN.seconds, 3);
    expect(Math.abs(expected.sends / PATCHED_RUN.sends - 1)).toBeLessThan(0.05);
    expect(expected.converged).toBe(false);
    PATCHED_RUN.passes.forEach((real, i) => {
      expect(Math.abs(course[i + 1]!.sends / real - 1), `pass ${i + 2}`).toBeLessThan(0.25);
    });
    expect(unpatched!.leastBandwidth).toBeLessThan(patched!.leastBandwidth!);
    expect(answer.vcpus).toBe("counted");
  });

  test("the unpatched kernel makes it look cheaper, and says so; the document is what its schema says", async () => {
    const answer = await asked(MIGRATION);
    const [unpatched, patched] = answer.costs.map(({ expected }) => expected.sends);
    expect(patched! - unpatched!).toBeGreaterThan(1000);
    expect(whatifText(answer, textStyle(false)).replaceAll(/\s+/g, " ")).toContain(
      "linux-6.1 makes it look cheaper: what it does not log is not sent again.",
    );
    expect(errorsOf("whatif", whatifJson(TOOL, answer))).toEqual([]);
    expect(statusOf(answer)).toBe(0);
  });
});

test("of a recording without a migration there is no upper bound, and any moment may be the first", async () => {
  const path = "vhost-scsi/6.1.0-50-amd64/03-indirect/trace.txt.gz";
  const answer = await asked([path], { startNs: 17_700_000_000n, bandwidth: 1_000_000 });
  expect([answer.vcpus, answer.startNs]).toEqual(["not-recorded", "17700000000"]);
  for (const { sends, seconds, converges } of answer.costs) {
    expect([sends.atMost, seconds.atMost]).toEqual([null, null]);
    expect(converges).not.toBe("yes");
  }
  expect(whatifText(answer, textStyle(false))).toContain("the true cost is higher");
  await expect(asked([path], { startNs: 99_000_000_000n })).rejects.toThrow("no write of a device");
  await expect(asked([path], { forNs: 1e15 })).rejects.toThrow(
    /gone through \d+ times: at most 1000/,
  );
});

test("a recording without a write that is known costs nothing that could be said", async () => {
  const text = '{"event":"marker","ts":"1","cpu":0,"pid":1,"text":"x"}\n';
  const answer = await ask(await recordingOf(memorySource("m.ndjson", text)));
  expect([answer.costs, statusOf(answer)]).toEqual([[], 3]);
  expect(whatifText(answer, textStyle(false))).toMatch(/^Unknown: no write of a device is known/);
  expect(errorsOf("whatif", whatifJson(TOOL, answer))).toEqual([]);
});

describe("by hand", () => {
  const at = (...writes: [ms: number, page: number, cause: number][]): Load => ({
    ns: Float64Array.from(writes, ([ms]) => ms * 1e6),
    page: Uint32Array.from(writes, ([, page]) => page),
    cause: Uint8Array.from(writes, ([, , cause]) => cause),
    ...{ pages: 4, sentNs: new Float64Array(0), originNs: 0n },
  });
  const how = {
    ...{ pagesPerSecond: 1000, downtimeNs: 1e6, startNs: 0, forNs: 1e9, firstPages: 10 },
    ...{ otherPages: 0, otherPerSecond: 0 },
  };
  // A page a millisecond: the first pass takes 10 ms, in which three pages are written, one of them twice.
  const load = at([1, 0, 0], [2, 1, 0], [3, 0, 0], [4, 2, 1], [11, 3, 0], [12, 3, 0], [30, 3, 0]);

  test("a pass sends the distinct pages that were logged in the pass before it", () => {
    const all = followPrecopy(load, [true, true], how);
    expect(all.passes.map(({ sends }) => sends)).toEqual([10, 3]);
    // Page 3, twice written, fits the downtime of a millisecond.
    expect([all.sends, all.converged, all.endNs]).toEqual([14, true, 13e6]);
    const one = followPrecopy(load, [true, false], how);
    expect(one.passes.map(({ sends }) => sends)).toEqual([10, 2]);
    const none = followPrecopy(load, [false, false], how);
    expect([none.sends, none.endNs]).toEqual([10, 10e6]);
  });

  test("what vCPUs wrote is logged under every policy", () => {
    const vcpus = at([1, 0, VCPU], [2, 1, VCPU], [3, 2, VCPU], [40, 3, 0]);
    expect(followPrecopy(vcpus, [false], how).passes.map(({ sends }) => sends)).toEqual([10, 3]);
  });

  test("a load that ends begins again, and one that is too much never converges", () => {
    const busy = at([1, 0, 0], [2, 1, 0], [3, 2, 0], [4, 3, 0]);
    const slow = { ...how, pagesPerSecond: 500, downtimeNs: 0.1e6 };
    const course = followPrecopy(busy, [true], slow);
    expect([course.converged, course.sends]).toEqual([false, 500]);
    const least = leastRate(busy, [true], { ...slow, forNs: 4e6 });
    expect(least).toBeGreaterThan(500);
    expect(leastRate(busy, [false], slow)).toBeLessThan(500);
  });
});
