/** The documents of `report --json` and `info --json`. Schemas: schema/report, schema/info. */
import type { Answer as Contents } from "../../answers/inspect.ts";
import { type Answer as Lost, machineStatus, statusOf } from "../../answers/lost.ts";
import type { Case } from "../../case/case.ts";
import type { MachineResult } from "../../model/result.ts";
import { verdictSentence } from "../text/verdict.ts";
import { caseJson } from "./case-json.ts";
import {
  deviceJson,
  findingJson,
  inputJson,
  limitJson,
  machineJson,
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

/** `vhost-replay/report/2`; `opened`: the case that was asked about, where it was one. */
export function reportJson(tool: Tool, { asked, result }: Lost, opened: Case | null = null) {
  return {
    schema: "vhost-replay/report/2",
    tool: toolJson(tool),
    options: optionsJson(asked),
    case: opened && caseJson(opened),
    inputs: result.inputs.map(inputJson),
    answer: ANSWERS[statusOf({ result })],
    machines: result.machines.map(reportMachineJson),
    eventsReplayed: result.eventsReplayed,
  };
}

function reportMachineJson(machine: MachineResult) {
  const names = machine.policies.map((policy) => policy.name);
  return {
    ...machineJson(machine),
    verdict: {
      answer: ANSWERS[machineStatus(machine)],
      sentence: verdictSentence(machine),
      certainty: machine.certainty,
      window: machine.window,
      windowWhy: machine.windowWhy,
      written: machine.written,
    },
    policies: machine.policies.map(policyResultJson),
    devices: machine.devices.map(deviceJson),
    rounds: machine.rounds.map((round) => roundJson(round, names)),
    moreRounds: machine.moreRounds,
    migrations: machine.migrations.map(migrationJson),
    findings: machine.findings.map(findingJson),
    moreFindings: machine.moreFindings,
    limits: machine.limits.map(limitJson),
    sufficiency: machine.sufficiency.map(sufficiencyJson),
  };
}

/** `vhost-replay/info/2`. */
export function infoJson(tool: Tool, { asked, result }: Contents) {
  return {
    schema: "vhost-replay/info/2",
    tool: toolJson(tool),
    options: { syncMarker: asked.syncMarker, machine: asked.machine },
    inputs: result.inputs.map(inputJson),
    machines: result.machines.map((machine) => ({
      ...machineJson(machine),
      devices: machine.devices.map(deviceJson),
      syncs: machine.rounds.flatMap(({ sync }) => (sync === null ? [] : [syncJson(sync)])),
      limits: machine.limits.map(limitJson),
      sufficiency: machine.sufficiency.map(sufficiencyJson),
    })),
    eventsReplayed: result.eventsReplayed,
  };
}
