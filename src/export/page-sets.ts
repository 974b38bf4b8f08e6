/** The sets of pages of a history, as an export names them: for bitmaps, a file each. */
import type { History } from "../history/index.ts";
import { PageRuns } from "../model/page-runs.ts";
import type { PageRun } from "../model/result.ts";
import { isKnown, setsOf } from "./round-sets.ts";

export const SETS_SCHEMA = "vhost-replay/page-sets/1";

/** A set, and what it is. */
export interface NamedSet {
  machine: number;
  /** Position in the machine's migrations; null: over all rounds. */
  migration: number | null;
  policy: string;
  set:
    | "written"
    | "logged"
    | "lost"
    | "still-lost"
    | "stale"
    | "likely-stale"
    | "possibly-stale"
    | "healed";
  runs: PageRuns;
}

/** Sets of policies whose numbers are known, and of the migrations that are judged. */
export function* namedSets(history: History): Generator<NamedSet> {
  for (const machine of history.machines) {
    for (const policy of machine.policies) {
      const head = { machine: machine.number, policy: policy.name };
      if (isKnown(machine, policy)) {
        const { written, logged, lost, stillLost } = setsOf(machine, policy);
        const all = { ...head, migration: null };
        yield { ...all, set: "written", runs: written };
        yield { ...all, set: "logged", runs: logged };
        yield { ...all, set: "lost", runs: lost };
        yield { ...all, set: "still-lost", runs: stillLost };
      }
      for (const [migration, { verdicts }] of machine.result.migrations.entries()) {
        const verdict = verdicts.find((one) => one.policy === policy.name);
        if (!verdict || verdict.best === null) continue;
        const one = { ...head, migration };
        const set = (runs: readonly PageRun[]) => PageRuns.from(runs);
        yield { ...one, set: "stale", runs: set(verdict.stale) };
        yield { ...one, set: "likely-stale", runs: set(verdict.likelyStale) };
        yield { ...one, set: "possibly-stale", runs: set(verdict.possiblyStale) };
        const healed = verdict.healed.flatMap(({ runs }) => runs);
        yield { ...one, set: "healed", runs: set(healed) };
      }
    }
  }
}

/** `machine-1-linux-6.1-lost.roaring`; of a migration `machine-1-migration-0-linux-6.1-stale.roaring`. */
export function fileNameOf({ machine, migration, policy, set }: NamedSet): string {
  const of = migration === null ? "" : `-migration-${migration}`;
  // A policy of the user's own may be called anything.
  const safe = policy.replace(/[^\w.+-]/g, "_");
  return `machine-${machine}${of}-${safe}-${set}.roaring`;
}
