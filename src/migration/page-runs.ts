/** Algebra over ascending runs of pages that do not touch each other. */
import type { PageRun } from "../result.ts";

/** How many pages the runs have together. */
export const countPages = (runs: readonly PageRun[]): number =>
  runs.reduce((sum, run) => sum + run.pages, 0);

/** Pages of either. */
export function union(a: readonly PageRun[], b: readonly PageRun[]): PageRun[] {
  const all = [...a, ...b].sort((x, y) => x.gfn - y.gfn);
  const runs: PageRun[] = [];
  for (const { gfn, pages } of all) {
    const last = runs.at(-1);
    if (last && gfn <= last.gfn + last.pages) {
      last.pages = Math.max(last.pages, gfn + pages - last.gfn);
    } else runs.push({ gfn, pages });
  }
  return runs;
}

/** Pages of `a` that are not in `b`. */
export function difference(a: readonly PageRun[], b: readonly PageRun[]): PageRun[] {
  const runs: PageRun[] = [];
  let i = 0;
  for (const { gfn, pages } of a) {
    let from = gfn;
    const end = gfn + pages;
    while (i < b.length && b[i]!.gfn + b[i]!.pages <= from) i++;
    for (let j = i; j < b.length && b[j]!.gfn < end; j++) {
      if (b[j]!.gfn > from) runs.push({ gfn: from, pages: b[j]!.gfn - from });
      from = Math.max(from, b[j]!.gfn + b[j]!.pages);
    }
    if (from < end) runs.push({ gfn: from, pages: end - from });
  }
  return runs;
}

/** Every page of the runs, ascending. */
export function* eachPage(runs: readonly PageRun[]): Generator<number> {
  for (const { gfn, pages } of runs) for (let i = 0; i < pages; i++) yield gfn + i;
}
