/** What a request's used element says, and what it wrote, against the recording and the queue's sums. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ask } from "../../src/answers/requests.ts";
import type { RequestRecord } from "../../src/model/told.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces");

async function requestsOf(path: string) {
  const bytes = readFileSync(join(TRACES, path));
  const requests: RequestRecord[] = [];
  const onRequest = (request: RequestRecord) => void requests.push(request);
  const { result } = await ask(await recordingOf(memorySource("trace.txt.gz", bytes)), {
    onRequest,
  });
  return { text: gunzipSync(bytes).toString("latin1"), requests, result };
}

/** What the probe of vhost_add_used_n() recorded of events with a single element, by vq and index. */
function usedElements(text: string): Map<string, { head: number; len: number }> {
  const events = text.matchAll(/ used: .* vq=(0x[0-9a-f]+) head=(\d+) len=(\d+) n=1 idx=(\d+) /g);
  return new Map(
    [...events].map(([, vq, head, len, idx]) => [
      `${vq} ${idx}`,
      { head: Number(head), len: Number(len) },
    ]),
  );
}

test.each([
  "vhost-net/6.1.0-50-amd64/n01-nonmrg/trace.txt.gz",
  "vhost-net/7.2.13+deb14-amd64/n04-mrg/trace.txt.gz",
  "vhost-vsock/6.1.0-50-amd64/v01-stream/trace.txt.gz",
])("%s: used index and length are those that the kernel published", async (path) => {
  const { text, requests } = await requestsOf(path);
  const published = usedElements(text);
  let compared = 0;
  for (const { vq, head, used, state } of requests) {
    if (state !== "completed") continue;
    const own = published.get(`${vq} ${used!.idx}`);
    if (!own) continue;
    expect({ head, len: used!.len }).toEqual(own);
    compared++;
  }
  expect(compared).toBeGreaterThan(0);
  const indices = requests.flatMap(({ used, queue }) => (queue === 0 && used ? [used.idx] : []));
  expect(indices).toEqual(indices.map((_, i) => i + indices[0]!));
});

test("bytes written by requests add up to those of their queue", async () => {
  const { requests, result } = await requestsOf("vhost-net/6.1.0-50-amd64/n04-mrg/trace.txt.gz");
  for (const { vq, writeBytes } of result.machines[0]!.devices[0]!.queues) {
    const own = requests.filter((request) => request.vq === vq);
    expect(own.reduce((sum, { written }) => sum + (written ?? 0), 0)).toBe(writeBytes);
  }
  expect(requests.some(({ written, writes }) => written! < writes[0]!.len)).toBe(true);
});

test("a pattern of syncs that matches no marker is said", async () => {
  const bytes = readFileSync(join(TRACES, "vhost-scsi/6.1.0-50-amd64/01-smoke/trace.txt.gz"));
  const recording = await recordingOf(memorySource("trace.txt.gz", bytes));
  const limits = async (syncMarker: RegExp) =>
    (await ask({ ...recording, syncMarker }, {})).result.machines[0]!.limits;
  const said = (await limits(/^never$/)).find(({ code }) => code === "no-sync-marker");
  expect(said?.text).toMatch(/^None of \d+ markers matches the pattern of syncs .*\^never\$/);
  const codes = (await limits(/^dirty_sync_begin (\d+)/)).map(({ code }) => code);
  expect(codes).not.toContain("no-sync-marker");
});
