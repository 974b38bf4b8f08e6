/** Real migrations of the lab, kept in traces/: what `stale` says against the two memories. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { staleVerdict } from "../../traces/lab/host/stale.ts";

const ROOT = join(import.meta.dirname, "../..", "traces", "migration");
const RUNS = readdirSync(ROOT).filter((name) => existsSync(join(ROOT, name, "src.log.gz")));

test("runs on both sides of the series are kept", () => {
  expect(RUNS.some((name) => name.startsWith("6.1-"))).toBe(true);
  expect(RUNS.some((name) => name.startsWith("6.16-"))).toBe(true);
});

describe.each(RUNS)("%s", (name) => {
  test("every page that differs is stale or possibly stale under the kernel that ran", () => {
    const verdict = staleVerdict(join(ROOT, name));
    expect(verdict.missed).toEqual([]);
    expect(verdict.differStale + verdict.differPossibly).toBeGreaterThan(50);
    // What is called stale and does not differ got the same bytes again; that is rare.
    expect(verdict.stale - verdict.differStale).toBeLessThanOrEqual(verdict.stale / 5);
  });
});
