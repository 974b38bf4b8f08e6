/** From the result of a replay to what a part says of its machines. */

import { PageRuns } from "../model/page-runs.ts";
import type { Limit, MachineResult, MigrationVerdict, ReplayResult } from "../model/result.ts";
import { encodePages } from "./page-set.ts";
import type { PartMachine } from "./part.ts";

/** The machines of a result that was replayed without a limit on its runs of pages. */
export function machinesOfResult(result: ReplayResult): PartMachine[] {
  return result.machines.map(partMachine);
}

function partMachine(machine: MachineResult): PartMachine {
  const codes = (...effects: Limit["effect"][]): string[] => [
    ...new Set(machine.limits.filter(({ effect }) => effects.includes(effect)).map((l) => l.code)),
  ];
  return {
    number: machine.number,
    verdict: machine.verdict,
    mayBeMore: codes("more", "both").sort(),
    mayBeLess: codes("fewer", "both").sort(),
    written: machine.written,
    migrations: machine.migrations.length,
    policies: machine.policies.map(({ name, logged, lost, lostRuns }) => {
      const verdicts = machine.migrations.flatMap((migration) =>
        migration.verdicts.filter(({ policy, best }) => policy === name && best !== null),
      );
      const stale = unionOf(verdicts, "stale");
      const possibly = unionOf(verdicts, "possiblyStale").subtract(stale);
      const judged = verdicts.length > 0;
      return {
        ...{ name, logged, lost, lostPages: encodePages(lostRuns) },
        stale: judged ? stale.pages : null,
        possiblyStale: judged ? possibly.pages : null,
        stalePages: encodePages(stale.toArray()),
      };
    }),
  };
}

/** Over all migrations of a machine: a page that was stale after one is not counted again. */
function unionOf(verdicts: readonly MigrationVerdict[], set: "stale" | "possiblyStale"): PageRuns {
  return verdicts.reduce((all, verdict) => all.union(PageRuns.from(verdict[set])), new PageRuns());
}
