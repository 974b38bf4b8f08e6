/** The document of `redact --json`. Schema: schema/redact.schema.json. */
import type { RedactSummary } from "../../redact/summary.ts";
import { type Tool, toolJson } from "./result-json.ts";

/** `vhost-replay/redact/1`. */
export function redactJson(tool: Tool, said: RedactSummary) {
  const { outputs, pages, proof, key, keepRuns, keepTimes } = said;
  return {
    schema: "vhost-replay/redact/1",
    tool: toolJson(tool),
    options: { key, keepRuns, keepTimes },
    outputs,
    pages,
    proof,
  };
}
