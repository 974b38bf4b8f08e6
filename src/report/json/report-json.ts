/** The documents of `report --json` and `info --json`. Schemas: schema/report, schema/info. */
import type { Answer as Contents } from "../../answers/inspect.ts";
import { type Answer as Lost, statusOf } from "../../answers/lost.ts";
import type { Case } from "../../case/case.ts";
import { verdictSentence } from "../text/verdict.ts";
import { caseJson } from "./case-json.ts";
import {
  deviceJson,
  findingJson,
  inputJson,
  limitJson,
  optionsJson,
  policyResultJson,
  roundJson,
  sufficiencyJson,
  syncJson,
  type Tool,
  toolJson,
} from "./result-json.ts";
import { migrationJson } from "./stale-json.ts";

const ANSWERS = { 0: "nothing-lost", 1: "pages-lost", 3: "none" } as const;

/** `vhost-replay/report/1`; `opened`: the case that was asked about, where it was one. */
export function reportJson(tool: Tool, { asked, result }: Lost, opened: Case | null = null) {
  const names = result.policies.map((policy) => policy.name);
  return {
    schema: "vhost-replay/report/1",
    tool: toolJson(tool),
    options: optionsJson(asked),
    case: opened && caseJson(opened),
    inputs: result.inputs.map(inputJson),
    verdict: {
      answer: ANSWERS[statusOf({ result })],
      sentence: verdictSentence(result),
      certainty: result.certainty,
      window: result.window,
      windowWhy: result.windowWhy,
      written: result.written,
    },
    policies: result.policies.map(policyResultJson),
    devices: result.devices.map(deviceJson),
    rounds: result.rounds.map((round) => roundJson(round, names)),
    moreRounds: result.moreRounds,
    migrations: result.migrations.map(migrationJson),
    findings: result.findings.map(findingJson),
    moreFindings: result.moreFindings,
    limits: result.limits.map(limitJson),
    sufficiency: result.sufficiency.map(sufficiencyJson),
    eventsReplayed: result.eventsReplayed,
  };
}

/** `vhost-replay/info/1`. */
export function infoJson(tool: Tool, { asked, result }: Contents) {
  return {
    schema: "vhost-replay/info/1",
    tool: toolJson(tool),
    options: { syncMarker: asked.syncMarker },
    inputs: result.inputs.map(inputJson),
    devices: result.devices.map(deviceJson),
    syncs: result.rounds.flatMap((round) => (round.sync === null ? [] : [syncJson(round.sync)])),
    limits: result.limits.map(limitJson),
    sufficiency: result.sufficiency.map(sufficiencyJson),
    eventsReplayed: result.eventsReplayed,
  };
}
