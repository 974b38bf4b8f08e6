/** The document of `verify --observed --json`. Schema: schema/verify.schema.json. */
import {
  type Answer,
  type ExplainedPage,
  isEqual,
  statusOf,
} from "../../answers/log-comparison.ts";
import type { OneSided } from "../../answers/log-difference.ts";
import { hex } from "../text/number-text.ts";
import { comparisonSentence } from "../text/verify-text.ts";
import { writeJson } from "./explain-json.ts";
import {
  inputJson,
  limitJson,
  machineJson,
  optionsJson,
  runJson,
  syncJson,
  type Tool,
  toolJson,
} from "./result-json.ts";

const ANSWERS = { 0: "equal", 1: "different", 3: "none" } as const;

/** `vhost-replay/verify/2`. */
export function verifyJson(tool: Tool, { asked, result, comparison }: Answer) {
  const machine = result.machines[0]!;
  return {
    schema: "vhost-replay/verify/2",
    tool: toolJson(tool),
    options: optionsJson(asked),
    inputs: result.inputs.map(inputJson),
    machine: machineJson(machine),
    observed: comparison.observed,
    answer: ANSWERS[statusOf({ comparison })],
    sentence: comparisonSentence(comparison),
    window: machine.window,
    certainty: machine.certainty,
    withoutImage: comparison.withoutImage,
    withoutSync: comparison.withoutSync,
    policies: comparison.policies.map((policy) => ({
      name: policy.name,
      alias: policy.alias,
      equal: isEqual(policy),
      logPages: policy.logPages,
      reversedWords: policy.reversedWords,
      syncs: policy.syncs.map((sync) => ({
        number: sync.number,
        round: sync.round,
        sync: syncJson(sync.mark),
        image: sync.file,
        caveats: [...sync.caveats],
        straddles: sync.straddles,
        missing: sideJson(sync.missing),
        extra: sideJson(sync.extra),
      })),
      first: policy.first === null ? null : firstJson(policy.first),
    })),
    limits: machine.limits.map(limitJson),
  };
}

function sideJson(side: OneSided) {
  return { pages: side.pages, runs: side.runs.map(runJson), moreRuns: side.moreRuns };
}

function firstJson(first: ExplainedPage) {
  return {
    number: first.number,
    round: first.round,
    gfn: hex(first.gfn),
    side: first.side,
    writes: first.writes.map(writeJson),
    moreWrites: first.moreWrites,
    unexplained: first.unexplained,
  };
}
