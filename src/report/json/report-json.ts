/** The documents of `report --json` and `info --json`. Schemas: schema/report, schema/info. */

import {
  type Affected,
  machineStatus,
  type Answer as Report,
  statusOf,
} from "../../answers/affected.ts";
import type { Answer as Contents } from "../../answers/inspect.ts";
import type { Case } from "../../case/case.ts";
import type { MachineResult, ReplayResult } from "../../model/result.ts";
import { verdictSentence } from "../text/verdict.ts";
import { affectedJson } from "./affected-json.ts";
import { caseJson } from "./case-json.ts";
import {
  deviceJson,
  findingJson,
  inputJson,
  type KeysOf,
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

/** `vhost-replay/report/4`; `opened`: the case that was asked about, where it was one. */
export function reportJson(tool: Tool, answer: Report, opened: Case | null = null) {
  const { asked, result } = answer;
  return {
    schema: "vhost-replay/report/4",
    tool: toolJson(tool),
    options: optionsJson(asked),
    case: opened && caseJson(opened),
    inputs: result.inputs.map(inputJson),
    answer: ANSWERS[statusOf(answer)],
    machines: result.machines.map((machine, i) => reportMachineJson(machine, answer.affected[i]!)),
    eventsReplayed: result.eventsReplayed,
  } satisfies KeysOf<ReplayResult>;
}

/** Facts of a machine that stand in its `verdict`. */
type InVerdict = "certainty" | "window" | "windowWhy" | "written";

function reportMachineJson(machine: MachineResult, affected: Affected) {
  const names = machine.policies.map((policy) => policy.name);
  return {
    ...machineJson(machine),
    affected: affectedJson(affected, machine),
    verdict: {
      answer: ANSWERS[machineStatus(machine, affected)],
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
    migrations: machine.migrations.map((one) => migrationJson(one, machine)),
    findings: machine.findings.map(findingJson),
    moreFindings: machine.moreFindings,
    limits: machine.limits.map(limitJson),
    sufficiency: machine.sufficiency.map(sufficiencyJson),
  } satisfies KeysOf<MachineResult, InVerdict | "askedMigration">;
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
