/** What must not matter: how a recording is stored, split, or read back. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { dump } from "../../src/replay/replay.ts";
import { memorySource, type OneMachine, recordingOf, replayAll } from "../support/memory-source.ts";

const ROOT = join(import.meta.dirname, "../..", "traces", "vhost-scsi");

function textOf(kernel: string, scenario: string): string {
  return gunzipSync(readFileSync(join(ROOT, kernel, scenario, "trace.txt.gz"))).toString("latin1");
}

/** Everything but places and inputs. */
function essence(result: OneMachine): unknown {
  return {
    // The name of the probed function is not in a dump, and may be all that tells the driver.
    policies: result.policies.map(({ whatIf: _, ...policy }) => policy),
    rounds: result.rounds.map(({ sync, ...round }) => ({
      ...round,
      sync: sync && [sync.number, sync.name, sync.ns],
    })),
    queues: result.devices.map((device) => device.queues),
    findings: result.findings.map(({ first, certainty: _, ...finding }) => ({
      ...finding,
      at: first.ns,
    })),
    limits: result.limits.map((limit) => limit.code),
    certainty: result.certainty,
  };
}

describe.each([
  ["6.1.0-50-amd64", "12-toggle"],
  ["6.16.12+deb13-amd64", "18-lost"],
  ["7.2.13+deb14-amd64", "09-events"],
  ["7.2.13+deb14-amd64", "23-attach"],
])("%s %s", (kernel, scenario) => {
  const text = textOf(kernel, scenario);

  test("what dump writes reads back as the same recording", async () => {
    const lines: string[] = [];
    await dump(await recordingOf(memorySource("t", text)), (event) => {
      lines.push(JSON.stringify(event));
    });
    const again = await replayAll([memorySource("dump", `${lines.join("\n")}\n`)]);
    expect(essence(again)).toEqual(essence(await replayAll([memorySource("t", text)])));
    const twice: string[] = [];
    await dump(await recordingOf(memorySource("dump", lines.join("\n"))), (event) => {
      twice.push(JSON.stringify(event));
    });
    const withoutPlace = (line: string): string => line.replace(/"place":"[^"]*",?/, "");
    expect(twice.map(withoutPlace)).toEqual(lines.map(withoutPlace));
  });

  test("one file for each CPU, in either order, gives what the merged file gives", async () => {
    const lines = text.split("\n");
    const header = lines.filter((line) => line.startsWith("#"));
    const of = (cpu: string): string =>
      [...header, ...lines.filter((line) => line.includes(`[${cpu}]`))].join("\n");
    const sources = ["000", "001"].map((cpu) => memorySource(`cpu${cpu}`, `${of(cpu)}\n`));
    const expected = essence(await replayAll([memorySource("t", text)])) as { limits: string[] };
    // Text does not say what clock it is on: merging two says so.
    expected.limits.splice(expected.limits.indexOf("write-upper-bound"), 0, "clock-unknown");
    const split = essence(await replayAll(sources)) as object;
    expect({ ...split, certainty: "bounds" }).toEqual({ ...expected, certainty: "bounds" });
    expect(essence(await replayAll(sources.toReversed()))).toEqual(split);
  });
});

test("requests and watched writes are told the same whether one or both are asked for", async () => {
  const source = memorySource("t", textOf("7.2.13+deb14-amd64", "01-smoke"));
  const watch = { gpa: 0, len: 2 ** 30 };
  const alone = { requests: 0, writes: 0 };
  await replayAll([source], { onRequest: () => void alone.requests++ });
  await replayAll([source], { watch, onWrite: () => void alone.writes++ });
  const both = { requests: 0, writes: 0 };
  await replayAll([source], {
    watch,
    onRequest: () => void both.requests++,
    onWrite: () => void both.writes++,
  });
  expect(alone.requests).toBe(7);
  expect(alone.writes).toBeGreaterThan(20);
  expect(both).toEqual(alone);
});

test("two recordings on clocks that are known to differ are refused, with the reason", async () => {
  const read = (kernel: string): Buffer =>
    readFileSync(join(ROOT, kernel, "12-toggle", "trace.dat"));
  const dat = read("6.1.0-50-amd64");
  const other = read("7.2.13+deb14-amd64");
  // The clock stands as text in the options of each buffer.
  for (let at = other.indexOf("mono\0"); at >= 0; at = other.indexOf("mono\0", at + 1)) {
    other.write("boot", at, "latin1");
  }
  const both = replayAll([memorySource("a.dat", dat), memorySource("b.dat", other)]);
  await expect(both).rejects.toThrow(RecordingError);
  await expect(both).rejects.toThrow(
    /times that can be compared with those of a\.dat \(mono\), found boot/,
  );
});
