/**
 * The stale verdict against memory: pages that differ between the source's and the destination's
 * image, and pages that the replay calls stale. Pure set algebra; `verify --source-dump`.
 */
import type { GuestComparison } from "../memory/compare-guest-images.ts";
import type { SentPages } from "../memory/mapped-ram-image.ts";
import type { StaleVerdict } from "../model/migration-result.ts";
import { PageRuns } from "../model/page-runs.ts";

/** What the replay says of pages, under one policy. Disjoint; absent sets are empty. */
export interface VerdictPages {
  stale: PageRuns;
  likelyStale?: PageRuns;
  possiblyStale: PageRuns;
  /** Missed, and repaired by somebody before the end. */
  healed?: PageRuns;
  /** Written in the recording and never missed. */
  clean?: PageRuns;
}

export type VerdictClass = StaleVerdict | "healed" | "clean" | "not-written";

/** Pages of one class of the verdict by what the images say. */
export interface ClassCounts {
  class: VerdictClass;
  /** By the verdict; null for not-written, which has no bound. */
  pages: number | null;
  differing: number;
  equal: number;
  /** Not in both images. */
  uncompared: number | null;
}

/** What a mapped-ram file says of a set of pages. */
export interface SentCounts {
  data: number;
  zero: number;
  /** Not in the file. */
  neither: number;
}

/** One policy against the images. */
export interface ImageVerdict {
  /** `explained`: each differing page is stale, likely or possibly; `none`: nothing was compared. */
  answer: "explained" | "unexplained" | "none";
  classes: ClassCounts[];
  /** Pages that differ and are in no set of the verdict. */
  unexplained: PageRuns;
  /** Stale pages with equal bytes: what was missed repeated what was there. */
  staleEqual: PageRuns;
  /** Stale pages in the file of sent pages; null without one. */
  staleSent: SentCounts | null;
}

/**
 * Compares the differing pages with a verdict. `others`: pages that differ for a reason of their own, which
 * are no loss.
 */
export function imageVerdict(
  comparison: GuestComparison,
  verdict: VerdictPages,
  sent: SentPages | null = null,
  others: PageRuns = new PageRuns(),
): ImageVerdict {
  const { compared, differing } = comparison;
  const classes: ClassCounts[] = [];
  let rest = differing;
  let restCompared = compared;
  const add = (name: VerdictClass, pages: PageRuns): void => {
    const both = compared.intersect(pages);
    const differ = differing.intersect(pages);
    classes.push({
      class: name,
      pages: pages.pages,
      differing: differ.pages,
      equal: both.pages - differ.pages,
      uncompared: pages.pages - both.pages,
    });
    rest = rest.subtract(pages);
    restCompared = restCompared.subtract(pages);
  };
  add("stale", verdict.stale);
  add("likely-stale", verdict.likelyStale ?? new PageRuns());
  add("possibly-stale", verdict.possiblyStale);
  const unexplained = rest.subtract(others);
  add("healed", verdict.healed ?? new PageRuns());
  add("clean", verdict.clean ?? new PageRuns());
  classes.push({
    class: "not-written",
    pages: null,
    differing: rest.pages,
    equal: restCompared.pages - rest.pages,
    uncompared: null,
  });
  const answer =
    compared.pages === 0 ? "none" : unexplained.pages === 0 ? "explained" : "unexplained";
  return {
    answer,
    classes,
    unexplained,
    staleEqual: verdict.stale.intersect(compared).subtract(differing),
    staleSent: sent === null ? null : sentCounts(verdict.stale, sent),
  };
}

function sentCounts(pages: PageRuns, sent: SentPages): SentCounts {
  const data = pages.intersect(sent.data).pages;
  const zero = pages.intersect(sent.zero).pages;
  return { data, zero, neither: pages.pages - data - zero };
}

/** 0: some policy explains every differing page; 1: none does; 3: nothing was compared. */
export function imageVerdictStatus(verdicts: readonly Pick<ImageVerdict, "answer">[]): 0 | 1 | 3 {
  if (verdicts.every(({ answer }) => answer === "none")) return 3;
  return verdicts.some(({ answer }) => answer === "explained") ? 0 : 1;
}
