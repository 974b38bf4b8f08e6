/** A set of pages as an answer tells it: how many, the first runs, and whose they were. */
import type { OwnedPages, Owners } from "../memory/owners/owners.ts";
import type { PageRuns } from "../model/page-runs.ts";
import type { PageRun } from "../model/result.ts";

/** Runs that a set lists. */
const LISTED_RUNS = 256;

/** Owners of a set of pages, most pages first, and how many pages are nobody's. */
export interface OwnersOfSet {
  owned: OwnedPages[];
  unknown: number;
}

export interface ToldSet {
  pages: number;
  runs: PageRun[];
  moreRuns: number;
  /** Null where no owners were given. */
  owners: OwnersOfSet | null;
}

/** The first runs of a set, and its owners. */
export function toldSet(set: PageRuns, owners: Owners | null): ToldSet {
  const runs = set.first(LISTED_RUNS);
  return {
    pages: set.pages,
    runs,
    moreRuns: set.length - runs.length,
    owners: owners === null ? null : owners.summarise(set),
  };
}
