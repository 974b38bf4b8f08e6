/** "Not known" is not 0: a result without a verdict has no numbers of pages. */
import type { MigrationVerdict } from "../model/migration-result.ts";
import type { MachineResult, PolicyRound } from "../model/result.ts";

const NO_COUNTS: PolicyRound = {
  ...{ logged: null, lost: null, extra: null, newlyLost: null, stillLost: null },
};

/**
 * The same machine with null for every number of a set of pages that the recording does not tell.
 * What is known stays: devices, rounds and their times, findings about what was seen, limits.
 */
export function withoutNumbers(machine: MachineResult): MachineResult {
  return {
    ...machine,
    written: null,
    policies: machine.policies.map((policy) => ({
      ...policy,
      ...{ logged: null, lost: null, stillLost: null, lostRuns: [], moreLostRuns: 0 },
    })),
    rounds: machine.rounds.map((round) => ({
      ...round,
      written: null,
      policies: round.policies.map(() => ({ ...NO_COUNTS })),
    })),
    migrations: machine.migrations.map((migration) => ({
      ...migration,
      verdicts: migration.verdicts.map(unknownVerdict),
    })),
  };
}

function unknownVerdict(verdict: MigrationVerdict): MigrationVerdict {
  return {
    ...verdict,
    ...{ best: null, likely: null, worst: null, loggedNotSent: null },
    ...{
      stale: [],
      likelyStale: [],
      possiblyStale: [],
      healed: [],
      pages: [],
      causes: [],
      pagesWithoutEvidence: 0,
    },
  };
}
