/** `index.json` of a folder of dirty-log images. */
import type { ReplayResult, SyncMark } from "../../model/result.ts";
import { type AskedOptions, inputJson, optionsJson, type Tool, toolJson } from "./result-json.ts";

/** Names the format; a folder is ours when its index says so. */
export const LOG_INDEX_SCHEMA = "vhost-replay/log-index/1";

/** One image of the folder. */
export interface LogImage {
  file: string;
  number: number;
  /** Null for the one image of a recording without syncs. */
  mark: SyncMark | null;
  /** Bits set in the image. */
  pages: number;
  /** Logged pages that lie beyond the image's size. */
  beyond: number;
  bytes: number;
  sha256: string;
}

/** `vhost-replay/log-index/1`. */
export function logIndexJson(
  tool: Tool,
  options: AskedOptions,
  result: ReplayResult,
  images: readonly LogImage[],
) {
  return {
    schema: LOG_INDEX_SCHEMA,
    tool: toolJson(tool),
    options: optionsJson(options),
    inputs: result.inputs.map(inputJson),
    policy: options.policies[0] ?? "",
    window: result.window,
    certainty: result.certainty,
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

/** `007.bin`: three digits or more. */
export function imageName(number: number): string {
  return `${`${number}`.padStart(3, "0")}.bin`;
}
