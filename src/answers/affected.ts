/**
 * Am I affected? What the kernel that ran left stale or lost, which patches would have saved it, what none
 * does: the first screen of `report`.
 */

import type { MigrationVerdict } from "../model/migration-result.ts";
import type { DeviceSummary, MachineResult, ReplayResult } from "../model/result.ts";
import { beside } from "../replay/beside.ts";
import { type Recording, replay } from "../replay/replay.ts";
import { BACK_ENDS } from "../vhost/backends.ts";
import { choosePolicies, DEFAULT_POLICIES } from "../vhost/chosen-policy.ts";
import { KERNELS } from "../vhost/kernels.ts";
import { findPolicy, type Policy } from "../vhost/policy.ts";
import { fitsDevices } from "../vhost/policy-row.ts";
import { PATCHES, type Patch } from "../vhost/series.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { patchesFor } from "./attribute.ts";
import { selectMachines, worstStatus } from "./machines.ts";
import { leavesOpen } from "./open.ts";
import type { Replayer } from "./replayer.ts";
import { givenUp, mainMigration, toldByQemu } from "./stale.ts";

/** The vhost that ran, as far as it is told. */
export interface Ran {
  policy: Policy;
  /** What tells it: an option, a file, the recording's header. */
  toldBy: string;
  /** `uname -r`, or the name that was given. */
  release: string;
  /** Why this row; null where the row itself was named. */
  reason: string | null;
  /** false: it is the nearest row, and the kernel may have other changes. */
  sure: boolean;
}

export interface Options extends CommonOptions {
  /** The kernel that ran; its policy counts as `ran`. */
  kernel?: Ran;
}

/** Pages that these patches would have saved. */
export interface SavedPages {
  patches: number[];
  pages: number;
}

/** Pages that no patch saves, by why. */
export interface UnsavedPages {
  cause: string;
  pages: number;
}

export interface Affected {
  /** unknown: no verdict, or it is not told which kernel ran and kernels differ. */
  answer: "affected" | "not-affected" | "unknown";
  kernel: Ran | null;
  /** Policy that is judged; null where it is not known which ran. */
  policy: string | null;
  /** The devices are QEMU's own: no vhost is involved. */
  ownDevices: boolean;
  /** The devices are of a vhost-user back end, for which no kernel logs; only --ran can name its policy. */
  backEnd: boolean;
  /** stale: at the destination of a migration; lost: left out of the dirty log in some round. */
  measure: "stale" | "lost";
  /**
   * How the migration that is spoken of ended, where it was given up: then nothing is stale, and `lost` pages are
   * what one that completes would leave behind.
   */
  givenUp: "cancelled" | "failed" | null;
  /** Certainly; and likely or possibly more. */
  pages: number;
  possibly: number;
  /** Fewest patches first; with `lost` and several writers a page may count more than once. */
  saved: SavedPages[];
  unsaved: UnsavedPages[];
  /** The patches in `saved`, each once. */
  patches: (Patch & { stable: string[] })[];
  /** Pages whose writer is not known. */
  unattributed: number;
}

export interface Answer extends CommonAnswer {
  /** One a machine, in the order of `result.machines`. */
  affected: Affected[];
}

/** Newest mainline kernel that was read, and the last one that logs no descriptor. */
const MAINLINE = KERNELS.filter(({ mainline }) => mainline !== null);
const NEWEST = MAINLINE.at(-1)!;
const LAST_UNPATCHED = MAINLINE.findLast(({ logs }) => logs === MAINLINE[0]!.logs)!;
const OWN_DEVICE = "qemu-device";

/**
 * The policies of a report: the kernel that ran, the last unpatched and the newest, as far as they
 * differ in what they log; unpatched and patched where it is not known which ran.
 */
export function reportPolicies(kernel?: Ran) {
  if (!kernel) return choosePolicies(DEFAULT_POLICIES);
  const rows: Policy[] = [kernel.policy];
  for (const row of [LAST_UNPATCHED, NEWEST]) {
    if (!rows.some(({ logs }) => logs === row.logs)) rows.push(row);
  }
  return rows.map((policy) => ({ policy, alias: null }));
}

/** Throws what `replay` throws. Devices that are QEMU's own are answered under `qemu-device`. */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const { kernel, policies: chosen, ...rest } = options;
  const own = kernel ? { ran: kernel.policy } : {};
  const policies = chosen ?? reportPolicies(kernel);
  const { asked, base } = prepare(recording, { ...own, ...rest, policies }, "auto");
  const result = await beside(run)(recording, { ...base, staleCauses: true });
  if (!chosen && result.machines.every(onlyOwnDevices)) {
    const again = prepare(recording, { ...rest, policies: choosePolicies([OWN_DEVICE]) }, "auto");
    const found = await run(recording, { ...again.base, staleCauses: true });
    const instead = selectMachines(found, options);
    const affected = instead.machines.map((machine) => judge(machine, null));
    return { asked: again.asked, result: instead, affected };
  }
  const rows = chosen ? null : backEndPolicies(result, kernel);
  if (rows) {
    const again = prepare(recording, { ...rest, ...rows }, "auto");
    const found = await run(recording, { ...again.base, stalePages: true });
    const instead = selectMachines(found, options);
    const affected = instead.machines.map((machine) => judge(machine, toldByProbes(machine)));
    return { asked: again.asked, result: instead, affected };
  }
  const selected = selectMachines(result, options);
  const affected = selected.machines.map((machine) => judge(machine, kernel ?? null));
  return { asked, result: selected, affected };
}

/**
 * What to ask instead where all devices are of back ends in user space: the rows that the probes of the
 * recording name, or else those that were measured and that such devices can have. What kernel the host has,
 * which a file of the case tells, says nothing of them. Null: other devices, or the user says which ran.
 */
export function backEndPolicies(
  { machines }: Pick<ReplayResult, "machines">,
  kernel: Ran | undefined,
): Pick<CommonOptions, "policies" | "ran"> | null {
  if (kernel && !KERNELS.some(({ name }) => name === kernel.policy.name)) return null;
  if (machines.length === 0 || !machines.every(onlyBackEnds)) return null;
  const rows = machines.flatMap((machine) => {
    const told = toldByProbes(machine);
    if (told) return [told.policy];
    return BACK_ENDS.filter(
      (row) => row.program !== undefined && fitsDevices(row, usedOf(machine)),
    );
  });
  const policies = [...new Set(rows)];
  if (policies.length === 0) return null;
  const named = machines.every((machine) => toldByProbes(machine) !== null);
  return {
    policies: policies.map((policy) => ({ policy, alias: null })),
    ...(named && policies.length === 1 ? { ran: policies[0]! } : {}),
  };
}

const usedOf = ({ devices }: MachineResult): DeviceSummary[] =>
  devices.filter(({ queues }) => queues.length > 0);

/** The back end of a machine, where the probes of the recording name one and the same for all its devices. */
function toldByProbes(machine: MachineResult): Ran | null {
  const [name, ...others] = new Set(usedOf(machine).map(({ backEnd }) => backEnd));
  if (name === undefined || name === null || others.length > 0) return null;
  const toldBy = "the probes of the recording";
  return { policy: findPolicy(name), toldBy, release: name, reason: null, sure: true };
}

/**
 * 0: the kernel that ran left nothing behind; where it is not told, no policy does. 1: pages are stale
 * or lost. 3: of a machine at least there is no verdict, or pages may be missing from what is
 * counted (`leavesOpen`).
 */
export function statusOf({ affected, result }: Pick<Answer, "affected" | "result">): 0 | 1 | 3 {
  return worstStatus(result.machines.map((machine, i) => machineStatus(machine, affected[i]!)));
}

/** The same of one machine. */
export function machineStatus(machine: MachineResult, affected: Affected): 0 | 1 | 3 {
  if (!machine.verdict) return 3;
  const some =
    affected.policy !== null
      ? affected.answer === "affected"
      : machine.policies.some(({ lost }) => lost !== null && lost > 0);
  if (some) return 1;
  return leavesOpen(machine) ? 3 : 0;
}

function onlyOwnDevices(machine: MachineResult): boolean {
  const used = usedOf(machine);
  return used.length > 0 && used.every(({ driver }) => driver.endsWith("(QEMU)"));
}

function onlyBackEnds(machine: MachineResult): boolean {
  const used = usedOf(machine);
  return used.length > 0 && used.every(({ driver }) => driver.startsWith("vhost-user"));
}

/** The judgement over a replay against `reportPolicies(kernel)`, or other policies. */
export function judge(result: MachineResult, kernel: Ran | null): Affected {
  const ownDevices = onlyOwnDevices(result);
  const name = kernel?.policy.name ?? (ownDevices ? OWN_DEVICE : null);
  const backEnd = onlyBackEnds(result);
  const row = result.policies.find((one) => one.name === name) ? name : null;
  // A kernel's row says nothing of a process that logs by itself.
  const ofKernel = KERNELS.some((one) => one.name === row);
  const policy = backEnd && ofKernel ? null : row;
  const ended = givenUpBy(result);
  const migration = ended === null ? toldByQemu(result) : null;
  // Without a kernel the first policy is spoken of: the unpatched one.
  const judged = policy ?? result.policies[0]?.name ?? null;
  const verdict = migration?.verdicts.find((one) => one.policy === judged) ?? null;
  const measure = migration ? "stale" : "lost";
  const lost = result.policies.find((row) => row.name === judged)?.lost ?? 0;
  const pages = migration ? (verdict?.best ?? 0) : lost;
  const possibly = verdict ? (verdict.worst ?? 0) - (verdict.best ?? 0) : 0;
  const counts = verdict ? verdict.causes : lostByCause(result, judged);
  const saved = new Map<string, SavedPages>();
  const unsaved: UnsavedPages[] = [];
  for (const { cause, pages: count } of counts) {
    const patches = backEnd ? null : patchesFor(cause, result.window);
    if (patches === null) {
      unsaved.push({ cause, pages: count });
      continue;
    }
    const key = patches.join();
    saved.set(key, { patches, pages: (saved.get(key)?.pages ?? 0) + count });
  }
  const sets = [...saved.values()].sort((a, b) => b.pages - a.pages);
  const used = new Set(sets.flatMap(({ patches }) => patches));
  const any = pages + possibly > 0;
  return {
    answer: answerOf(result, policy, any),
    ...{ kernel, policy, ownDevices, backEnd, measure, givenUp: ended, pages, possibly },
    saved: sets,
    unsaved,
    patches: PATCHES.filter(({ number }) => used.has(number)).map((patch) => ({
      ...patch,
      stable: stableTrees(patch.number),
    })),
    unattributed: verdict?.pagesWithoutEvidence ?? 0,
  };
}

/** null: no migration is recorded, or one that was not given up. */
function givenUpBy(machine: MachineResult): Affected["givenUp"] {
  const main = mainMigration(machine);
  const all = machine.askedMigration === undefined ? machine.migrations : main ? [main] : [];
  if (main === null || !all.every(givenUp)) return null;
  return main.outcome === "failed" ? "failed" : "cancelled";
}

function answerOf(result: MachineResult, policy: string | null, any: boolean): Affected["answer"] {
  if (!result.verdict || policy === null) return "unknown";
  if (any) return "affected";
  return leavesOpen(result) ? "unknown" : "not-affected";
}

function lostByCause(result: MachineResult, policy: string | null): MigrationVerdict["causes"] {
  const counts = new Map<string, number>();
  const own = result.findings.filter((finding) => finding.policy === policy);
  for (const { cause, pages } of own) counts.set(cause, (counts.get(cause) ?? 0) + pages);
  // Sums over rounds; of a single cause the distinct pages are known.
  const [only] = counts.keys();
  const lost = result.policies.find(({ name }) => name === policy)?.lost;
  if (counts.size === 1 && lost !== undefined && lost !== null) counts.set(only!, lost);
  return [...counts].map(([cause, pages]) => ({ cause, pages }));
}

function byNumbers(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((number, i) => number !== b[i]);
  return at < 0 ? 0 : a[at]! - (b[at] ?? -1);
}

/** Stable trees that took a patch, with the first release that has it: `6.1.146`. */
function stableTrees(patch: number): string[] {
  const first = new Map<string, number>();
  for (const { series, trees } of KERNELS) {
    if (!series.patches.includes(patch)) continue;
    for (const [tree, from] of trees) first.set(tree, Math.min(first.get(tree) ?? from, from));
  }
  // A tree whose release has it already took nothing.
  const had = (tree: string): boolean => {
    const [major, minor] = tree.split(".").map(Number) as [number, number];
    const row = MAINLINE.findLast(
      ({ mainline }) => mainline![0] < major || (mainline![0] === major && mainline![1] <= minor),
    );
    return row?.series.patches.includes(patch) === true;
  };
  return [...first]
    .filter(([tree]) => !had(tree))
    .map(([tree, from]) => [...tree.split(".").map(Number), from])
    .sort(byNumbers)
    .map((release) => release.join("."));
}
