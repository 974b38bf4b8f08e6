/**
 * Parts of a plan to one answer. Every step is commutative, associative and idempotent: any order
 * and grouping of the parts, with duplicates, gives the same bytes. What is missing, failed or
 * without a verdict widens the bounds and is never taken for 0. Sets of pages are united within one
 * virtual machine (label `vm`) and never across: the same page number is another page elsewhere.
 */
import type { PageRuns } from "../model/page-runs.ts";
import { formatIndexes } from "./index-list.ts";
import { encodePages } from "./page-set.ts";
import type { OkPart, Part, PartMachine, PartPolicy } from "./part.ts";
import { pagesOf } from "./part.ts";
import type { FleetOptions, FleetTool, Plan, PlanEntry } from "./plan.ts";

export const MERGE_SCHEMA = "vhost-replay/fleet/1";

/** A count of which a part may be unknown. */
export interface Bounds {
  atLeast: number;
  /** null: there is no upper bound. */
  atMost: number | null;
}

/** A policy over all cases. */
export interface FleetPolicy {
  name: string;
  /** Cases in which it loses pages. */
  affected: Bounds;
  /** Sum of the pages lost in each machine: counts are added, sets are not united. */
  lost: Bounds;
  /** Sum of the pages stale at the destinations of recorded migrations; null: none is recorded. */
  stale: Bounds | null;
}

/** The pages of one labelled virtual machine, over all of its recordings. */
export interface FleetMachine {
  vm: string;
  /** Indexes of its cases. */
  cases: readonly number[];
  /** Distinct pages; null: not known of any of its cases. */
  policies: readonly {
    name: string;
    lost: number | null;
    lostPages: string;
    stale: number | null;
  }[];
}

export interface FleetResult {
  schema: typeof MERGE_SCHEMA;
  tool: FleetTool;
  options: FleetOptions;
  cases: number;
  ok: number;
  failed: readonly { index: number; name: string; error: string }[];
  missing: { count: number; indexes: string };
  /** Cases whose content is that of another one: counted once. */
  duplicates: readonly { index: number; name: string; of: number }[];
  /** Cases whose recordings carry no verdict, about no machine or not about all. */
  withoutVerdict: readonly { index: number; name: string }[];
  policies: readonly FleetPolicy[];
  /** Limits that move numbers, and in how many cases each is met: the sums are as good as these. */
  limits: readonly { code: string; effect: "more" | "fewer"; cases: number }[];
  machines: readonly FleetMachine[];
}

/**
 * Merges the parts of a plan. Parts of other plans, and those that another tool made or that answer other
 * options, are left out: their cases are missing. Equal inputs give equal parts; where
 * two of one case differ all the same, which one counts does not depend on their order.
 */
export function mergeParts(plan: Plan, parts: Iterable<Part>): FleetResult {
  const byId = partsOfPlan(plan, parts);
  const found = plan.entries.map((entry) => ({ entry, part: byId.get(entry.id) ?? null }));
  const missing = found.filter(({ part }) => part === null).map(({ entry }) => entry.index);
  const failed = found.flatMap(({ entry, part }) =>
    part?.status === "failed" ? [{ index: entry.index, name: entry.name, error: part.error }] : [],
  );
  const ok = found.flatMap(({ entry, part }) => (part?.status === "ok" ? [{ entry, part }] : []));
  const { once, duplicates } = dropDuplicates(ok);
  const withoutVerdict = once
    .filter(({ part }) => part.machines.length === 0 || part.machines.some((m) => !m.verdict))
    .map(({ entry }) => ({ index: entry.index, name: entry.name }));
  const unknown = missing.length + failed.length;
  return {
    schema: MERGE_SCHEMA,
    tool: plan.tool,
    options: plan.options,
    cases: plan.entries.length,
    ok: ok.length,
    failed,
    missing: { count: missing.length, indexes: formatIndexes(missing) },
    duplicates,
    withoutVerdict,
    policies: plan.options.policies.map((name) =>
      policyOf(
        name,
        once.map(({ part }) => part),
        unknown,
      ),
    ),
    limits: limitsOf(once.map(({ part }) => part)),
    machines: machinesOf(plan, once),
  };
}

/** By id: of each case the part that counts. */
export function partsOfPlan(plan: Plan, parts: Iterable<Part>): Map<string, Part> {
  const byId = new Map<string, Part>();
  for (const part of parts) {
    if (!answers(part, plan)) continue;
    const other = byId.get(part.id);
    byId.set(part.id, other ? preferred(part, other) : part);
  }
  return byId;
}

/** Whether a part was made by the plan's tool, for its questions. An id says so too; a file may be renamed. */
export function answers({ tool, options }: Part, plan: Plan): boolean {
  return (
    tool.version === plan.tool.version &&
    tool.core === plan.tool.core &&
    JSON.stringify(options) === JSON.stringify(plan.options)
  );
}

function limitsOf(parts: readonly OkPart[]): FleetResult["limits"] {
  const count = (
    effect: "more" | "fewer",
    codesOf: (machine: PartMachine) => readonly string[],
  ) => {
    const cases = new Map<string, number>();
    for (const { machines } of parts) {
      for (const code of new Set(machines.flatMap(codesOf))) {
        cases.set(code, (cases.get(code) ?? 0) + 1);
      }
    }
    return [...cases.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, n]) => ({ code, effect, cases: n }));
  };
  return [
    ...count("more", ({ mayBeMore }) => mayBeMore),
    ...count("fewer", ({ mayBeLess }) => mayBeLess),
  ];
}

/** An answer before a failure, then the smaller text. */
function preferred(a: Part, b: Part): Part {
  if (a.status !== b.status) return a.status === "ok" ? a : b;
  return JSON.stringify(a) <= JSON.stringify(b) ? a : b;
}

/** 3 while parts are missing; else 1 when a policy loses pages somewhere, 3 when that is not known. */
export function fleetStatus(result: FleetResult): 0 | 1 | 3 {
  if (result.missing.count > 0) return 3;
  if (result.policies.some(({ affected }) => affected.atLeast > 0)) return 1;
  return result.policies.some(({ affected }) => affected.atMost !== 0) ? 3 : 0;
}

interface Answered {
  entry: PlanEntry;
  part: OkPart;
}

/** Of cases with one content the first of the plan counts. */
function dropDuplicates(ok: readonly Answered[]): {
  once: Answered[];
  duplicates: { index: number; name: string; of: number }[];
} {
  const first = new Map<string, number>();
  const once: Answered[] = [];
  const duplicates: { index: number; name: string; of: number }[] = [];
  for (const answered of ok) {
    const { entry, part } = answered;
    const of = part.content === null ? undefined : first.get(part.content);
    if (of !== undefined) {
      duplicates.push({ index: entry.index, name: entry.name, of });
      continue;
    }
    if (part.content !== null) first.set(part.content, entry.index);
    once.push(answered);
  }
  return { once, duplicates };
}

interface Seen {
  machine: PartMachine;
  policy: PartPolicy;
}

const policiesIn = (part: OkPart, name: string): Seen[] =>
  part.machines.flatMap((machine) =>
    machine.policies
      .filter((policy) => policy.name === name)
      .map((policy) => ({ machine, policy })),
  );

/** `unknown`: cases that are missing or failed, each of which may be affected, by any number of pages. */
function policyOf(name: string, parts: readonly OkPart[], unknown: number): FleetPolicy {
  let affected = 0;
  let perhaps = 0;
  let open = unknown > 0;
  const lost: Bounds = { atLeast: 0, atMost: 0 };
  const stale: Bounds = { atLeast: 0, atMost: 0 };
  const migrated = parts.some((part) => policiesIn(part, name).some(isJudged));
  for (const part of parts) {
    const seen = policiesIn(part, name);
    if (seen.some(({ machine, policy }) => machine.verdict && (policy.lost ?? 0) > 0)) affected++;
    else if (seen.length === 0 || seen.some(mayLose)) perhaps++;
    open ||= seen.length === 0;
    for (const { machine, policy } of seen) {
      if (!machine.verdict || policy.lost === null || machine.mayBeMore.length > 0) open = true;
      lost.atLeast += machine.verdict ? (policy.lost ?? 0) : 0;
      lost.atMost = (lost.atMost ?? 0) + (policy.lost ?? 0);
      stale.atLeast += machine.verdict ? (policy.stale ?? 0) : 0;
      stale.atMost = (stale.atMost ?? 0) + (policy.stale ?? 0) + (policy.possiblyStale ?? 0);
    }
  }
  if (open) {
    lost.atMost = null;
    stale.atMost = null;
  }
  return {
    name,
    affected: { atLeast: affected, atMost: affected + perhaps + unknown },
    lost,
    stale: migrated ? stale : null,
  };
}

/** A migration of this machine is recorded. */
const isJudged = ({ policy }: Seen): boolean => policy.stale !== null;

/** No loss is seen, and that is not known to be all. */
const mayLose = ({ machine, policy }: Seen): boolean =>
  !machine.verdict || policy.lost === null || machine.mayBeMore.length > 0;

function machinesOf(plan: Plan, answered: readonly Answered[]): FleetMachine[] {
  const byVm = new Map<string, Answered[]>();
  for (const item of answered) {
    // Several machines in one case are not told apart by one label.
    const { vm } = item.entry.labels;
    if (vm === undefined || item.part.machines.length !== 1) continue;
    byVm.set(vm, [...(byVm.get(vm) ?? []), item]);
  }
  return [...byVm.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([vm, cases]) => ({
      vm,
      cases: cases.map(({ entry }) => entry.index),
      policies: plan.options.policies.map((name) => {
        const seen = cases.flatMap(({ part }) => policiesIn(part, name));
        const known = seen.filter(({ policy }) => policy.lost !== null);
        const lost = unionOf(known.map(({ policy }) => policy.lostPages));
        const stale = unionOf(seen.filter(isJudged).map(({ policy }) => policy.stalePages));
        return {
          name,
          lost: lost?.pages ?? null,
          lostPages: encodePages(lost?.toArray() ?? []),
          stale: stale?.pages ?? null,
        };
      }),
    }));
}

function unionOf(sets: readonly string[]): PageRuns | null {
  return sets
    .map(pagesOf)
    .reduce<PageRuns | null>((all, set) => (all === null ? set : all.union(set)), null);
}
