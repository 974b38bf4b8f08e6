/** What the probes in a back end cost it, from its recording. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { backEndCost, backEndCostText } from "../../src/probes/back-end-cost.ts";

const TRACES = join(import.meta.dirname, "../../traces/vhost-user");
const line = (at: number, event: string, pid = 7): string =>
  ` vhost-${pid} [000] DBZff 10.${String(at).padStart(6, "0")}: ${event}: (0x55) gpa=0x1000`;

test("hits of a request, and the median between two descriptors of one thread", () => {
  const chain = ["spdk_get", "spdk_desc", "spdk_desc", "spdk_desc", "spdk_used"];
  const times = [100, 130, 137, 146, 300];
  const lines = chain.map((event, i) => line(times[i]!, event));
  // Another thread's descriptor in between, a marker, and what is no event.
  lines.splice(3, 0, line(140, "spdk_desc", 8), "# tracer: nop", "");
  const cost = backEndCost(lines.join("\n"));
  expect(cost).toEqual({ requests: 1, hits: 6, microseconds: 9 });
  expect(backEndCostText(cost!)).toBe(
    "cost: 6.0 hits of the probes a request (of 1), about 9 us each: about 54 us of the back end's CPU a request",
  );
});

test("without a request there is none; without two descriptors no time", () => {
  expect(backEndCost(line(1, "vu_gpa"))).toBeNull();
  const cost = backEndCost([line(1, "vu_gpa"), line(9, "vu_fill")].join("\n"));
  expect(cost).toEqual({ requests: 1, hits: 2, microseconds: null });
  expect(backEndCostText(cost!)).toBe("cost: 2.0 hits of the probes a request (of 1)");
});

test("of qemu-storage-daemon, as it was recorded in a nested machine", () => {
  const file = join(TRACES, "record-libvhost-user-blk/plain/trace.txt.gz");
  const cost = backEndCost(gunzipSync(readFileSync(file)).toString("latin1"))!;
  expect(cost.requests).toBeGreaterThan(300);
  // Entry and return of a pop, three descriptors, the end; and pops of an empty ring.
  expect(cost.hits).toBeGreaterThan(6);
  expect(cost.microseconds).toBeGreaterThan(1);
  expect(cost.microseconds).toBeLessThan(50);
});
