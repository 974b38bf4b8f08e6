/** The real library behind the commands. */
import { makeHistory } from "../../history/index.ts";
import { dump, findPolicy, POLICIES, replay } from "../../index.ts";
import { planMerge } from "../../join/merge-plan.ts";
import { fileSource, loadCore, nodeSurroundings, stdinSource } from "../../node/index.ts";
import type { Tool } from "../../report/json/result-json.ts";
import type { ReplayApi } from "./replay-api.ts";
import { readTool } from "./tool.ts";

/** Loads the library and its core. */
export async function loadApi(): Promise<ReplayApi> {
  const module = await loadCore();
  let tool: Tool | undefined;
  // Only documents say it.
  const toolOf = (): Tool => {
    tool ??= readTool();
    return tool;
  };
  return {
    get tool() {
      return toolOf();
    },
    openSources: (names) => names.map((name) => (name === "-" ? stdinSource() : fileSource(name))),
    surroundings: nodeSurroundings,
    plan: (opening) => planMerge({ ...opening, module }),
    replay: (opening, options) => replay({ ...opening, module }, options),
    history: (opening, options, level) =>
      makeHistory({ ...opening, module }, options, level, toolOf()),
    dump: (opening, onEvent, signal) => dump({ ...opening, module }, onEvent, signal),
    POLICIES,
    findPolicy,
  };
}
