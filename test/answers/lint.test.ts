/** Faults of the protocol and of the recording, on recordings of real kernels and on edits of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { ask as around } from "../../src/answers/around.ts";
import { type Answer, ask, type Fault, statusOf } from "../../src/answers/lint.ts";
import { lintJson } from "../../src/report/json/lint-json.ts";
import { lintText } from "../../src/report/text/lint-text.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";
import { errorsOf } from "../support/schemas.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const TOOL = { name: "test", version: "0", wasmSha256: "0".repeat(64) };
const KERNEL = "vhost-scsi/6.1.0-50-amd64";

const textOf = (path: string): string =>
  gunzipSync(readFileSync(join(TRACES, path))).toString("latin1");
const lint = async (name: string, content: string | Uint8Array): Promise<Answer> =>
  ask(await recordingOf(memorySource(name, content)));
const found = ({ faults }: Answer): Record<string, number> =>
  Object.fromEntries(faults.flat().map(({ code, count }) => [code, count]));
const faultOf = ({ faults }: Answer, code: string): Fault =>
  faults.flat().find((fault) => fault.code === code)!;

describe("the scenario of toggles", () => {
  const path = `${KERNEL}/12-toggle/trace.txt.gz`;

  test("LOG_ALL without a log, toggles with requests in flight, and a log that nobody reads", async () => {
    const answer = await lint("t.txt", textOf(path));
    // Its scenario: part 0 has no log base, A to E hold requests over a toggle, one of them twice.
    expect(found(answer)).toEqual({
      "log-all-without-base": 1,
      "toggle-in-flight": 5,
      "log-never-read": 1,
    });
    expect(statusOf(answer)).toBe(1);
    const recording = await recordingOf(memorySource("t.txt", textOf(path)));
    for (const { places } of answer.faults.flat()) {
      for (const place of places) {
        const { events, at } = await around(recording, { place, count: 0 });
        expect(events[at!]).toMatchObject({ event: "ioctl" });
      }
    }
    expect(errorsOf("lint", lintJson(TOOL, answer))).toEqual([]);
    expect(lintText(answer, textStyle(false))).toMatch(/^3 faults of the protocol, 0 of/);
  });

  test("a ring whose log flag stays off", async () => {
    // a0 of SET_VRING_ADDR: index, and flags above it (struct vhost_vring_addr).
    const text = textOf(path).replaceAll("a0=0x100000002 ", "a0=0x2 ");
    expect(text).not.toBe(textOf(path));
    expect(faultOf(await lint("t.txt", text), "ring-without-flag").places.length).toBeGreaterThan(
      0,
    );
  });
});

test("without a fault it says so, with status 0", async () => {
  for (const name of ["03-indirect", "15-regions"]) {
    const answer = await lint("t.txt", textOf(`${KERNEL}/${name}/trace.txt.gz`));
    expect(found(answer)).toEqual({});
    expect(statusOf(answer)).toBe(0);
    expect(lintText(answer, textStyle(false))).toMatch(/^No fault found/);
  }
});

test("events that were lost, and what came of it", async () => {
  const path = "vhost-scsi/6.16.12+deb13-amd64/18-lost/trace.dat";
  const answer = await lint("trace.dat", readFileSync(join(TRACES, path)));
  expect(found(answer)).toMatchObject({ "events-lost": 4, "head-never-returned": 2 });
  expect(lintText(answer, textStyle(false))).toContain("--buffer-size");
});

describe("edits of a recording without a fault", () => {
  const whole = textOf(`${KERNEL}/03-indirect/trace.txt.gz`);

  test.each(["uflags", "rearm", "drain", "ioctl_ret"])("without the probe %s", async (probe) => {
    const text = whole
      .split("\n")
      .filter((line) => !line.includes(` ${probe}: `))
      .join("\n");
    const missing = (await lint("t.txt", text)).faults.flat();
    expect(missing.filter(({ code }) => code === "probe-missing").map((f) => f.text)).toEqual([
      expect.stringContaining(`no event of the probe ${probe}:`),
    ]);
  });

  test("a used index that jumps", async () => {
    const lines = whole.split("\n");
    const used = lines.flatMap((line, i) => (line.includes(" used: ") ? [i] : []));
    const text = lines.filter((_, i) => i !== used[20]).join("\n");
    expect(faultOf(await lint("t.txt", text), "used-index-gap").count).toBe(1);
  });

  test("a descriptor outside of the memory map", async () => {
    const at = whole.indexOf(" desc: ", whole.length >> 1);
    const text = `${whole.slice(0, at)}${whole.slice(at).replace(/gpa=0x[0-9a-f]+/, "gpa=0x7fff0000")}`;
    expect(faultOf(await lint("t.txt", text), "outside-memory-map")).toMatchObject({ count: 1 });
  });

  test("a file without any event is status 3", async () => {
    const answer = await lint("t.txt", whole.split("\n").slice(0, 12).join("\n"));
    expect(statusOf(answer)).toBe(3);
    expect(lintText(answer, textStyle(false))).toMatch(/^No event of a device/);
  });
});
