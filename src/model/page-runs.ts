/**
 * Sets of guest pages as sorted runs. Two numbers a run, so that a set of millions of pages stays
 * small when it is contiguous and at 16 bytes a page at worst.
 */
import type { PageRun } from "./evidence.ts";

const FIRST_CAPACITY = 16;

/** A set of pages: ascending, disjoint, non-adjacent runs. Only `append` changes it. */
export class PageRuns implements Iterable<PageRun> {
  /** Pairs of first page and the page after the last. */
  #edges = new Float64Array(FIRST_CAPACITY * 2);
  #runs = 0;
  #pages = 0;

  /** Of runs in any order, which may overlap. Those of the core are in order, and are not sorted. */
  static from(runs: readonly PageRun[]): PageRuns {
    const ordered = runs.every(({ gfn }, i) => i === 0 || gfn >= runs[i - 1]!.gfn);
    const sorted = ordered ? runs : runs.toSorted((a, b) => a.gfn - b.gfn);
    const set = new PageRuns();
    let end = 0;
    for (const { gfn, pages } of sorted) {
      const first = Math.max(gfn, end);
      if (gfn + pages <= first) continue;
      set.append(first, gfn + pages - first);
      end = gfn + pages;
    }
    return set;
  }

  /** Adds `pages` pages from `gfn` on. They must lie behind all pages of the set. */
  append(gfn: number, pages = 1): void {
    if (pages <= 0) return;
    const last = this.#runs * 2 - 1;
    const end = this.#runs === 0 ? 0 : this.#edges[last]!;
    if (gfn < end) throw new Error(`bug: page ${gfn} appended behind page ${end - 1}`);
    this.#pages += pages;
    if (this.#runs > 0 && gfn === end) {
      this.#edges[last] = gfn + pages;
      return;
    }
    if (this.#runs * 2 === this.#edges.length) {
      const larger = new Float64Array(this.#edges.length * 2);
      larger.set(this.#edges);
      this.#edges = larger;
    }
    this.#edges[this.#runs * 2] = gfn;
    this.#edges[this.#runs * 2 + 1] = gfn + pages;
    this.#runs += 1;
  }

  /** Number of runs. */
  get length(): number {
    return this.#runs;
  }

  /** Number of pages. */
  get pages(): number {
    return this.#pages;
  }

  /** First page of run `index`. */
  start(index: number): number {
    return this.#edges[index * 2]!;
  }

  /** The page after the last one of run `index`. */
  end(index: number): number {
    return this.#edges[index * 2 + 1]!;
  }

  has(gfn: number): boolean {
    const index = this.#after(gfn) - 1;
    return index >= 0 && gfn < this.end(index);
  }

  /** Index of the first run that begins behind `gfn`. */
  #after(gfn: number): number {
    let low = 0;
    let high = this.#runs;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.start(middle) <= gfn) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  *[Symbol.iterator](): Generator<PageRun> {
    for (let index = 0; index < this.#runs; index += 1) {
      const gfn = this.start(index);
      yield { gfn, pages: this.end(index) - gfn };
    }
  }

  /** All runs. A loop: an iterator takes several times as long (measured). */
  toArray(): PageRun[] {
    const runs: PageRun[] = [];
    for (let index = 0; index < this.#runs; index += 1) {
      const gfn = this.start(index);
      runs.push({ gfn, pages: this.end(index) - gfn });
    }
    return runs;
  }

  /** The parts of runs that lie in `pages` pages from `gfn` on. */
  *overlapping(gfn: number, pages: number): Generator<PageRun> {
    const limit = gfn + pages;
    for (let index = Math.max(0, this.#after(gfn) - 1); index < this.#runs; index += 1) {
      const first = Math.max(gfn, this.start(index));
      if (first >= limit) break;
      const end = Math.min(limit, this.end(index));
      if (end > first) yield { gfn: first, pages: end - first };
    }
  }

  /** The first `count` runs. */
  first(count: number): PageRun[] {
    const runs: PageRun[] = [];
    for (const run of this) {
      if (runs.length >= count) break;
      runs.push(run);
    }
    return runs;
  }

  /** Pages of both sets. */
  intersect(other: PageRuns): PageRuns {
    return combine(this, other, (a, b) => a && b);
  }

  /** Pages of this set that the other has not. */
  subtract(other: PageRuns): PageRuns {
    return combine(this, other, (a, b) => a && !b);
  }

  /** Pages of either set. */
  union(other: PageRuns): PageRuns {
    return combine(this, other, (a, b) => a || b);
  }
}

/** One walk over the edges of both sets. `keep(false, false)` must be false. */
function combine(a: PageRuns, b: PageRuns, keep: (a: boolean, b: boolean) => boolean): PageRuns {
  const result = new PageRuns();
  let i = 0;
  let j = 0;
  let at = 0;
  while (i < a.length || j < b.length) {
    const inA = i < a.length && a.start(i) <= at;
    const inB = j < b.length && b.start(j) <= at;
    const nextA = i < a.length ? (inA ? a.end(i) : a.start(i)) : Number.POSITIVE_INFINITY;
    const nextB = j < b.length ? (inB ? b.end(j) : b.start(j)) : Number.POSITIVE_INFINITY;
    const next = Math.min(nextA, nextB);
    if (keep(inA, inB)) result.append(at, next - at);
    if (inA && next === nextA) i += 1;
    if (inB && next === nextB) j += 1;
    at = next;
  }
  return result;
}

/** How many pages the runs have together. */
export const countPages = (runs: readonly PageRun[]): number =>
  runs.reduce((sum, run) => sum + run.pages, 0);

/** Every page of the runs, ascending. */
export function* eachPage(runs: readonly PageRun[]): Generator<number> {
  for (const { gfn, pages } of runs) for (let i = 0; i < pages; i++) yield gfn + i;
}
