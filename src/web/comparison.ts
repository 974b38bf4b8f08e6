/** Two histories side by side: which pages are open at the end of each, and in which of them only. */
import { Lane, pageOfLane } from "../history/lanes.ts";
import { PageRuns } from "../model/page-runs.ts";
import { runsText } from "../report/text/finding-text.ts";
import type { Case } from "./case.ts";
import { finalStates } from "./draw/series.ts";
import type { Comparison, ComparisonRow } from "./protocol.ts";

/** Runs that are named of each set. */
const SHOWN_RUNS = 8;

const OPEN: readonly Lane[] = [Lane.Stale, Lane.Likely, Lane.Possible, Lane.Unsent];

/** Pages that are stale, likely or possibly, at the end under a policy, ascending. */
function openPages(one: Case, policy: number): PageRuns {
  const { states } = one.policy(policy);
  const final = finalStates(states);
  const pages = new PageRuns();
  final.forEach((state, lane) => {
    if (OPEN.includes(state)) pages.append(pageOfLane(states, lane));
  });
  return pages;
}

/** Both, policy by policy: those that both were replayed against, by name. */
export function compareCases(here: Case, there: Case, name: string): Comparison {
  const rows: ComparisonRow[] = [];
  here.machine.policies.forEach((policy, i) => {
    const j = there.machine.policies.findIndex((other) => other.name === policy.name);
    if (j < 0) return;
    const [a, b] = [openPages(here, i), openPages(there, j)];
    const [onlyHere, onlyThere] = [a.subtract(b), b.subtract(a)];
    const text = (pages: PageRuns): string =>
      pages.length === 0
        ? ""
        : runsText(pages.first(SHOWN_RUNS), Math.max(0, pages.length - SHOWN_RUNS), SHOWN_RUNS);
    rows.push({
      policy: policy.name,
      here: a.pages,
      there: b.pages,
      both: a.intersect(b).pages,
      onlyHere: onlyHere.pages,
      onlyThere: onlyThere.pages,
      runsHere: text(onlyHere),
      runsThere: text(onlyThere),
    });
  });
  return { name, rows };
}
