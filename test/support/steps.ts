/**
 * Counts steps instead of time: of the host the executions of every block of its sources (precise
 * coverage of V8), of the core every turn of a loop and every call of a function (its Wasm, rewritten by
 * binaryen). The same input gives the same number on any machine.
 *
 * V8 counts in what is compiled after it was asked to: this has to be imported before the sources, which
 * therefore come through `measured`.
 */
import { readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { join } from "node:path";
import binaryen from "binaryen";

const CORE = join(import.meta.dirname, "../../build/core.wasm");

const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });

/** The sources, loaded after counting began. */
export const measured = {
  ...(await import("../../src/replay/replay.ts")),
  ...(await import("../../src/vhost/policy.ts")),
  ...(await import("../../src/qemu/trace-events.ts")),
  ...(await import("../../src/memory/read-memory-map.ts")),
  ...(await import("../../src/memory/owners/read-owners.ts")),
  ...(await import("../../src/join/clock-pair.ts")),
  ...(await import("./memory-source.ts")),
};

let coreSteps = 0;

/** A core that counts its steps; only for replays inside `stepsOf`. */
export const countingCore: WebAssembly.Module = (() => {
  const module = binaryen.readBinary(readFileSync(CORE));
  module.runPasses(["log-execution"]);
  const bytes = module.emitBinary();
  module.dispose();
  return new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
})();

/** Steps of the host's sources and of the core while `work` runs. */
export async function stepsOf(
  work: () => Promise<unknown>,
): Promise<{ host: number; core: number }> {
  const { instantiate } = WebAssembly;
  const count = { log_execution: () => void coreSteps++ };
  const counted = (module: WebAssembly.Module, imports: WebAssembly.Imports) =>
    instantiate(module, { ...imports, env: { ...imports.env, ...count } });
  WebAssembly.instantiate = counted as typeof WebAssembly.instantiate;
  await hostSteps();
  coreSteps = 0;
  try {
    await work();
    return { host: await hostSteps(), core: coreSteps };
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

/** Executions of blocks since the last call. */
async function hostSteps(): Promise<number> {
  const { result } = await session.post("Profiler.takePreciseCoverage");
  let steps = 0;
  for (const { url, functions } of result) {
    if (!/\/src\/(?!.*node_modules)/.test(url)) continue;
    for (const { ranges } of functions) for (const range of ranges) steps += range.count;
  }
  return steps;
}
