/**
 * What each guest page was under one policy, from moment to moment: what the map of guest memory over
 * time is drawn from. Stale, possible and healed come from the core's own states; here only what a
 * policy logged is followed, and recordings without a migration.
 */
import { PageRuns } from "../model/page-runs.ts";
import type { PageRun } from "../model/result.ts";
import {
  BLOCK_PAGES,
  eachLane,
  Lane,
  LaneChanges,
  type PageStates,
  writtenBlocks,
} from "./lanes.ts";
import type { HistoryTable, MachineHistory } from "./read-history.ts";
import { PAGE_STATES, ROUND_SETS, SEND_KINDS, VERDICT_SETS } from "./tables.ts";

const BEGIN = PAGE_STATES.indexOf("begin");
const MISSING = PAGE_STATES.indexOf("missing");
const UNSENT = PAGE_STATES.indexOf("unsent");
const POSSIBLE = PAGE_STATES.indexOf("possible");
const LIKELY = PAGE_STATES.indexOf("likely");
const RESENT = PAGE_STATES.indexOf("healed-resend");
const CPU = SEND_KINDS.indexOf("cpu");
const LOGGED_SET = ROUND_SETS.indexOf("logged");
const WRITTEN_SET = ROUND_SETS.indexOf("written");

/** How the parts of a history lie to each other in time. */
interface Moments {
  /** When each round ended, from the header's origin; the last one is open. */
  roundEnds: number[];
  /** When each migration was over. */
  migrationEnds: number[];
  end: number;
}

function momentsOf(machine: MachineHistory, originNs: string): Moments {
  const origin = BigInt(originNs);
  const from = (ns: string): number => Number(BigInt(ns) - origin);
  const lasts = machine.result.inputs.flatMap(({ lastNs }) =>
    lastNs === null ? [] : [from(lastNs)],
  );
  const end = lasts.length === 0 ? 0 : lasts.reduce((a, b) => Math.max(a, b));
  return {
    roundEnds: machine.result.rounds.map(({ sync }) => (sync === null ? end : from(sync.ns))),
    migrationEnds: machine.result.migrations.map(({ endNs }) =>
      endNs === null ? end : from(endNs),
    ),
    end,
  };
}

/**
 * The states of all pages under a policy (its position in the machine's list). `settle`: at the end of
 * each migration a page becomes what the verdict says of it, which knows more than its last moment did:
 * that sends were not recorded, or that another policy made the recording. `overLogging`: pages that the
 * policy logged and nothing wrote are told too, from the sync on that found them until they are sent.
 */
export function pageStates(
  machine: MachineHistory,
  originNs: string,
  policy: number,
  settle = true,
  overLogging = false,
): PageStates {
  const blocks = writtenBlocks(machine);
  const changes = new LaneChanges(blocks.length * BLOCK_PAGES);
  const moments = momentsOf(machine, originNs);
  const over = overLogging ? overLoggedRuns(machine, policy) : [];
  if (hasStates(machine)) followEvents(machine, moments, policy, blocks, changes, settle, over);
  else followRounds(machine, moments, policy, blocks, changes, over);
  return changes.byLane(blocks);
}

/**
 * Whether the states of pages in a migration are told: one that QEMU tells of (ioctls alone do not say that
 * it was one), in a history of single events.
 */
export function hasStates(machine: MachineHistory): boolean {
  return (
    machine.result.migrations.some(({ from }) => from === "qemu") &&
    machine.table("states").length > 0
  );
}

/** By round: runs that the policy logged and nothing wrote. */
function overLoggedRuns(machine: MachineHistory, policy: number): PageRun[][] {
  const { loggedRow, writtenRow } = machine.policies[policy]!;
  const rounds = machine.table("rounds");
  const sets: { logged: PageRuns; written: PageRuns }[] = [];
  for (let i = 0; i < rounds.length; i++) {
    const at = rounds.round[i]!;
    while (sets.length <= at) sets.push({ logged: new PageRuns(), written: new PageRuns() });
    const [set, row] = [rounds.set[i], rounds.row[i]];
    const own = sets[at]!;
    if (set === LOGGED_SET && row === loggedRow)
      own.logged.append(rounds.page[i]!, rounds.pages[i]!);
    if (set === WRITTEN_SET && row === writtenRow)
      own.written.append(rounds.page[i]!, rounds.pages[i]!);
  }
  return sets.map(({ logged, written }) => logged.subtract(written).toArray());
}

/** At a sync: what was logged for nothing is sent for nothing. */
function markOverLogged(
  runs: readonly PageRun[],
  blocks: Uint32Array,
  changes: LaneChanges,
  ns: number,
): void {
  for (const { gfn, pages } of runs) {
    eachLane(blocks, gfn, pages, (lane) => {
      const now = changes.now[lane]!;
      if (now === Lane.None || now === Lane.Healed) changes.set(lane, ns, Lane.OverLogged);
    });
  }
}

/** 1 for each of these causes, by number. */
function causeTable(causes: readonly number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const cause of causes) table[cause] = 1;
  return table;
}

/** A migration: what the core says of pages, and what the policy logged and was not sent yet. */
function followEvents(
  machine: MachineHistory,
  { migrationEnds, roundEnds, end }: Moments,
  policy: number,
  blocks: Uint32Array,
  changes: LaneChanges,
  settle: boolean,
  over: readonly (readonly PageRun[])[],
): void {
  const { row, logs, counts } = machine.policies[policy]!;
  const writes = machine.table("writes");
  const sends = machine.table("sends");
  const states = machine.table("states");
  const bit = 2 ** row;
  const logged = causeTable(logs.filter((cause) => counts.includes(cause)));
  let migration = -1;
  let settled = -1;
  let round = 0;
  /** Blue pages of a migration without sends: until they are harvested. */
  let waiting: number[] = [];
  let harvests = false;
  let unsure = false;
  /** No page is certain: some may have been sent again as zeros, unseen. */
  let unseen = false;
  let whatIf = false;
  let w = 0;
  let s = 0;
  let t = 0;
  const time = (ns: Float64Array, i: number): number => ns[i] ?? Number.POSITIVE_INFINITY;
  while (true) {
    const write = time(writes.ns, w);
    const state = time(states.ns, s);
    const send = time(sends.ns, t);
    const next = Math.min(write, state, send);
    if (settle && migration > settled && next > migrationEnds[migration]!) {
      settled = migration;
      settleMigration(machine, migration, policy, blocks, changes, migrationEnds[migration]!);
      continue;
    }
    if (harvests && waiting.length > 0 && next > (roundEnds[round] ?? end)) {
      for (const lane of waiting) {
        if (changes.now[lane] === Lane.Logged)
          changes.set(lane, roundEnds[round] ?? end, Lane.None);
      }
      waiting = [];
    }
    while (round < roundEnds.length && next > roundEnds[round]!) {
      markOverLogged(over[round] ?? [], blocks, changes, roundEnds[round]!);
      round++;
    }
    if (next === Number.POSITIVE_INFINITY) return;
    if (write === next) {
      if (migration >= 0 && logged[writes.cause[w]!]) {
        eachLane(blocks, writes.page[w]!, writes.pages[w]!, (lane) => {
          const now = changes.now[lane]!;
          if (now !== Lane.None && now !== Lane.Healed && now !== Lane.OverLogged) return;
          changes.set(lane, write, Lane.Logged);
          if (harvests) waiting.push(lane);
        });
      }
      w++;
    } else if (state === next) {
      const kind = states.state[s]!;
      if (kind === BEGIN) {
        migration++;
        clearLanes(changes, state);
        const { sendTimes, outcome, verdicts, zeroResendsAtMost } =
          machine.result.migrations[migration] ?? {};
        whatIf = verdicts?.[policy]?.whatIf ?? false;
        harvests = sendTimes === "none" || sendTimes === "packets";
        unsure = outcome === "unfinished";
        unseen = zeroResendsAtMost !== 0;
      } else if (Math.floor(states.rows[s]! / bit) % 2 === 1) {
        // Under another policy than the one that ran the page would perhaps not have been sent again.
        const lane = whatIf && kind === RESENT ? Lane.Possible : laneState(kind, unsure, unseen);
        eachLane(blocks, states.page[s]!, states.pages[s]!, (at) => changes.set(at, state, lane));
      }
      s++;
    } else {
      if (sends.kind[t] !== CPU) {
        eachLane(blocks, sends.page[t]!, sends.pages[t]!, (lane) => {
          const now = changes.now[lane];
          if (now === Lane.Logged || now === Lane.OverLogged) changes.set(lane, send, Lane.None);
        });
      }
      t++;
    }
  }
}

function laneState(state: number, unsure: boolean, unseen: boolean): Lane {
  if (state === MISSING || state === LIKELY) {
    if (unsure) return Lane.Possible;
    return state === LIKELY || unseen ? Lane.Likely : Lane.Stale;
  }
  if (state === UNSENT) return Lane.Unsent;
  return state === POSSIBLE ? Lane.Possible : Lane.Healed;
}

function clearLanes(changes: LaneChanges, ns: number): void {
  for (let lane = 0; lane < changes.now.length; lane++) changes.set(lane, ns, Lane.None);
}

const SETTLED: Readonly<Record<string, Lane>> = {
  stale: Lane.Stale,
  "likely-stale": Lane.Likely,
  "possibly-stale": Lane.Possible,
};

/** At the end of a migration its verdict counts. */
function settleMigration(
  machine: MachineHistory,
  migration: number,
  policy: number,
  blocks: Uint32Array,
  changes: LaneChanges,
  ns: number,
): void {
  const { verdicts: judged } = machine.result.migrations[migration]!;
  const final = new Uint8Array(changes.now.length);
  const verdicts: HistoryTable<"verdicts"> = machine.table("verdicts");
  for (let i = 0; i < verdicts.length; i++) {
    if (verdicts.migration[i] !== migration || verdicts.policy[i] !== policy) continue;
    const set = VERDICT_SETS[verdicts.set[i]!];
    const lane = SETTLED[set ?? ""] ?? Lane.Healed;
    eachLane(blocks, verdicts.page[i]!, verdicts.pages[i]!, (at) => {
      final[at] = lane;
    });
  }
  for (let lane = 0; lane < final.length; lane++) {
    const now = changes.now[lane]!;
    // A migration that was given up leaves nothing stale, and no verdict.
    const open =
      now === Lane.Stale || now === Lane.Likely || now === Lane.Unsent || now === Lane.Possible;
    if (final[lane] !== Lane.None) changes.set(lane, ns, final[lane]!);
    else if (open) changes.set(lane, ns, judged.length === 0 ? Lane.None : Lane.Healed);
  }
}

/**
 * Without a migration, or without single events, from round to round:
 * `stale = (stale | written) & ~logged`. What is left out is possibly stale, as nothing is known of sends;
 * with single events it is so from its first write on.
 */
function followRounds(
  machine: MachineHistory,
  { roundEnds, end }: Moments,
  policy: number,
  blocks: Uint32Array,
  changes: LaneChanges,
  over: readonly (readonly PageRun[])[],
): void {
  const own = machine.policies[policy]!;
  const rounds = machine.table("rounds");
  const writes = machine.table("writes");
  const written = causeTable(own.counts.filter((cause) => !own.logs.includes(cause)));
  const logged = causeTable(own.counts.filter((cause) => own.logs.includes(cause)));
  let w = 0;
  let from = 0;
  for (let round = 0, i = 0; i < rounds.length || round < roundEnds.length; round++) {
    const ns = roundEnds[round] ?? end;
    for (; w < writes.length && writes.ns[w]! <= ns; w++) {
      const out = written[writes.cause[w]!];
      if (!out && !logged[writes.cause[w]!]) continue;
      eachLane(blocks, writes.page[w]!, writes.pages[w]!, (lane) => {
        const now = changes.now[lane]!;
        if (out) changes.set(lane, writes.ns[w]!, Lane.Possible);
        else if (now === Lane.None || now === Lane.Healed || now === Lane.OverLogged) {
          changes.set(lane, writes.ns[w]!, Lane.Logged);
        }
      });
    }
    const start = i;
    while (i < rounds.length && rounds.round[i] === round) i++;
    const each = (set: number, row: number, use: (lane: number) => void): void => {
      for (let at = start; at < i; at++) {
        if (rounds.set[at] !== set || rounds.row[at] !== row) continue;
        eachLane(blocks, rounds.page[at]!, rounds.pages[at]!, use);
      }
    };
    // A round is known as a whole: its pages are written when it begins.
    if (writes.length === 0)
      each(WRITTEN_SET, own.writtenRow, (lane) => changes.set(lane, from, Lane.Possible));
    each(LOGGED_SET, own.loggedRow, (lane) => {
      const covered = changes.now[lane] === Lane.Possible;
      changes.set(lane, ns, covered ? Lane.Healed : Lane.None);
    });
    markOverLogged(over[round] ?? [], blocks, changes, ns);
    from = ns;
  }
}
