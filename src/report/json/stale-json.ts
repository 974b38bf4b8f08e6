/** The document of `stale --json`, and migrations in that of `report --json`. */

import {
  type Answer,
  machineStatus,
  mainMigration,
  statusOf,
  type VerdictOwners,
} from "../../answers/stale.ts";
import type { Owner } from "../../memory/owners/owners.ts";
import type { MigrationResult, MigrationVerdict, StalePage } from "../../model/migration-result.ts";
import { countPages, eachPage } from "../../model/page-runs.ts";
import { formatPlace } from "../../model/place.ts";
import type { MachineResult, PageRun } from "../../model/result.ts";
import { staleSentence } from "../text/migration-text.ts";
import { hex } from "../text/number-text.ts";
import { staleHeadline } from "../text/stale-text.ts";
import { ownersJson } from "./owners-json.ts";
import {
  evidenceJson,
  inputJson,
  type KeysOf,
  limitJson,
  machineJson,
  optionsJson,
  runJson,
  type Tool,
  toolJson,
} from "./result-json.ts";

/** Runs that a report lists of each set. */
const REPORT_RUNS = 64;
const ANSWERS = { 0: "none-stale", 1: "stale", 3: "none" } as const;

/** `vhost-replay/stale/3`. */
export function staleJson(tool: Tool, { asked, result, owners, judged }: Answer) {
  return {
    schema: "vhost-replay/stale/3",
    tool: toolJson(tool),
    options: { ...optionsJson(asked), ran: asked.ran },
    inputs: result.inputs.map(inputJson),
    judged,
    answer: ANSWERS[statusOf({ result, judged })],
    machines: result.machines.map((machine) => staleMachineJson(machine, owners, judged)),
    eventsReplayed: result.eventsReplayed,
  };
}

/** The lists beside `migration` are those of the first policy. */
function staleMachineJson(
  machine: MachineResult,
  owners: VerdictOwners[] | null,
  judged: string | null,
) {
  const migration = mainMigration(machine);
  const policies = (migration?.verdicts ?? []).map((verdict, i) =>
    verdictJson(verdict, owners?.[i] ?? null),
  );
  const [first] = policies;
  return {
    ...machineJson(machine),
    verdict: { answer: ANSWERS[machineStatus(machine, judged)], sentence: staleHeadline(machine) },
    migration: migration === null ? null : timelineJson(migration),
    policy: first?.policy ?? null,
    stale: first?.stale ?? [],
    likelyStale: first?.likelyStale ?? [],
    possiblyStale: first?.possiblyStale ?? [],
    healed: first?.healed ?? [],
    reasons: first?.reasons ?? [],
    policies,
    migrations: machine.migrations.map(timelineJson),
    limits: machine.limits.map(limitJson),
  };
}

/** Facts of a verdict that stand in its `counts`. */
type InCounts = "best" | "likely" | "worst" | "loggedNotSent";

function verdictJson(verdict: MigrationVerdict, owners: VerdictOwners | null) {
  const healed = verdict.healed.flatMap(({ by, runs }) =>
    [...eachPage(runs)].map((gfn) => ({ gfn, by })),
  );
  healed.sort((a, b) => a.gfn - b.gfn);
  return {
    policy: verdict.policy,
    whatIf: verdict.whatIf,
    counts: {
      best: verdict.best,
      likely: verdict.likely,
      worst: verdict.worst,
      healed: verdict.best === null ? null : healed.length,
      loggedNotSent: verdict.loggedNotSent,
    },
    stale: gfns(verdict.stale),
    likelyStale: gfns(verdict.likelyStale),
    possiblyStale: gfns(verdict.possiblyStale),
    healed: healed.map(({ gfn }) => hex(gfn)),
    ...(owners === null ? {} : { owners: ownersJson(owners) }),
    reasons: [
      ...verdict.pages.map((page, i) => pageJson(page, owners?.pages[i] ?? null)),
      ...healed.map(({ gfn, by }) => ({ gfn: hex(gfn), verdict: "healed", why: [by] })),
    ],
    pagesWithoutEvidence: verdict.pagesWithoutEvidence,
  } satisfies KeysOf<MigrationVerdict, InCounts | "pages" | "causes">;
}

function gfns(runs: readonly PageRun[]): string[] {
  return [...eachPage(runs)].map(hex);
}

function pageJson(page: StalePage, owner: Owner | null) {
  return {
    gfn: hex(page.gfn),
    verdict: page.verdict,
    why: page.verdict === "stale" ? ["written-after-last-send"] : page.doubts,
    sentNs: page.sentNs,
    poppedBeforeSend: page.poppedBeforeSend,
    written: page.write === null ? null : evidenceJson(page.write),
    ...(owner === null ? {} : { owner: owner.owner, kind: owner.kind }),
  };
}

/** When a migration began, was stopped and ended, and what it sent. */
function timelineJson(migration: MigrationResult) {
  return {
    from: migration.from,
    outcome: migration.outcome,
    kinds: migration.kinds.map(({ kind, ns, told }) => ({ kind, ns, told })),
    logOnNs: migration.logOn.ns,
    logOnPlace: formatPlace(migration.logOn.place),
    firstSyncNs: migration.firstSyncNs,
    stoppedNs: migration.stoppedNs,
    postcopyNs: migration.postcopyNs,
    endNs: migration.endNs,
    syncs: migration.syncs,
    states: migration.states.map(({ state, ns }) => ({ state, ns })),
    sends: { ...migration.sends },
    sendTimes: migration.sendTimes,
    zeroResendsAtMost: migration.zeroResendsAtMost,
    blocks: migration.blocks.map(({ block, placed }) => ({ block, placed })),
    cpuDirtied: migration.cpuDirtied,
  } satisfies KeysOf<MigrationResult, "logOn" | "verdicts">;
}

/** A migration in a report: its time line, and for each policy the counts and the first runs. */
export function migrationJson(migration: MigrationResult, machine: MachineResult) {
  return {
    sentence: staleSentence(migration, machine),
    ...timelineJson(migration),
    verdicts: migration.verdicts.map((verdict) => ({
      policy: verdict.policy,
      whatIf: verdict.whatIf,
      best: verdict.best,
      likely: verdict.likely,
      worst: verdict.worst,
      loggedNotSent: verdict.loggedNotSent,
      stale: runsJson(verdict.stale),
      likelyStale: runsJson(verdict.likelyStale),
      possiblyStale: runsJson(verdict.possiblyStale),
      healed: verdict.healed.map(({ by, runs }) => ({ by, pages: countPages(runs) })),
    })) satisfies KeysOf<MigrationVerdict, "pages" | "causes" | "pagesWithoutEvidence">[],
  };
}

function runsJson(runs: readonly PageRun[]) {
  return {
    pages: countPages(runs),
    runs: runs.slice(0, REPORT_RUNS).map(runJson),
    moreRuns: Math.max(0, runs.length - REPORT_RUNS),
  };
}
