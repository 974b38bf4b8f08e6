/** What differs between two recordings, and between two policies of one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { ask, type Side, statusOf } from "../../src/answers/difference.ts";
import { countPages } from "../../src/model/page-runs.ts";
import { differenceJson } from "../../src/report/json/difference-json.ts";
import { differenceText } from "../../src/report/text/difference-text.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { choosePolicies } from "../../src/vhost/chosen-policy.ts";
import { run } from "../support/exported.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";
import { errorsOf } from "../support/schemas.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const textOf = (path: string): string =>
  gunzipSync(readFileSync(join(TRACES, path, "trace.txt.gz"))).toString("latin1");

async function side(name: string, text: string, policy: string): Promise<Side> {
  const recording = await recordingOf(memorySource(name, text));
  return { name, recording, policy: choosePolicies([policy])[0]! };
}

const SCENARIO = "12-toggle";
const OLD = textOf(`vhost-scsi/6.1.0-50-amd64/${SCENARIO}`);
const NEW = textOf(`vhost-scsi/6.16.12+deb13-amd64/${SCENARIO}`);

describe("two kernels' runs of one scenario", () => {
  test("differ in nothing but what the kernels do", async () => {
    const same = await ask(await side("a", OLD, "linux-6.1"), await side("b", NEW, "linux-6.1"));
    expect(statusOf(same)).toBe(0);
    expect(differenceText(same, textStyle(false))).toMatch(/^Nothing differs\./);
    const own = await ask(await side("a", OLD, "linux-6.1"), await side("b", NEW, "linux-6.16"));
    expect(statusOf(own)).toBe(1);
    const { pages, requests, findings, rounds } = own.difference;
    // 19 lost under 6.1, 17 under 6.16.
    expect([countPages(pages.onlyA), countPages(pages.onlyB), countPages(pages.both)]).toEqual([
      2, 0, 17,
    ]);
    expect([requests.equal, requests.onlyA, requests.onlyB]).toEqual([11, 0, 0]);
    expect(findings.onlyA.map(({ cause }) => cause)).toEqual(["io-logged"]);
    expect(findings.onlyB).toEqual([]);
    for (const { a, b } of rounds) {
      expect(a!.written).toBe(b!.written);
      expect(b!.logged).toBeGreaterThan(a!.logged!);
    }
    expect(errorsOf("diff", JSON.parse(JSON.stringify(differenceJson(TOOL, own))))).toEqual([]);
  });

  test("a request that only one has is shown", async () => {
    const lines = OLD.split("\n");
    const used = lines.findIndex((line) => line.includes(" used: "));
    const fewer = lines.filter((_, i) => i !== used).join("\n");
    const answer = await ask(
      await side("a", OLD, "linux-6.1"),
      await side("b", fewer, "linux-6.1"),
    );
    const { requests } = answer.difference;
    expect([requests.onlyA, requests.onlyB]).toEqual([1, 1]);
    expect(requests.examples.map((one) => [one.side, one.request.state])).toEqual([
      ["a", "completed"],
      ["b", expect.stringMatching(/dropped|in-flight/)],
    ]);
    expect(differenceText(answer, textStyle(false))).toContain("Different: ");
  });
});

describe("a case that does not tell which kernel ran", () => {
  const folders = [
    "traces/vhost-scsi/6.1.0-50-amd64/01-smoke",
    "traces/vhost-scsi/6.16.12+deb13-amd64/01-smoke",
  ];

  test("is judged as unpatched, and the first lines say so", () => {
    const { status, out } = run(["diff", ...folders, "--quiet"]);
    expect(status).toBe(0);
    const head = out.split("\n\n")[0]!.replaceAll("\n", " ");
    expect(head).toMatch(
      /^Nothing differs but, perhaps, the kernels\. Which kernel ran on A and on B/,
    );
    expect(head).toContain("Give --ran KERNEL, once for A and once for B");
  });

  test("is judged under the kernel of --ran, each side under its own", () => {
    const own = ["--ran", "6.1.176", "--ran", "6.16.12+deb13-amd64"];
    const { status, out } = run(["diff", ...folders, "--quiet", ...own]);
    expect(status).toBe(1);
    expect(out).toMatch(/^Different: 10 lost pages/);
    expect(out).toMatch(/^A: .*, under linux-6\.1\.146$/m);
    expect(out).toMatch(/^B: .*, under linux-6\.16$/m);
    expect(out).not.toContain("not known");
    const one = run(["diff", ...folders, "--quiet", "--json", "--ran", "6.16.12"]);
    const { a, b } = JSON.parse(one.out);
    expect([a.policy, b.policy, a.told, b.told]).toEqual(["linux-6.16", "linux-6.16", true, true]);
  });

  test.each([
    ["three", [...folders, "--ran", "6.1", "--ran", "6.1", "--ran", "6.1"]],
    ["beside a policy", [...folders, "--ran", "6.1", "--policy", "patched"]],
    ["of one case", [folders[0]!, "--ran", "6.1", "--policy", "patched", "--policy", "unpatched"]],
  ])("--ran %s is a usage error", (_, args) => {
    const { status, err } = run(["diff", ...args]);
    expect([status, err]).toEqual([2, expect.stringContaining("--ran")]);
  });
});

const TOOL = { name: "vhost-replay", version: "0.0.0", wasmSha256: "ab".repeat(32) };

test("two policies of one migration differ in the pages that only one leaves stale", async () => {
  const text = textOf("migration/6.1");
  const answer = await ask(await side("a", text, "linux-6.1"), await side("b", text, "linux-6.16"));
  const { measure, pages, requests } = answer.difference;
  expect(measure).toBe("stale");
  expect(countPages(pages.onlyA)).toBeGreaterThan(1900);
  expect([pages.onlyB, pages.both, requests.onlyA, requests.onlyB]).toEqual([[], [], 0, 0]);
});

test("requests that only moved are told from those that are others", async () => {
  const lines = OLD.split("\n");
  const pops = lines.flatMap((line, i) => (/ desc: .* acc=2/.test(line) ? [i] : []));
  const moved = lines
    .map((line, i) => (i === pops[2] ? line.replace(/gpa=0x[0-9a-f]+/, "gpa=0x300000") : line))
    .join("\n");
  const answer = await ask(await side("a", OLD, "linux-6.1"), await side("b", moved, "linux-6.1"));
  const { onlyA, onlyB, moved: pairs } = answer.difference.requests;
  expect([onlyA, onlyB, pairs]).toEqual([1, 1, 1]);
  expect(differenceText(answer, textStyle(false)).replaceAll(/\s+/g, " ")).toContain(
    "1 pair of these moved",
  );
  expect(differenceText(answer, textStyle(false))).not.toContain("is not told");
});
