/**
 * Every number that two commands both print, over all recordings of the package: kinds are in `KINDS`.
 * `RECORDINGS=DIR npx vitest run test/commands/numbers.test.ts` checks those of another folder, too.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { memorySource, recordingOf } from "../support/memory-source.ts";
import { type Checked, checkNumbers, KINDS, type Kind } from "../support/number-check.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const ROOTS = [TRACES, ...(process.env.RECORDINGS?.split(":") ?? [])];
const RECORDING = /^(?:trace|src)\.(?:txt|dat|log|ndjson|simpletrace)(?:\.gz|\.xz|\.zst)?$/;

function recordingsBelow(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return recordingsBelow(path);
      return RECORDING.test(name) ? [path] : [];
    });
}

const compared = new Map<Kind, number>();
function tally(checked: Checked): void {
  for (const [kind, count] of Object.entries(checked.compared) as [Kind, number][])
    compared.set(kind, (compared.get(kind) ?? 0) + count);
}

test.each(ROOTS.flatMap(recordingsBelow).map((path) => relative(TRACES, path)))(
  "%s: no two commands disagree",
  async (path) => {
    const bytes = readFileSync(join(TRACES, path));
    const checked = await checkNumbers(await recordingOf(memorySource(path, bytes)));
    tally(checked);
    expect(checked.different).toEqual([]);
  },
);

test("a migration with its destination: no two commands disagree", async () => {
  const sources = ["trace.txt.gz", "dst.simpletrace.gz"].map((name) =>
    memorySource(name, readFileSync(join(TRACES, "migration/6.1", name))),
  );
  const checked = await checkNumbers(await recordingOf(...sources));
  tally(checked);
  expect(checked.different).toEqual([]);
});

afterAll(() => {
  for (const kind of Object.keys(KINDS) as Kind[])
    expect(compared.get(kind) ?? 0, `${kind} was never compared`).toBeGreaterThan(0);
});
