/** Which pages are stale at the destination of a live migration, and why? `stale`. */
import type { Source } from "../bytes/source.ts";
import type { OwnedPages, Owner, Owners } from "../memory/owners/owners.ts";
import { readOwners } from "../memory/owners/read-owners.ts";
import type { MigrationResult, MigrationVerdict } from "../model/migration-result.ts";
import type { MachineResult } from "../model/result.ts";
import { beside } from "../replay/beside.ts";
import { type Recording, replay } from "../replay/replay.ts";
import type { Policy } from "../vhost/policy.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { oneMachine, selectMachines, worstStatus } from "./machines.ts";
import { leavesOpen } from "./open.ts";
import type { Replayer } from "./replayer.ts";

export interface Options extends CommonOptions {
  /** Owners of guest pages, CSV or NDJSON with gfn, owner and kind. */
  owners?: Source;
  /** Policy whose verdict alone is the status: that of the vhost that ran. Default: any of them. */
  judged?: Policy;
}

/** Who owned the open pages of one policy's verdict. */
export interface VerdictOwners {
  policy: string;
  /** Of the pages of the three sets: most pages first; those of nobody. */
  owned: OwnedPages[];
  unknown: number;
  /** In the order of the verdict's `pages`; null where the file does not have the page. */
  pages: (Owner | null)[];
}

export interface Answer extends CommonAnswer {
  /**
   * Of the one machine, in the order of its main migration's verdicts; null where no owners were
   * given.
   */
  owners: VerdictOwners[] | null;
  /** Name of the policy whose verdict is the status; null: of any. */
  judged: string | null;
}

/**
 * Throws what `replay` throws, RecordingError for a file of owners that cannot be read, and
 * UsageError for owners where it is open of which machine they are.
 */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  const owners = options.owners === undefined ? null : await readOwners(options.owners);
  const found = await beside(run)(recording, { ...base, stalePages: true });
  const judged = options.judged?.name ?? null;
  if (owners === null) return { asked, result: selectMachines(found, options), owners, judged };
  const { result, machine } = oneMachine(found, options);
  const verdicts = mainMigration(machine)?.verdicts ?? [];
  return { asked, result, owners: verdicts.map((one) => ownersOf(one, owners)), judged };
}

function ownersOf(verdict: MigrationVerdict, owners: Owners): VerdictOwners {
  return {
    policy: verdict.policy,
    ...owners.summarise([...verdict.stale, ...verdict.likelyStale, ...verdict.possiblyStale]),
    pages: verdict.pages.map(({ gfn }) => owners.at(gfn) ?? null),
  };
}

/**
 * 0: no page is stale, under the policy that is judged, or any. 1: some are or may be. 3: no migration, or
 * it is not known, of a machine at least; or pages may be missing from what is counted (`leavesOpen`).
 */
export function statusOf({ result, judged }: Pick<Answer, "result" | "judged">): 0 | 1 | 3 {
  // A host has machines that nobody migrates: they are no open question where another one is.
  const migrated = result.machines.filter((machine) => mainMigration(machine) !== null);
  return migrated.length === 0
    ? 3
    : worstStatus(migrated.map((machine) => machineStatus(machine, judged)));
}

/** The same of one machine. */
export function machineStatus(machine: MachineResult, judged: string | null): 0 | 1 | 3 {
  const migration = mainMigration(machine);
  if (migration === null || !machine.verdict) return 3;
  const counted = migration.verdicts.filter(({ policy }) => judged === null || policy === judged);
  if (counted.some(({ worst }) => worst !== null && worst > 0)) return 1;
  return migration.verdicts.length > 0 && leavesOpen(machine) ? 3 : 0;
}

/** The migration that a report speaks of: the one that is asked about, the last one that has a verdict, else the last one. */
export function mainMigration(machine: MachineResult): MigrationResult | null {
  const { migrations, askedMigration } = machine;
  if (askedMigration !== undefined) return migrations[askedMigration - 1] ?? null;
  return migrations.findLast(({ verdicts }) => verdicts.length > 0) ?? migrations.at(-1) ?? null;
}

/** Given up: the guest went on at the source, so nothing is stale. */
export function givenUp({ outcome }: MigrationResult): boolean {
  return outcome === "cancelled" || outcome === "failed";
}

/** One that QEMU's events tell; the ioctls alone do not say that it was one. */
export function toldByQemu(machine: MachineResult): MigrationResult | null {
  const main = mainMigration(machine);
  return main?.from === "qemu" ? main : null;
}
