/** What the strips show, as numbers: of the time in view. */
import { SEND_KINDS } from "../../history/tables.ts";
import { FATES } from "./fates.ts";
import { lowerBound } from "./memory-map.ts";
import { deepest, type StripData } from "./strips.ts";
import type { View } from "./view.ts";

export interface StripNumbers {
  /** Nanoseconds in which the dirty log of any device or ring was on. */
  logOnNs: number;
  /** Pages of writes, by what became of them: `Lane`, or OUTSIDE. */
  writes: number[];
  /** Pages, by SEND_KINDS. */
  sends: number[];
  /** Most requests in flight at once. */
  deepest: number;
  syncs: number;
}

/** Counts what lies in the view's time. One pass over writes and sends. */
export function stripNumbers(data: StripData, view: Pick<View, "from" | "to">): StripNumbers {
  const { machine, fates, depth, syncs, logOn } = data;
  const writes = machine.table("writes");
  const sends = machine.table("sends");
  return {
    logOnNs: coveredNs(logOn, view),
    writes: sums(writes, view, FATES, (i) => fates[i]!),
    sends: sums(sends, view, SEND_KINDS.length, (i) => sends.kind[i]!),
    deepest: deepest(depth, view, 1)[0]!,
    syncs: syncs.filter(({ ns }) => ns >= view.from && ns <= view.to).length,
  };
}

function sums(
  { ns, pages }: { ns: Float64Array; pages: Uint32Array },
  { from, to }: Pick<View, "from" | "to">,
  classes: number,
  classOf: (row: number) => number,
): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = lowerBound(ns, from); i < ns.length && ns[i]! <= to; i++) {
    counts[classOf(i)]! += pages[i]!;
  }
  return counts;
}

/** Of intervals that may overlap: devices and rings have logs of their own. */
function coveredNs(
  intervals: readonly { from: number; to: number }[],
  view: Pick<View, "from" | "to">,
): number {
  let covered = 0;
  let end = view.from;
  for (const { from, to } of intervals.toSorted((a, b) => a.from - b.from)) {
    const begin = Math.max(from, end);
    const stop = Math.min(to, view.to);
    if (stop > begin) covered += stop - begin;
    end = Math.max(end, stop);
  }
  return covered;
}
