/**
 * What each guest page was under one policy, from moment to moment: what the map of guest memory over
 * time is drawn from. Stale, possible and healed come from the core's own states; here only what a
 * policy logged is followed, and recordings without a migration.
 *
 * Pages are lanes: 512 for each 2 MiB block that a device wrote, in the order of addresses. A lane's
 * segments lie together, in the order of time; before the first one it is `None`.
 */
import type { HistoryTable, MachineHistory } from "./read-history.ts";
import { PAGE_STATES, ROUND_SETS, SEND_KINDS, VERDICT_SETS } from "./tables.ts";

export enum Lane {
  None = 0,
  /** Left out of the log after the page was sent: the destination has old bytes. */
  Stale,
  /** Left out of the log, the page not sent yet. */
  Unsent,
  /** Left out of the log; whether the page was sent after that is not known. */
  Possible,
  /** Left out of the log, and covered since. */
  Healed,
  /** Written and logged, not sent since. */
  Logged,
}

/** Pages of a block: 2 MiB. */
export const BLOCK_PAGES = 512;

export interface PageStates {
  /** Numbers of the blocks that have lanes, ascending: page / 512. */
  readonly blocks: Uint32Array;
  /** Lane n's segments are from `first[n]` to `first[n + 1]`. */
  readonly first: Uint32Array;
  readonly ns: Float64Array;
  readonly state: Uint8Array;
}

/** The page of a lane. */
export function pageOfLane(states: Pick<PageStates, "blocks">, lane: number): number {
  return states.blocks[lane >>> 9]! * BLOCK_PAGES + (lane & 511);
}

/** The lane of a page; -1 when its block has none. */
export function laneOfPage(blocks: Uint32Array, page: number): number {
  const block = Math.floor(page / BLOCK_PAGES);
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (blocks[middle]! < block) low = middle + 1;
    else high = middle;
  }
  return blocks[low] === block ? low * BLOCK_PAGES + (page % BLOCK_PAGES) : -1;
}

/** Blocks that a device wrote, and those that a policy logged or left out. */
export function writtenBlocks(machine: MachineHistory): Uint32Array {
  const seen = new Set<number>();
  const add = (page: number, pages: number): void => {
    const last = Math.floor((page + pages - 1) / BLOCK_PAGES);
    for (let block = Math.floor(page / BLOCK_PAGES); block <= last; block++) seen.add(block);
  };
  for (const { length, page, pages } of [
    machine.table("writes"),
    machine.table("states"),
    machine.table("rounds"),
  ]) {
    let before = -1;
    for (let i = 0; i < length; i++) {
      if (pages[i] === 0) continue;
      const block = Math.floor(page[i]! / BLOCK_PAGES);
      if (block === before && page[i]! % BLOCK_PAGES < BLOCK_PAGES - pages[i]!) continue;
      before = block;
      add(page[i]!, pages[i]!);
    }
  }
  return Uint32Array.from(seen).sort();
}

/** Changes of lanes in the order of time, as they are found. */
class Changes {
  lane = new Uint32Array(1 << 12);
  ns = new Float64Array(1 << 12);
  state = new Uint8Array(1 << 12);
  count = 0;
  /** What each lane is now. */
  readonly now: Uint8Array;

  constructor(lanes: number) {
    this.now = new Uint8Array(lanes);
  }

  set(lane: number, ns: number, state: Lane): void {
    if (this.now[lane] === state) return;
    this.now[lane] = state;
    if (this.count === this.lane.length) this.#grow();
    this.lane[this.count] = lane;
    this.ns[this.count] = ns;
    this.state[this.count++] = state;
  }

  #grow(): void {
    const size = this.lane.length * 2;
    const [lane, ns, state] = [this.lane, this.ns, this.state];
    this.lane = new Uint32Array(size);
    this.ns = new Float64Array(size);
    this.state = new Uint8Array(size);
    this.lane.set(lane);
    this.ns.set(ns);
    this.state.set(state);
  }

  /** By lane, each in the order of time. */
  byLane(blocks: Uint32Array): PageStates {
    const first = new Uint32Array(this.now.length + 1);
    for (let i = 0; i < this.count; i++) first[this.lane[i]! + 1]!++;
    for (let lane = 0; lane < this.now.length; lane++) first[lane + 1]! += first[lane]!;
    const next = first.slice();
    const ns = new Float64Array(this.count);
    const state = new Uint8Array(this.count);
    for (let i = 0; i < this.count; i++) {
      const at = next[this.lane[i]!]!++;
      ns[at] = this.ns[i]!;
      state[at] = this.state[i]!;
    }
    return { blocks, first, ns, state };
  }
}

const BEGIN = PAGE_STATES.indexOf("begin");
const MISSING = PAGE_STATES.indexOf("missing");
const UNSENT = PAGE_STATES.indexOf("unsent");
const POSSIBLE = PAGE_STATES.indexOf("possible");
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
 * that sends were not recorded, or that another policy made the recording.
 */
export function pageStates(
  machine: MachineHistory,
  originNs: string,
  policy: number,
  settle = true,
): PageStates {
  const blocks = writtenBlocks(machine);
  const changes = new Changes(blocks.length * BLOCK_PAGES);
  const moments = momentsOf(machine, originNs);
  if (hasStates(machine)) followEvents(machine, moments, policy, blocks, changes, settle);
  else followRounds(machine, moments, policy, blocks, changes);
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

/** 1 for each of these causes, by number. */
function causeTable(causes: readonly number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const cause of causes) table[cause] = 1;
  return table;
}

/** Lanes of pages in a row, or -1 where a block has none. */
function eachLane(
  blocks: Uint32Array,
  page: number,
  pages: number,
  use: (lane: number) => void,
): void {
  let lane = laneOfPage(blocks, page);
  for (let i = 0; i < pages; i++) {
    if ((page + i) % BLOCK_PAGES === 0) lane = laneOfPage(blocks, page + i);
    if (lane >= 0) use(lane++);
  }
}

/** A migration: what the core says of pages, and what the policy logged and was not sent yet. */
function followEvents(
  machine: MachineHistory,
  { migrationEnds, roundEnds, end }: Moments,
  policy: number,
  blocks: Uint32Array,
  changes: Changes,
  settle: boolean,
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
    while (round < roundEnds.length && next > roundEnds[round]!) round++;
    if (next === Number.POSITIVE_INFINITY) return;
    if (write === next) {
      if (migration >= 0 && logged[writes.cause[w]!]) {
        eachLane(blocks, writes.page[w]!, writes.pages[w]!, (lane) => {
          const now = changes.now[lane]!;
          if (now !== Lane.None && now !== Lane.Healed) return;
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
        const { sendTimes, outcome, verdicts } = machine.result.migrations[migration] ?? {};
        whatIf = verdicts?.[policy]?.whatIf ?? false;
        harvests = sendTimes === "none";
        unsure = sendTimes === "none" || outcome === "unfinished";
      } else if (Math.floor(states.rows[s]! / bit) % 2 === 1) {
        // Under another policy than the one that ran the page would perhaps not have been sent again.
        const lane = whatIf && kind === RESENT ? Lane.Possible : laneState(kind, unsure);
        eachLane(blocks, states.page[s]!, states.pages[s]!, (at) => changes.set(at, state, lane));
      }
      s++;
    } else {
      if (sends.kind[t] !== CPU) {
        eachLane(blocks, sends.page[t]!, sends.pages[t]!, (lane) => {
          if (changes.now[lane] === Lane.Logged) changes.set(lane, send, Lane.None);
        });
      }
      t++;
    }
  }
}

function laneState(state: number, unsure: boolean): Lane {
  if (state === MISSING) return unsure ? Lane.Possible : Lane.Stale;
  if (state === UNSENT) return Lane.Unsent;
  return state === POSSIBLE ? Lane.Possible : Lane.Healed;
}

function clearLanes(changes: Changes, ns: number): void {
  for (let lane = 0; lane < changes.now.length; lane++) changes.set(lane, ns, Lane.None);
}

/** At the end of a migration its verdict counts. */
function settleMigration(
  machine: MachineHistory,
  migration: number,
  policy: number,
  blocks: Uint32Array,
  changes: Changes,
  ns: number,
): void {
  const { verdicts: judged } = machine.result.migrations[migration]!;
  const final = new Uint8Array(changes.now.length);
  const verdicts: HistoryTable<"verdicts"> = machine.table("verdicts");
  for (let i = 0; i < verdicts.length; i++) {
    if (verdicts.migration[i] !== migration || verdicts.policy[i] !== policy) continue;
    const set = VERDICT_SETS[verdicts.set[i]!];
    const lane =
      set === "stale" ? Lane.Stale : set === "possibly-stale" ? Lane.Possible : Lane.Healed;
    eachLane(blocks, verdicts.page[i]!, verdicts.pages[i]!, (at) => {
      final[at] = lane;
    });
  }
  for (let lane = 0; lane < final.length; lane++) {
    const now = changes.now[lane]!;
    // A migration that was given up leaves nothing stale, and no verdict.
    const open = now === Lane.Stale || now === Lane.Unsent || now === Lane.Possible;
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
  changes: Changes,
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
        else if (now === Lane.None || now === Lane.Healed) {
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
    from = ns;
  }
}
