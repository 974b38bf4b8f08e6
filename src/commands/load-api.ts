/** The real library behind the commands. */
import type { ReplayApi } from "./replay-api.ts";
import { readTool } from "./tool.ts";

/** Loads the library and its Node edge. */
export async function loadApi(): Promise<ReplayApi> {
  const [library, node] = await Promise.all([import("../index.ts"), import("../node/index.ts")]);
  return {
    tool: readTool(),
    openSources: node.openSources,
    surroundings: node.surroundings,
    openRecording: library.openRecording,
    replay: library.replay,
    inspect: library.inspect,
    dump: library.dump,
    POLICIES: library.POLICIES,
    findPolicy: library.findPolicy,
  };
}
