/** Uprobes in a program are placed and removed as the kernel's probes are. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { programSet } from "../../src/node/record/define-probes.ts";
import { TraceFs } from "../../src/node/record/tracefs.ts";
import { type FakeHost, fakeHost } from "../support/fake-host.ts";

const LINES = [
  "p:vl/vu_fill /usr/bin/qsd:0x1080 dev=%di:x64",
  "r:vl/vu_pop /usr/bin/qsd:0x1000 elem=$retval:x64",
];
let host: FakeHost;

beforeEach(() => {
  host = fakeHost({ kprobes: false });
});
afterEach(() => host.close());

test("a kernel without kprobes takes them, lists them, and is clean afterwards", async () => {
  const tracefs = TraceFs.open(host, "uprobe");
  expect(await programSet(LINES).define(tracefs, () => {})).toBe("uprobes");
  expect(tracefs.probes()).toEqual(LINES);
  expect(await tracefs.removeProbes(tracefs.events)).toBe(true);
  expect(tracefs.probes()).toEqual([]);
});

test("a line that the kernel refuses takes the others with it", async () => {
  host.refuses = /vu_pop/;
  const tracefs = TraceFs.open(host, "uprobe");
  await expect(programSet(LINES).define(tracefs, () => {})).rejects.toThrow(
    /refused a probe: r:vl/,
  );
  expect(tracefs.probes()).toEqual([]);
});

test("what a recording left behind is found whether or not the kernel has kprobes", async () => {
  await programSet(LINES).define(TraceFs.open(host, "uprobe"), () => {});
  const tracefs = TraceFs.open(host, null);
  expect(tracefs.hasProbes).toBe(true);
  expect(await tracefs.removeProbes(tracefs.events)).toBe(true);
});
