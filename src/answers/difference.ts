/**
 * What differs between two recordings, or between two policies of one: pages, requests, rounds and
 * findings that only one has. `diff`; made for before and after an upgrade.
 */
import { PageRuns } from "../model/page-runs.ts";
import type { Finding, MachineResult, PageRun } from "../model/result.ts";
import type { RequestRecord } from "../model/told.ts";
import { beside } from "../replay/beside.ts";
import { type Recording, type ReplayOptions, replay } from "../replay/replay.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { oneMachine, selectMachines } from "./machines.ts";
import { toldByQemu } from "./stale.ts";

/** One of the two. */
export interface Side {
  /** What it is called: a case, or a policy of the only one. */
  name: string;
  recording: Recording;
  policy: ChosenPolicy;
  /** Which kernel ran is told; otherwise `policy` is the unpatched one. Default: true. */
  told?: boolean;
}

export type Options = Pick<CommonOptions, "window" | "signal" | "machine" | "machineNames">;

/** Pages by the side that has them. */
export interface PageDifference {
  onlyA: PageRun[];
  onlyB: PageRun[];
  both: PageRun[];
}

/** Requests are the same when queue, state, and what they write are. */
export interface RequestDifference {
  equal: number;
  onlyA: number;
  onlyB: number;
  /** Pairs of these that differ only in where they write. */
  moved: number;
  /** Some that only one has, in its order. */
  examples: { side: "a" | "b"; request: RequestRecord }[];
}

/** A round, by its number, whose counts differ; null: that side has no such round. */
export interface RoundDifference {
  round: number;
  a: { name: string; written: number | null; logged: number | null; lost: number | null } | null;
  b: { name: string; written: number | null; logged: number | null; lost: number | null } | null;
}

export interface Difference {
  /** `told`: a policy was chosen, or the kernel that ran is told. */
  a: { name: string; policy: string; told: boolean };
  b: { name: string; policy: string; told: boolean };
  /** stale: at the destination, where both recordings tell a migration; lost: left out of the dirty log. */
  measure: "stale" | "lost";
  pages: PageDifference;
  requests: RequestDifference;
  rounds: RoundDifference[];
  /** By queue and cause. */
  findings: { onlyA: Finding[]; onlyB: Finding[] };
}

export interface Answer {
  difference: Difference;
  a: CommonAnswer;
  b: CommonAnswer;
}

/** Distinct requests of which it is remembered how often each side has them. */
const MOST_KEYS = 500_000;
const EXAMPLES = 8;
const MOST_RUNS = 65536;

/** Throws what `replay` throws. */
export async function ask(a: Side, b: Side, options: Options = {}): Promise<Answer> {
  const tally = new Tally();
  const one = await answerOf(a, options, (request) => tally.a(request));
  const other = await answerOf(b, options, (request) => tally.b(request));
  const [from, to] = [one.result.machines[0]!, other.result.machines[0]!];
  const measure = toldByQemu(from) && toldByQemu(to) ? "stale" : "lost";
  const difference: Difference = {
    a: { name: a.name, policy: a.policy.policy.name, told: a.told ?? true },
    b: { name: b.name, policy: b.policy.policy.name, told: b.told ?? true },
    measure,
    pages: comparePages(pagesOf(from, measure), pagesOf(to, measure)),
    requests: tally.result(),
    rounds: compareRounds(from, to),
    findings: {
      onlyA: without(from, to),
      onlyB: without(to, from),
    },
  };
  return { difference, a: one, b: other };
}

/** 0: nothing differs. 1: something does. 3: one of the two carries no verdict. */
export function statusOf({ difference, a, b }: Answer): 0 | 1 | 3 {
  const machines = [...a.result.machines, ...b.result.machines];
  if (machines.some(({ verdict }) => !verdict)) return 3;
  const { pages, requests, rounds, findings } = difference;
  const differs =
    pages.onlyA.length + pages.onlyB.length + requests.onlyA + requests.onlyB > 0 ||
    rounds.length + findings.onlyA.length + findings.onlyB.length > 0;
  return differs ? 1 : 0;
}

async function answerOf(
  side: Side,
  options: Options,
  onRequest: (request: RequestRecord) => void,
): Promise<CommonAnswer> {
  const { recording } = side;
  const { asked, base } = prepare(recording, { ...options, policies: [side.policy] }, "auto");
  const number = await meant(recording, options, base);
  const found = await beside(replay)(recording, {
    ...base,
    onRequest: (request) => {
      if (number === null || request.machine === number) onRequest(request);
    },
    runLimit: MOST_RUNS,
  });
  const machines = found.machines.filter((one) => number === null || one.number === number);
  return { asked, result: oneMachine({ ...found, machines }, {}).result };
}

/** The machine that is asked for: in a case of one, that one. Null: none was chosen. */
async function meant(
  recording: Recording,
  options: Options,
  base: ReplayOptions,
): Promise<number | null> {
  if (options.machine === undefined) return null;
  const found = await replay(recording, base);
  const { machines } = found.machines.length === 1 ? found : selectMachines(found, options);
  return machines[0]!.number;
}

function pagesOf(result: MachineResult, measure: "stale" | "lost"): readonly PageRun[] {
  if (measure === "lost") return result.policies[0]?.lostRuns ?? [];
  const verdict = toldByQemu(result)?.verdicts[0];
  return verdict ? [...verdict.stale, ...verdict.likelyStale, ...verdict.possiblyStale] : [];
}

function comparePages(a: readonly PageRun[], b: readonly PageRun[]): PageDifference {
  const [one, other] = [PageRuns.from(a), PageRuns.from(b)];
  return {
    onlyA: [...one.subtract(other)],
    onlyB: [...other.subtract(one)],
    both: [...one.intersect(other)],
  };
}

function compareRounds(a: MachineResult, b: MachineResult): RoundDifference[] {
  const count = Math.max(a.rounds.length, b.rounds.length);
  const of = (result: MachineResult, i: number): RoundDifference["a"] => {
    const round = result.rounds[i];
    const [policy] = round?.policies ?? [];
    if (!round || !policy) return null;
    const { logged, lost } = policy;
    return { name: round.sync?.name ?? "", written: round.written, logged, lost };
  };
  return Array.from({ length: count }, (_, round) => ({ round, a: of(a, round), b: of(b, round) }))
    .filter(({ a: x, b: y }) => JSON.stringify(x) !== JSON.stringify(y))
    .slice(0, MOST_RUNS);
}

/** Findings of the one whose kind the other has none of. */
function without(a: MachineResult, b: MachineResult): Finding[] {
  const keyOf = ({ queue, cause }: Finding): string => `${queue} ${cause}`;
  const others = new Set(b.findings.map(keyOf));
  return a.findings.filter((finding) => !others.has(keyOf(finding)));
}

/** How often each request is on either side. */
class Tally {
  /** Of B alone, by what they write but for where; as many kinds as there are requests of B alone. */
  readonly #shapes = new Map<string, number>();
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Map<string, RequestRecord>();
  readonly #new: RequestRecord[] = [];
  #a = 0;
  #b = 0;
  #equal = 0;

  a(request: RequestRecord): void {
    this.#a++;
    const key = keyOf(request);
    if (this.#counts.size >= MOST_KEYS && !this.#counts.has(key)) return;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    if (!this.#waiting.has(key)) this.#waiting.set(key, request);
  }

  b(request: RequestRecord): void {
    this.#b++;
    const key = keyOf(request);
    const count = this.#counts.get(key) ?? 0;
    if (count > 0) {
      this.#equal++;
      this.#counts.set(key, count - 1);
      return;
    }
    if (this.#new.length < EXAMPLES) this.#new.push(request);
    const shape = shapeOf(request);
    this.#shapes.set(shape, (this.#shapes.get(shape) ?? 0) + 1);
  }

  /** Requests of both sides that are left over and alike but for their addresses. */
  #moved(): number {
    let moved = 0;
    for (const [key, count] of this.#counts) {
      const shape = count > 0 ? shapeOf(this.#waiting.get(key)!) : "";
      const pairs = Math.min(count, this.#shapes.get(shape) ?? 0);
      if (pairs === 0) continue;
      moved += pairs;
      this.#shapes.set(shape, this.#shapes.get(shape)! - pairs);
    }
    return moved;
  }

  result(): RequestDifference {
    const left = [...this.#counts].filter(([, count]) => count > 0).slice(0, EXAMPLES);
    return {
      equal: this.#equal,
      onlyA: this.#a - this.#equal,
      onlyB: this.#b - this.#equal,
      moved: this.#moved(),
      examples: [
        ...left.map(([key]) => ({ side: "a" as const, request: this.#waiting.get(key)! })),
        ...this.#new.map((request) => ({ side: "b" as const, request })),
      ],
    };
  }
}

function shapeOf({ queue, state, writes }: RequestRecord): string {
  return `${queue} ${state} ${writes.map(({ len }) => len).join(" ")}`;
}

function keyOf({ queue, state, writes }: RequestRecord): string {
  return `${queue} ${state} ${writes.map(({ gpa, len }) => `${gpa}+${len}`).join(" ")}`;
}
