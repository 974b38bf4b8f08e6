/** `index.json` of a folder of dirty-log images. */
import type { Answer } from "../../answers/log-images.ts";
import { inputJson, machineJson, optionsJson, type Tool, toolJson } from "./result-json.ts";

/** Names the format; a folder is ours when its index says so. */
export const LOG_INDEX_SCHEMA = "vhost-replay/log-index/2";

/** `vhost-replay/log-index/2`. */
export function logIndexJson(tool: Tool, { asked, result, images }: Answer) {
  const machine = result.machines[0]!;
  return {
    schema: LOG_INDEX_SCHEMA,
    tool: toolJson(tool),
    options: optionsJson(asked),
    inputs: result.inputs.map(inputJson),
    machine: machineJson(machine),
    policy: asked.policies[0] ?? "",
    window: machine.window,
    certainty: machine.certainty,
    images: images.map((image) => ({
      file: image.file,
      number: image.number,
      name: image.mark?.name ?? null,
      ns: image.mark?.ns ?? null,
      pages: image.pages,
      beyond: image.beyond,
      bytes: image.bytes,
      sha256: image.sha256,
    })),
  };
}
