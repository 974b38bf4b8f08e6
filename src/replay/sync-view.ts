/** What a caller sees of a round at its end: the core's sets, while they are there. */
import { RowSet } from "../../assembly/page-abi.ts";
import type { Core } from "../core/core.ts";
import { eachPage } from "../model/page-runs.ts";
import type { SyncView } from "../model/told.ts";

const ROUND_SETS = { logged: RowSet.Logged, lost: RowSet.Lost, stale: RowSet.Stale } as const;

/** Valid until the core goes on. */
export function syncView(
  core: Core,
  facts: Pick<SyncView, "machine" | "mark" | "round">,
  qemuLogBytes: number,
): SyncView {
  const all = (index: number, set: RowSet) => core.runs(index, set, Number.POSITIVE_INFINITY).runs;
  return {
    ...facts,
    qemuLogBytes,
    image: (index, size) => core.image(index, RowSet.Logged, size),
    pages: (index) => [...eachPage(all(index, RowSet.Logged))],
    highestPage: (index) => core.highest(index, RowSet.Logged),
    runs: (index, set) => all(index, ROUND_SETS[set]),
  };
}
