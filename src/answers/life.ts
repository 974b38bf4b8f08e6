/** What happened to some guest pages? Every write, every sync, and who logged what: `explain`. */

import type { HealedBy } from "../model/migration-result.ts";
import { type GpaRange, PAGE_BYTES, wholePages } from "../model/pages.ts";
import { UsageError } from "../model/place.ts";
import type { MachineResult, PageRun, SyncMark } from "../model/result.ts";
import type { WatchedWrite } from "../model/told.ts";
import { beside } from "../replay/beside.ts";
import { type Recording, replay } from "../replay/replay.ts";
import { assumeLogging, causesOf, WINDOW } from "../vhost/causes.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { machineNumber, selectMachines } from "./machines.ts";
import { type Travel, travelOf } from "./page-travel.ts";
import type { Replayer } from "./replayer.ts";
import { toldByQemu } from "./stale.ts";

/** Page sets are kept for the watched range, so it is bounded. */
const MOST_BYTES = 2 ** 30;
const KEPT_EVENTS = 10_000;

export interface Options extends CommonOptions {
  /** Bytes of guest memory; the answer is about all pages that it touches. At most 1 GiB. */
  range: GpaRange;
  /** Writes and syncs that are kept; the others are counted. */
  keep?: number;
}

/** What a policy's dirty log makes of the pages at the destination. */
export interface PageVerdict {
  policy: string;
  stale: number;
  possibly: number;
  /** Pages whose unlogged writes were covered later, by what. */
  healed: { by: HealedBy; pages: number }[];
}

export interface Answer extends CommonAnswer {
  /** One a machine, in the order of `result.machines`. */
  lives: PageLife[];
}

/** Throws what `replay` throws, and UsageError for a range that is too long. */
export async function ask(
  recording: Recording,
  options: Options,
  run: Replayer = replay,
): Promise<Answer> {
  const range = wholePages(options.range);
  if (range.len > MOST_BYTES) throw new UsageError("the life of pages is told for at most 1 GiB");
  const { asked, base } = prepare(recording, options, "auto");
  const { keep = KEPT_EVENTS } = options;
  const wanted = await machineNumber(recording, options, base, run);
  const recorders = new Map<number, Readings>();
  const recorderOf = (machine: number): Readings => {
    const before = recorders.get(machine);
    const readings = before ?? readingsOf(range, base.policies, keep);
    if (!before) recorders.set(machine, readings);
    return readings;
  };
  const result = await beside(run)(recording, {
    ...base,
    watch: range,
    onWrite(write) {
      if (wanted !== null && write.machine !== wanted) return;
      const { recorded, assumed } = recorderOf(write.machine);
      recorded.write(write);
      assumed.write(write);
    },
    onSync(view) {
      if (wanted !== null && view.machine !== wanted) return;
      const { recorded, assumed } = recorderOf(view.machine);
      recorded.sync(view.round.index, view.mark);
      assumed.sync(view.round.index, view.mark);
    },
  });
  const selected = selectMachines(result, options);
  const migrated = selected.machines.find((machine) => toldByQemu(machine) !== null);
  const travel = migrated ? await travelOf(recording, range, keep, options.signal) : null;
  const lives = selected.machines.map((machine): PageLife => {
    const { recorded, assumed } = recorderOf(machine.number);
    const life = (machine.window === "assumed" ? assumed : recorded).life();
    return {
      ...life,
      travel: machine === migrated ? travel : null,
      verdicts: pageVerdicts(machine, range),
    };
  });
  return { asked, result: selected, lives };
}

/** Whether logging was ever on is known at the end only, so both readings are kept. */
interface Readings {
  recorded: LifeRecorder;
  assumed: LifeRecorder;
}

function readingsOf(range: GpaRange, policies: readonly ChosenPolicy[], keep: number): Readings {
  return {
    recorded: recordLife(range, policies, keep, false),
    assumed: recordLife(range, policies, keep, true),
  };
}

/** What the policies of the migration that QEMU tells of say of these pages. */
function pageVerdicts(machine: MachineResult, range: GpaRange): PageVerdict[] {
  return (toldByQemu(machine)?.verdicts ?? []).flatMap((verdict) =>
    verdict.best === null
      ? []
      : {
          policy: verdict.policy,
          stale: within(verdict.stale, range),
          possibly: within([...verdict.likelyStale, ...verdict.possiblyStale], range),
          healed: verdict.healed
            .map(({ by, runs }) => ({ by, pages: within(runs, range) }))
            .filter(({ pages }) => pages > 0),
        },
  );
}

/** Pages of these runs in a range of whole pages. */
function within(runs: readonly PageRun[], { gpa, len }: GpaRange): number {
  const [from, to] = [gpa / PAGE_BYTES, (gpa + len) / PAGE_BYTES];
  return runs.reduce(
    (sum, run) => sum + Math.max(0, Math.min(run.gfn + run.pages, to) - Math.max(run.gfn, from)),
    0,
  );
}

/** 0: a life is no verdict. */
export function statusOf(_: Answer): 0 {
  return 0;
}

/** One thing that happened to the watched pages, in time order. */
export type LifeEvent =
  | { kind: "write"; write: WatchedWrite }
  | { kind: "sync"; round: number; mark: SyncMark; lost: readonly number[] };

/** What one policy did for the watched pages. */
export interface PolicyLife {
  name: string;
  alias: string | null;
  /** Writes whose pages it logs. */
  loggedWrites: number;
  /** Rounds in which a watched page was written and not logged. */
  lostRounds: number[];
  /** Distinct watched pages lost in any round. */
  lostPages: number;
}

/** The finished life. */
export interface Life {
  gpa: number;
  len: number;
  events: LifeEvent[];
  /** Writes that were counted and not kept. */
  moreEvents: number;
  writes: number;
  /** Writes outside the logging window: no policy answers for them. */
  outside: number;
  policies: PolicyLife[];
}

/** The life of the pages in one machine, and how they came to the destination. */
export interface PageLife extends Life {
  /** How the pages travelled; null without a migration that QEMU's events tell. */
  travel: Travel | null;
  /** Of that migration, one a policy. */
  verdicts: PageVerdict[];
}

/** Collects a life while a replay runs. */
export interface LifeRecorder {
  write(write: WatchedWrite): void;
  /** Ends a round; `mark` null for the one that no sync ends. */
  sync(round: number, mark: SyncMark | null): void;
  life(): Life;
}

/**
 * Watches a range of whole pages, keeps at most `keep` events. Its memory grows with
 * the watched pages, not with the recording. A page is lost in a round when it was written inside
 * the window and no write of that round that the policy logs touched it. `assumed`: every write is
 * inside the window, otherwise those whose cause does not end in `off` are.
 */
export function recordLife(
  { gpa, len }: GpaRange,
  policies: readonly ChosenPolicy[],
  keep: number,
  assumed: boolean,
): LifeRecorder {
  const life: Life = { gpa, len, events: [], moreEvents: 0, writes: 0, outside: 0, policies: [] };
  const written = new Set<number>();
  const inWindow = new Set(causesOf(WINDOW));
  const rows = policies.map(({ policy, alias }) => ({
    logs: new Set(causesOf(assumed ? assumeLogging(policy.logs) : policy.logs)),
    result: { name: policy.name, alias, loggedWrites: 0, lostRounds: [] as number[], lostPages: 0 },
    logged: new Set<number>(),
    everLost: new Set<number>(),
  }));
  const add = (event: LifeEvent) => {
    if (life.events.length < keep) life.events.push(event);
    else life.moreEvents += 1;
  };
  return {
    write(write) {
      life.writes += 1;
      const loggedBy = rows
        .filter(({ logs }) => logs.has(write.cause))
        .map(({ result }) => result.name);
      add({ kind: "write", write: { ...write, loggedBy } });
      const inside = assumed || inWindow.has(write.cause);
      if (!inside) life.outside += 1;
      const pages = watchedPages(write, gpa, len);
      if (inside) for (const gfn of pages) written.add(gfn);
      for (const row of rows) {
        if (!row.logs.has(write.cause)) continue;
        row.result.loggedWrites += 1;
        for (const gfn of pages) row.logged.add(gfn);
      }
    },
    sync(round, mark) {
      const lost = rows.map((row) => {
        const pages = [...written].filter((gfn) => !row.logged.has(gfn));
        for (const gfn of pages) row.everLost.add(gfn);
        if (pages.length > 0) row.result.lostRounds.push(round);
        row.logged.clear();
        return pages.length;
      });
      written.clear();
      if (mark !== null) add({ kind: "sync", round, mark, lost });
    },
    life() {
      life.policies = rows.map((row) => ({ ...row.result, lostPages: row.everLost.size }));
      return life;
    },
  };
}

function watchedPages(write: WatchedWrite, gpa: number, len: number): number[] {
  const from = Math.floor(Math.max(write.gpa, gpa) / PAGE_BYTES);
  const to = Math.ceil(Math.min(write.gpa + write.len, gpa + len) / PAGE_BYTES);
  return Array.from({ length: Math.max(to - from, 0) }, (_, index) => from + index);
}
