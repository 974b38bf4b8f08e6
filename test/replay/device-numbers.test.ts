/** A device has one number in every answer, also where its queue speaks before its device is told. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { choosePolicies, inspect, lost, requests } from "../../src/index.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const TRACE = "traces/vhost-scsi/6.1.0-50-amd64/23-attach/trace.txt.gz";
const TEXT = gunzipSync(readFileSync(join(import.meta.dirname, "../..", TRACE))).toString("latin1");
const recording = () => recordingOf(memorySource("t.txt", TEXT));

test("a completion before the first drain has the number of the device that the drain tells", async () => {
  const { result } = await inspect.ask(await recording());
  const [machine] = result.machines;
  expect(machine!.devices.map(({ number, driver }) => [number, driver])).toEqual([
    [0, "vhost-scsi"],
  ]);
  const served = await requests.ask(await recording(), { keep: 1000 });
  expect(served.requests[0]!.state).toBe("unknown-head");
  expect(new Set(served.requests.map(({ device }) => device))).toEqual(new Set([0]));
  const findings = (await lost.ask(await recording(), { policies: choosePolicies(["unpatched"]) }))
    .result.machines[0]!.findings;
  expect(findings.length).toBeGreaterThan(0);
  expect(new Set(findings.map(({ device }) => device))).toEqual(new Set([0]));
});
