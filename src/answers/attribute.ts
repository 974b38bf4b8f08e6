/**
 * Which patches of the series save which lost pages. The choices of patches differ in a few masks
 * only; a replay with one row for each says which choice leaves which page lost, and the smallest
 * that does not is the page's saving set.
 */

import type { LogWindow, MachineResult, PageRun, PolicyResult } from "../model/result.ts";
import { type Recording, replay } from "../replay/replay.ts";
import { assumeLogging, type CauseMask, causeMask } from "../vhost/causes.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import type { Policy } from "../vhost/policy-row.ts";
import { seriesPolicy } from "../vhost/policy-row.ts";
import {
  LOGGING_PATCHES,
  NO_PATCHES,
  PATCHES,
  patchChoices,
  patchList,
  type Series,
  seriesLogs,
} from "../vhost/series.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { type MachineOptions, selectMachines, worstStatus } from "./machines.ts";
import { leavesOpen } from "./open.ts";
import type { Replayer } from "./replayer.ts";

export type Options = Pick<CommonOptions, "window" | "signal" | keyof MachineOptions>;

export interface Answer extends CommonAnswer {
  /** One a machine, in the order of `result.machines`. */
  attributions: Attribution[];
}

/** Throws what `replay` throws. */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const policies = attributionPolicies();
  const { asked, base } = prepare(recording, { ...options, policies }, "auto");
  const found = await run(recording, { ...base, runLimit: ATTRIBUTE_RUNS });
  const result = selectMachines(found, options);
  return { asked, result, attributions: result.machines.map(attributePages) };
}

/**
 * 0: nothing is lost, or the series saves all of it. 1: pages stay lost. 3: no verdict, or pages may
 * be missing from what is counted (`leavesOpen`).
 */
export function statusOf({
  attributions,
  result,
}: Pick<Answer, "attributions" | "result">): 0 | 1 | 3 {
  return worstStatus(
    attributions.map(({ lost, prefix }, i) => {
      if (lost === null) return 3;
      if (prefix === null) return 1;
      return leavesOpen(result.machines[i]!) ? 3 : 0;
    }),
  );
}

/** Runs of lost pages that a replay must keep a row for `attributePages`. */
export const ATTRIBUTE_RUNS = 65536;

/** Runs that a set of pages lists. */
const LISTED_RUNS = 64;

/** Pages as runs: at most `LISTED_RUNS`, and how many more. */
export interface PageSet {
  pages: number;
  runs: PageRun[];
  moreRuns: number;
}

/** Pages that these patches save and no fewer do. */
export interface SavingSet extends PageSet {
  patches: number[];
}

/** Lost pages of one queue and one cause. A page counts for the first write that touched it. */
export interface LostByQueue {
  device: number;
  queue: number | null;
  cause: string;
  pages: number;
  requests: number;
  /** The fewest patches that log this cause; null when no choice of patches does. */
  patches: number[] | null;
}

/** The answer: where pages go that a kernel without the series loses. */
export interface Attribution {
  window: LogWindow;
  windowWhy: MachineResult["windowWhy"];
  /** Distinct pages that a kernel with none of the patches loses in some round; null: not known. */
  lost: number | null;
  /** Fewest patches first. */
  sets: SavingSet[];
  /** Pages that no choice of patches saves, and by which causes they are lost. */
  unsaved: PageSet & { causes: LostByQueue[] };
  /** Lost pages in no set, because they lie in too many runs. */
  unlisted: number;
  /** For each patch, pages whose saving set has it. */
  patches: { number: number; title: string; pages: number }[];
  /** Pages still lost with patches 1 to `upTo`; 0 is none of them; null: not known. */
  prefixes: { upTo: number; lost: number | null }[];
  /** The smallest prefix that loses nothing; null when the whole series does. */
  prefix: number | null;
  queues: LostByQueue[];
  /** Findings that the replay did not keep: `queues` and `unsaved.causes` are incomplete. */
  moreFindings: number;
}

/** A choice of patches that stands for all choices with the same mask. */
export interface PatchRow {
  patches: number[];
  policy: Policy;
}

function withPatches(patches: readonly number[]): Series {
  return { ...NO_PATCHES, patches, buffers: "lazy" };
}

function makeRows(): PatchRow[] {
  const rows = new Map<CauseMask, PatchRow>();
  // The other patches change no mask, so no smallest choice has one of them.
  for (const patches of patchChoices(LOGGING_PATCHES)) {
    const series = withPatches(patches);
    const logs = seriesLogs(series);
    if (rows.has(logs)) continue;
    const name = `series:${patchList(patches)}`;
    rows.set(logs, { patches, policy: seriesPolicy(series, { name, title: name, evidence: [] }) });
  }
  return [...rows.values()];
}

let made: readonly PatchRow[] | undefined;

/**
 * One row for each distinct mask, fewest patches first: the first is a kernel with none. Made when it is
 * first asked for: it takes longer than reading a small recording.
 */
export function patchRows(): readonly PatchRow[] {
  made ??= makeRows();
  return made;
}

function baseRow(): PatchRow {
  return patchRows()[0]!;
}

function wholeRow(): PatchRow {
  return rowOf(PATCHES.map((patch) => patch.number));
}

function rowOf(patches: readonly number[]): PatchRow {
  const logs = seriesLogs(withPatches(patches));
  return patchRows().find((row) => row.policy.logs === logs)!;
}

/** What to replay for `attributePages`; with `runLimit` `ATTRIBUTE_RUNS`. */
export function attributionPolicies(): ChosenPolicy[] {
  // Findings are kept for the first policies first, and those of the two ends are wanted.
  const ends = [baseRow(), wholeRow()];
  const rest = patchRows().filter((row) => !ends.includes(row));
  return [...ends, ...rest].map(({ policy }) => ({ policy, alias: null }));
}

/**
 * The fewest patches that log a cause (`io-logged`) under this reading of the window; null when no
 * choice of patches does.
 */
export function patchesFor(cause: string, window: LogWindow): number[] | null {
  const bit = causeMask(cause);
  const logs = ({ policy }: PatchRow): CauseMask =>
    window === "assumed" ? assumeLogging(policy.logs) : policy.logs;
  return patchRows().find((row) => (logs(row) & bit) !== 0n)?.patches ?? null;
}

/** The attribution of a machine that was replayed against `attributionPolicies()`. */
export function attributePages(result: MachineResult): Attribution {
  const totals = patchRows().map(({ policy }) => totalsOf(result, policy));
  const base = totals[patchRows().indexOf(baseRow())]!;
  const { sets, unsaved, listed } = sweep(totals);
  const lostBy = (policy: Policy): LostByQueue[] =>
    result.findings
      .filter((finding) => finding.policy === policy.name)
      .map(({ device, queue, cause, pages, requests }) => ({
        ...{ device, queue, cause, pages, requests },
        patches: patchesFor(cause, result.window),
      }));
  const prefixes = [0, ...PATCHES.map((patch) => patch.number)].map((upTo) => {
    const row = rowOf(PATCHES.slice(0, upTo).map((patch) => patch.number));
    return { upTo, lost: totals[patchRows().indexOf(row)]!.lost };
  });
  return {
    window: result.window,
    windowWhy: result.windowWhy,
    lost: base.lost,
    sets,
    unsaved: { ...unsaved, causes: lostBy(wholeRow().policy) },
    unlisted: (base.lost ?? 0) - listed,
    patches: PATCHES.map(({ number, title }) => ({
      ...{ number, title },
      pages: sets.reduce((sum, set) => sum + (set.patches.includes(number) ? set.pages : 0), 0),
    })),
    prefixes,
    prefix: prefixes.find((entry) => entry.lost === 0)?.upTo ?? null,
    queues: lostBy(baseRow().policy),
    moreFindings: result.moreFindings,
  };
}

function totalsOf(result: MachineResult, policy: Policy): PolicyResult {
  const totals = result.policies.find((entry) => entry.name === policy.name);
  if (!totals) throw new Error(`bug: ${policy.name} was not replayed`);
  return totals;
}

/** Walks the lost runs of all rows side by side, as far as all of them are known. */
function sweep(totals: readonly PolicyResult[]) {
  const sets = patchRows().map(({ patches }): SavingSet => ({ patches, ...emptySet() }));
  const unsaved = emptySet();
  const known = totals.reduce((end, row) => Math.min(end, knownEnd(row)), Number.POSITIVE_INFINITY);
  const cursors = totals.map((row) => ({ runs: row.lostRuns, at: 0 }));
  let listed = 0;
  for (const run of totals[patchRows().indexOf(baseRow())]!.lostRuns) {
    const end = Math.min(run.gfn + run.pages, known);
    for (let gfn = run.gfn; gfn < end; ) {
      let until = end;
      let saves = -1;
      cursors.forEach((cursor, row) => {
        while (endOf(cursor.runs[cursor.at]) <= gfn) cursor.at++;
        const lost = cursor.runs[cursor.at];
        const begins = lost?.gfn ?? Number.POSITIVE_INFINITY;
        until = Math.min(until, begins > gfn ? begins : endOf(lost));
        if (begins > gfn && saves < 0) saves = row;
      });
      addRun(sets[saves] ?? unsaved, gfn, until - gfn);
      listed += until - gfn;
      gfn = until;
    }
  }
  return { sets: sets.filter((set) => set.pages > 0), unsaved, listed };
}

function emptySet(): PageSet {
  return { pages: 0, runs: [], moreRuns: 0 };
}

function endOf(run: PageRun | undefined): number {
  return run ? run.gfn + run.pages : Number.POSITIVE_INFINITY;
}

/** The page up to which all lost runs of a row are listed. */
function knownEnd(row: PolicyResult): number {
  return row.moreLostRuns === 0 ? Number.POSITIVE_INFINITY : endOf(row.lostRuns.at(-1));
}

function addRun(set: PageSet, gfn: number, pages: number): void {
  set.pages += pages;
  const last = set.runs.at(-1);
  if (last && set.moreRuns === 0 && endOf(last) === gfn) last.pages += pages;
  else if (set.runs.length < LISTED_RUNS) set.runs.push({ gfn, pages });
  else set.moreRuns++;
}
