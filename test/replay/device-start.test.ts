/** Which vhost a device is, where the ioctl that starts it is not in the recording. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { choosePolicies, lost } from "../../src/index.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const TRACE = "traces/vhost-vsock/7.2.13+deb14-amd64/v01-stream/trace.txt.gz";
/** VHOST_VSOCK_SET_RUNNING. */
const START = / cmd=0x4004af61 /;

test("a driver of the kernel that a probe was in is no user-space back end", async () => {
  const lines = gunzipSync(readFileSync(join(import.meta.dirname, "../..", TRACE)))
    .toString()
    .split("\n");
  const without = lines.filter((line) => !START.test(line));
  expect(without.length).toBeLessThan(lines.length);
  const policies = choosePolicies(["linux-7.2"]);
  const ask = async (text: readonly string[]) => {
    const recording = await recordingOf(memorySource("t.txt", text.join("\n")));
    return (await lost.ask(recording, { policies })).result.machines[0]!;
  };
  const [whole, machine] = [await ask(lines), await ask(without)];
  expect(machine.devices.map(({ driver }) => driver)).toEqual(["vhost-vsock"]);
  expect(machine.policies[0]!.lost).toBe(whole.policies[0]!.lost);
  expect(machine.policies[0]!.lost).toBeGreaterThan(0);
});
