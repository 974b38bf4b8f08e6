/** The real library behind the commands. */
import { machineNumber } from "../../answers/machines.ts";
import { makeHistory } from "../../history/index.ts";
import { planMerge } from "../../join/merge-plan.ts";
import { fileSource, loadCore, nodeSurroundings, stdinSource } from "../../node/index.ts";
import { dump, replay } from "../../replay/replay.ts";
import type { Tool } from "../../report/json/result-json.ts";
import { POLICIES } from "../../vhost/policy.ts";
import { observedImages } from "./observed.ts";
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
    module,
    openSources: (names) => names.map((name) => (name === "-" ? stdinSource() : fileSource(name))),
    observed: observedImages,
    surroundings: nodeSurroundings,
    plan: planMerge,
    replay,
    history: async (recording, options, level) => {
      const number = await machineNumber(recording, options, options, replay);
      const own = number === null ? options : { ...options, sinkMachine: number };
      return makeHistory(recording, own, level, toolOf());
    },
    dump,
    POLICIES,
  };
}
