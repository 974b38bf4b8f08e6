/** What each policy logged, lost and still lost, round by round, from the runs of a history. */
import type { HistoryPolicy, MachineHistory } from "../history/index.ts";
import { ROUND_SETS } from "../history/index.ts";
import { PageRuns } from "../model/page-runs.ts";

/** Sets of one policy in one round; `stillLost`: after it. */
export interface RoundSets {
  round: number;
  written: PageRuns;
  logged: PageRuns;
  lost: PageRuns;
  stillLost: PageRuns;
}

/**
 * The rounds of a policy in their order, those in which nothing was written or logged left out. The law
 * of docs/laws.md: lost = written & ~logged, stillLost = (stillLost | written) & ~logged.
 */
export function* roundsOf(machine: MachineHistory, policy: HistoryPolicy): Generator<RoundSets> {
  const table = machine.table("rounds");
  let stillLost = new PageRuns();
  for (let at = 0; at < table.length; ) {
    const round = table.round[at]!;
    const written = new PageRuns();
    const logged = new PageRuns();
    for (; at < table.length && table.round[at] === round; at++) {
      const set = ROUND_SETS[table.set[at]!];
      const row = table.row[at]!;
      if (set === "written" && row === policy.writtenRow) {
        written.append(table.page[at]!, table.pages[at]!);
      } else if (set === "logged" && row === policy.loggedRow) {
        logged.append(table.page[at]!, table.pages[at]!);
      }
    }
    stillLost = stillLost.union(written).subtract(logged);
    yield { round, written, logged, lost: written.subtract(logged), stillLost };
  }
}

/** Over all rounds: logged in any, lost in any, still lost after the last. */
export function setsOf(
  machine: MachineHistory,
  policy: HistoryPolicy,
): { written: PageRuns; logged: PageRuns; lost: PageRuns; stillLost: PageRuns } {
  const all = {
    ...{ written: new PageRuns(), logged: new PageRuns() },
    ...{ lost: new PageRuns(), stillLost: new PageRuns() },
  };
  for (const { written, logged, lost, stillLost } of roundsOf(machine, policy)) {
    all.written = all.written.union(written);
    all.logged = all.logged.union(logged);
    all.lost = all.lost.union(lost);
    all.stillLost = stillLost;
  }
  return all;
}

/** Whether a policy's numbers are known: without a verdict a set would be taken for all there is. */
export function isKnown(machine: MachineHistory, policy: HistoryPolicy): boolean {
  const own = machine.result.policies.find(({ name }) => name === policy.name);
  return own !== undefined && own.lost !== null;
}
