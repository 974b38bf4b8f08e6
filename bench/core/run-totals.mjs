/** What is kept of the runs that a contender lists: enough to compare them, too little to cost. */

/** Adds the run of `pages` pages from page `first` on to { runs, pages, starts }. */
export function addRun(totals, first, pages) {
  totals.runs++;
  totals.pages += pages;
  totals.starts += first;
}
