/**
 * Who owned a guest page: what a debugger in the guest (drgn, crash) said, by page number. The file
 * is CSV with a header row (`gfn,owner,kind`) or NDJSON with these keys; `docs/owners.md`.
 */

import type { PageRuns } from "../../model/page-runs.ts";
import type { PageRun } from "../../model/result.ts";

/** One owner of pages, as the file names it. */
export interface Owner {
  /** `systemd, pid 1`; may be empty. */
  owner: string;
  /** `anon`, `swap cache`, `file`, `slab` …; may be empty. */
  kind: string;
}

/** Pages of one owner. */
export interface OwnedPages extends Owner {
  pages: number;
}

/** Owners by page. Memory: 20 bytes a run of pages with one owner, and each owner once. */
export class Owners {
  /** Ascending, disjoint: first page, page after the last, index of the owner. */
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  readonly #indices: Uint32Array;
  readonly #owners: readonly Owner[];
  /** Lines that begin at a page which another line gives to somebody else. */
  readonly overlapping: number;

  /** `runs` must be ascending and disjoint; `OwnerLines.resolve` makes them so. */
  constructor(runs: OwnerRuns, owners: readonly Owner[], overlapping: number) {
    this.#starts = runs.starts;
    this.#ends = runs.ends;
    this.#indices = runs.indices;
    this.#owners = owners;
    this.overlapping = overlapping;
  }

  /** Number of runs. */
  get length(): number {
    return this.#starts.length;
  }

  /** The owner of a page; undefined when the file does not have the page. */
  at(gfn: number): Owner | undefined {
    const index = this.#firstEndingBehind(gfn);
    return index < this.length && this.#starts[index]! <= gfn ? this.#ownerOf(index) : undefined;
  }

  /** Owners of the pages of a set with the number of pages each, most first, and of nobody. */
  summarise(pages: PageRuns | Iterable<PageRun>): { owned: OwnedPages[]; unknown: number } {
    const counts = new Map<number, number>();
    let unknown = 0;
    for (const { gfn, pages: count } of pages) {
      const limit = gfn + count;
      let rest = count;
      for (let index = this.#firstEndingBehind(gfn); index < this.length; index += 1) {
        const start = Math.max(gfn, this.#starts[index]!);
        if (start >= limit) break;
        const common = Math.min(limit, this.#ends[index]!) - start;
        const owner = this.#indices[index]!;
        counts.set(owner, (counts.get(owner) ?? 0) + common);
        rest -= common;
      }
      unknown += rest;
    }
    const owned = [...counts].map(([index, count]) => ({ ...this.#owners[index]!, pages: count }));
    owned.sort((a, b) => b.pages - a.pages || compare(a.owner, b.owner) || compare(a.kind, b.kind));
    return { owned, unknown };
  }

  #ownerOf(index: number): Owner {
    return this.#owners[this.#indices[index]!]!;
  }

  #firstEndingBehind(gfn: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ends[middle]! <= gfn) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Runs of pages with the index of their owner. */
export interface OwnerRuns {
  starts: Float64Array;
  ends: Float64Array;
  indices: Uint32Array;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `swap cache page of systemd, pid 1`, `slab page`, `page of systemd`. Not safe to print as it is. */
export function ownerText({ owner, kind }: Owner): string {
  const what = kind === "" ? "page" : `${kind} page`;
  return owner === "" ? what : `${what} of ${owner}`;
}
