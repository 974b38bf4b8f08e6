/** The document of `lint --json`. Schema: schema/lint. */
import { type Answer, statusOf } from "../../answers/lint.ts";
import { faultMeans, lintSentence } from "../text/lint-text.ts";
import { inputJson, machineJson, type Tool, toolJson } from "./result-json.ts";

const ANSWERS = { 0: "none", 1: "faults", 3: "nothing-recorded" } as const;

/** `vhost-replay/lint/1`. */
export function lintJson(tool: Tool, answer: Answer) {
  const { result, faults } = answer;
  return {
    schema: "vhost-replay/lint/1",
    tool: toolJson(tool),
    inputs: result.inputs.map(inputJson),
    answer: ANSWERS[statusOf(answer)],
    machines: result.machines.map((machine, i) => ({
      ...machineJson(machine),
      sentence: lintSentence(faults[i]!, machine),
      faults: faults[i]!.map(({ code, kind, text, count, places }) => ({
        ...{ code, kind, text, count, places, means: faultMeans(code) },
      })),
    })),
  };
}
