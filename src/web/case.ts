/** One history as the worker holds it: what pictures, tables and words are made from. */
import type { History, MachineHistory } from "../history/index.ts";
import { BLOCK_PAGES, hasStates, type PageStates, pageStates } from "../history/page-states.ts";
import type { Phase } from "./draw/palette.ts";
import { depthOf, fatesOfWrites } from "./draw/series.ts";
import type { StripData } from "./draw/strips.ts";
import type { View } from "./draw/view.ts";

/** States of so many policies are kept: they are the largest thing there is. */
const KEPT = 2;
/** Share of a migration's time that is shown before it, and after. */
const BEFORE = 0.08;
const AFTER = 0.025;
/** Syncs before the guest was stopped that the panel of the last rounds shows. */
const LAST_SYNCS = 5;

interface PolicyData {
  states: PageStates;
  fates: Uint8Array;
}

export class Case {
  readonly history: History;
  readonly machine: MachineHistory;
  readonly origin: bigint;
  readonly #policies = new Map<number, PolicyData>();
  readonly #data: Omit<StripData, "fates">;

  constructor(history: History, machine = history.machines[0]!) {
    this.history = history;
    this.machine = machine;
    this.origin = BigInt(history.originNs);
    this.#data = this.#stripData();
  }

  /** A time of the answer, from the origin. */
  ns(text: string): number {
    return Number(BigInt(text) - this.origin);
  }

  policy(index: number): PolicyData {
    let data = this.#policies.get(index);
    if (!data) {
      const states = pageStates(this.machine, this.history.originNs, index);
      data = { states, fates: fatesOfWrites(this.machine, index, states) };
      this.#policies.set(index, data);
      if (this.#policies.size > KEPT) this.#policies.delete(this.#policies.keys().next().value!);
    }
    return data;
  }

  strips(policy: number): StripData {
    return { ...this.#data, fates: this.policy(policy).fates };
  }

  get begin(): number {
    return this.#data.begin;
  }
  get end(): number {
    return this.#data.end;
  }

  /** Colours say what became of pages; without sends only how often they were written says much. */
  get mode(): "states" | "activity" {
    const { result } = this.machine;
    const sent = result.migrations.some(({ sendTimes }) => sendTimes !== "none");
    const events = this.machine.table("writes").length > 0;
    return (hasStates(this.machine) && sent) || !events ? "states" : "activity";
  }

  /** The migration, or all of the recording; all lanes. */
  view(): View {
    const lanes = this.policy(0).states.blocks.length * BLOCK_PAGES;
    const { begin, end } = this;
    const span = this.#migrationSpan();
    const long = span ? span.to - span.from : 0;
    const from = span && long > 0 ? Math.max(begin, span.from - long * BEFORE) : begin;
    const to = span && long > 0 ? Math.min(end, span.to + long * AFTER) : end;
    return { from, to: to > from ? to : from + 1, first: 0, last: Math.max(lanes, 1) };
  }

  #migrationSpan(): { from: number; to: number } | null {
    const migrations = this.machine.result.migrations.filter(({ from }) => from === "qemu");
    const [first, last] = [migrations[0], migrations.at(-1)];
    if (!first || !last) return null;
    const to = last.endNs === null ? this.end : this.ns(last.endNs);
    return { from: this.ns(first.logOn.ns), to };
  }

  /** From some syncs before the guest was stopped to the end of the migration. */
  last(): { from: number; to: number } | null {
    const migration = this.machine.result.migrations.at(-1);
    if (!migration?.stoppedNs || migration.from !== "qemu") return null;
    const stopped = this.ns(migration.stoppedNs);
    const to = migration.endNs === null ? this.end : this.ns(migration.endNs);
    const before = this.#data.syncs.filter(({ ns }) => ns <= stopped);
    const from = before.at(-LAST_SYNCS)?.ns ?? stopped - (to - stopped);
    if (to <= from) return null;
    const margin = (to - from) * 0.06;
    return { from: Math.max(this.begin, from - margin), to: Math.min(this.end, to + margin) };
  }

  #stripData(): Omit<StripData, "fates"> {
    const { result, logging } = this.machine;
    const times = result.inputs.flatMap(({ firstNs, lastNs }) =>
      firstNs === null || lastNs === null ? [] : [this.ns(firstNs), this.ns(lastNs)],
    );
    const begin = times.reduce((a, b) => Math.min(a, b), times[0] ?? 0);
    const end = times.reduce((a, b) => Math.max(a, b), times[0] ?? 1);
    return {
      machine: this.machine,
      depth: depthOf(this.machine),
      logOn: logging
        .filter(({ ring }) => ring === null)
        .map(({ fromNs, toNs }) => ({
          from: this.ns(fromNs),
          to: toNs === null ? end : this.ns(toNs),
        })),
      phases: this.#phases(begin, end),
      syncs: result.rounds.flatMap(({ sync }) =>
        sync === null ? [] : [{ ns: this.ns(sync.ns), number: sync.number }],
      ),
      gaps: this.machine.gaps.map((ns) => ({ from: this.ns(ns), to: this.ns(ns) })),
      begin,
      end: Math.max(end, begin + 1),
    };
  }

  /** What each migration was doing, when. */
  #phases(begin: number, end: number): StripData["phases"] {
    const phases: StripData["phases"] = [];
    let at = begin;
    const add = (phase: Phase, to: number, label: string): void => {
      if (to > at) phases.push({ phase, from: at, to, label });
      at = Math.max(at, to);
    };
    for (const migration of this.machine.result.migrations) {
      if (migration.from !== "qemu") continue;
      add(
        phases.length === 0 ? "before" : "after",
        this.ns(migration.logOn.ns),
        "before migration",
      );
      const over = migration.endNs === null ? end : this.ns(migration.endNs);
      const stopped = migration.stoppedNs === null ? null : this.ns(migration.stoppedNs);
      const postcopy = migration.postcopyNs === null ? null : this.ns(migration.postcopyNs);
      add("precopy", Math.min(stopped ?? over, postcopy ?? over), "pre-copy, guest runs");
      if (stopped !== null) {
        add("stopped", postcopy !== null && postcopy > stopped ? postcopy : over, "guest stopped");
      }
      if (postcopy !== null) add("postcopy", over, "post-copy");
    }
    if (phases.length > 0) add("after", end, "after");
    return phases;
  }
}
