/** Which requests lost pages in which round, for the flows from a request to the sync that misses its write. */
import type { HistoryPolicy, MachineHistory } from "../history/index.ts";
import type { PageRuns } from "../model/page-runs.ts";
import { roundsOf } from "./round-sets.ts";

/** By the round's index: serials of the requests that were first to write a page that it lost. */
export function guiltyRequests(
  machine: MachineHistory,
  policy: HistoryPolicy,
  originNs: bigint,
): Map<number, Set<number>> {
  const writes = machine.table("writes");
  const counts = new Set(policy.counts);
  const logs = new Set(policy.logs);
  const lost = new Map<number, PageRuns>();
  for (const { round, lost: pages } of roundsOf(machine, policy)) lost.set(round, pages);
  const guilty = new Map<number, Set<number>>();
  let at = 0;
  for (const { index, sync } of machine.result.rounds) {
    const end = sync === null ? Number.POSITIVE_INFINITY : Number(BigInt(sync.ns) - originNs);
    const pages = lost.get(index);
    const claimed = new Set<number>();
    for (; at < writes.length && writes.ns[at]! < end; at++) {
      const cause = writes.cause[at]!;
      const request = writes.request[at]!;
      if (!pages || request === 0 || !counts.has(cause) || logs.has(cause)) continue;
      for (const run of pages.overlapping(writes.page[at]!, writes.pages[at]!)) {
        for (let page = run.gfn; page < run.gfn + run.pages; page++) {
          if (claimed.has(page)) continue;
          claimed.add(page);
          guilty.set(index, (guilty.get(index) ?? new Set()).add(request));
        }
      }
    }
  }
  return guilty;
}
