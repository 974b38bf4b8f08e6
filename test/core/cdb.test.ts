/**
 * LUN and CDB of each request, from the optional probe of `probes --requests`. The recording is of a
 * real 6.16.12; what it must say is what its workload asked for (scenario 01-smoke of the lab):
 * three TEST UNIT READY, READ(10) of LBA 0, INQUIRY of 96 bytes, READ(10) of LBA 8 on LUN 1,
 * WRITE(10) of LBA 64.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { RequestRecord } from "../../src/model/told.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";

const TEXT = gunzipSync(
  readFileSync(join(import.meta.dirname, "../fixtures", "cdb", "6.16-smoke.txt.gz")),
).toString("latin1");

async function requestsOf(text: string): Promise<RequestRecord[]> {
  const requests: RequestRecord[] = [];
  await replayAll([memorySource("a", text)], {
    onRequest: (request) => void requests.push(request),
  });
  return requests.sort((a, b) => a.serial - b.serial);
}

test("every request has the LUN and CDB that the workload asked for", async () => {
  const requests = await requestsOf(TEXT);
  const said = requests.map(({ lun, cdb }) => `${lun}: ${cdb}`);
  expect(said).toEqual([
    "0: 00 00 00 00 00 00",
    "1: 00 00 00 00 00 00",
    "2: 00 00 00 00 00 00",
    "0: 28 00 00 00 00 00 00 00 08 00",
    "0: 12 00 00 00 60 00",
    "1: 28 00 00 00 00 08 00 00 10 00",
    "0: 2a 00 00 00 00 40 00 00 08 00",
  ]);
});

test("without the probe a request has neither", async () => {
  const requests = await requestsOf(TEXT.replaceAll(/^.* cdb: .*\n/gm, ""));
  expect(requests).toHaveLength(7);
  for (const { lun, cdb } of requests) expect([lun, cdb]).toEqual([null, null]);
});

test("a CDB of a thread that popped nothing names no request", async () => {
  const requests = await requestsOf(TEXT.replaceAll(/^(.*)-(\d+)( .* cdb: .*)$/gm, "$1-99999$3"));
  expect(requests.filter(({ cdb }) => cdb !== null)).toEqual([]);
});
