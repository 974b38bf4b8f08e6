/** The document of `diff --json`. Schema: schema/diff. */
import type { Answer } from "../../answers/difference.ts";
import { countPages } from "../../model/page-runs.ts";
import type { PageRun } from "../../model/result.ts";
import { requestJsonLine } from "./request-json.ts";
import { findingJson, inputJson, runJson, type Tool, toolJson } from "./result-json.ts";

const set = (runs: readonly PageRun[]) => ({ pages: countPages(runs), runs: runs.map(runJson) });

/** `vhost-replay/diff/2`. */
export function differenceJson(tool: Tool, { difference, a, b }: Answer) {
  const { pages, requests, rounds, findings, measure } = difference;
  return {
    schema: "vhost-replay/diff/2",
    tool: toolJson(tool),
    a: { ...difference.a, inputs: a.result.inputs.map(inputJson) },
    b: { ...difference.b, inputs: b.result.inputs.map(inputJson) },
    measure,
    pages: { onlyA: set(pages.onlyA), onlyB: set(pages.onlyB), both: set(pages.both) },
    requests: {
      ...{ equal: requests.equal, onlyA: requests.onlyA, onlyB: requests.onlyB },
      moved: requests.moved,
      examples: requests.examples.map(({ side, request }) => ({
        side,
        request: JSON.parse(requestJsonLine(request)) as unknown,
      })),
    },
    rounds,
    findings: {
      onlyA: findings.onlyA.map(findingJson),
      onlyB: findings.onlyB.map(findingJson),
    },
  };
}
