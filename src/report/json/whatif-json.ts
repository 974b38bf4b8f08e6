/** The document of `whatif --json`. Schema: schema/whatif. */
import type { Answer } from "../../answers/whatif.ts";
import { whatifSentence } from "../text/whatif-text.ts";
import { inputJson, type KeysOf, machineJson, type Tool, toolJson } from "./result-json.ts";

/** `vhost-replay/whatif/1`. */
export function whatifJson(tool: Tool, answer: Answer) {
  const { asked, result, bandwidth, firstPass, costs } = answer;
  return {
    schema: "vhost-replay/whatif/1",
    tool: toolJson(tool),
    options: { policies: [...asked.policies], ran: asked.ran },
    inputs: result.inputs.map(inputJson),
    machine: machineJson(result.machines[0]!),
    sentence: whatifSentence(answer),
    startNs: answer.startNs,
    forNs: `${Math.round(answer.forNs)}`,
    repeats: answer.repeats,
    bandwidth: { ...bandwidth },
    downtimeMs: answer.downtimeMs,
    firstPass: { ...firstPass },
    vcpus: answer.vcpus,
    costs: costs.map((cost) => ({
      policy: cost.policy,
      expected: { ...cost.expected },
      sends: { ...cost.sends },
      seconds: { ...cost.seconds },
      passes: { ...cost.passes },
      converges: cost.converges,
      leastBandwidth: cost.leastBandwidth,
      course: cost.course.map(({ startNs, endNs, sends }) => ({
        seconds: (endNs - startNs) / 1e9,
        sends,
      })),
      moreCourse: cost.moreCourse,
    })) satisfies KeysOf<Answer["costs"][number]>[],
  };
}
