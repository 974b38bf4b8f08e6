/** Clocks that do not order what happened on different CPUs are a limit before anything else. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { clockLimit, disorderOf } from "../../src/replay/clock-limit.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";
import { resultOf } from "../support/report-fixture.ts";

const input = (clock: string | null, cpus = [0, 1]) => ({
  ...resultOf().inputs[0]!,
  ...{ clock, cpus },
});

describe("a clock", () => {
  test.each(["mono", "mono_raw", "boot", "tai", "global", "x86-tsc", "counter", "local", null])(
    "%s orders CPUs",
    (clock) => expect(clockLimit([input(clock)])).toBeNull(),
  );

  test.each([
    ["perf", /^The clock perf is kept by each CPU for itself: events of different CPUs may stand/],
    [
      "uptime",
      /^The clock uptime goes on by a tick of the timer, .* events of different CPUs may stand/,
    ],
  ])("%s does not: a limit both ways, with the file", (clock, text) => {
    const limit = clockLimit([input("mono"), { ...input(clock), name: "b.dat" }]);
    expect(limit).toMatchObject({ code: "clock-unordered", effect: "both" });
    expect(limit?.text).toMatch(text);
    expect(limit?.places).toEqual([{ file: "b.dat", at: "" }]);
  });

  test("of one CPU orders it", () => {
    expect(disorderOf(input("perf", [3]))).toBeNull();
  });
});

test("a recording with the clock perf: the first limit, a caveat of every round, and bounds", async () => {
  const file = "traces/vhost-scsi/6.16.12+deb13-amd64/12-toggle/trace.dat";
  const mono = readFileSync(join(import.meta.dirname, "../..", file));
  // The names are of one length, so the recording stays whole.
  const perf = Buffer.from(
    mono.toString("latin1").replaceAll("\0mono\0", "\0perf\0").replaceAll("[mono]", "[perf]"),
    "latin1",
  );
  expect(perf.equals(mono)).toBe(false);
  const before = await replayAll([memorySource("mono.dat", mono)]);
  const after = await replayAll([memorySource("perf.dat", perf)]);
  expect(after.inputs[0]!.clock).toBe("perf");
  expect(after.limits[0]!.code).toBe("clock-unordered");
  expect(after.certainty).toBe("bounds");
  const caveats = (rounds: typeof after.rounds) =>
    rounds.map(({ caveats: all }) => all.filter((text) => text.includes("clock")).length);
  expect(caveats(after.rounds)).toEqual(after.rounds.map(() => 1));
  expect(caveats(before.rounds)).toEqual(before.rounds.map(() => 0));
  expect(before.limits.map(({ code }) => code)).not.toContain("clock-unordered");
});

test("every answer begins with it, whatever it says", () => {
  const file = join(
    import.meta.dirname,
    "../..",
    "traces/vhost-scsi/6.16.12+deb13-amd64/12-toggle/trace.dat",
  );
  const mono = readFileSync(file).toString("latin1");
  const folder = mkdtempSync(join(tmpdir(), "clock-"));
  const perf = join(folder, "perf.dat");
  const text = mono.replaceAll("\0mono\0", "\0perf\0").replaceAll("[mono]", "[perf]");
  writeFileSync(perf, Buffer.from(text, "latin1"));
  const cli = join(import.meta.dirname, "../..", "dist/cli/cli.js");
  const first = (command: string, recording: string, ...more: string[]): string =>
    spawnSync(process.execPath, [cli, command, recording, "--quiet", ...more], {
      encoding: "utf8",
    }).stdout.split("\n")[0]!;
  for (const command of ["report", "stale"]) {
    expect(first(command, perf), command).toMatch(/^Not certain: the recording's clock \(perf\)/);
    expect(first(command, file), command).not.toMatch(/^Not certain/);
  }
  const observed = ["--observed", join(dirname(file), "syncs"), "--policy", "linux-6.16"];
  expect(first("verify", perf, ...observed)).toMatch(/^Not certain/);
  rmSync(folder, { recursive: true });
});
