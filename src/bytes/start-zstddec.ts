import { holdingLoop } from "./hold-loop.ts";

/**
 * Starts a decoder of the package zstddec. Where there is `fetch` it fetches its own code from a data:
 * URL, for which Node.js loads a whole HTTP client (measured: 70 ms of CPU, as much as two thirds of the
 * start of Node.js itself). With Buffer it can do without, and looks for `fetch` before it first waits.
 */
export function startZstddec(decoder: { init(): Promise<unknown> }): Promise<unknown> {
  const surroundings: { Buffer?: unknown; fetch?: unknown } = globalThis;
  if (surroundings.Buffer === undefined) return holdingLoop(decoder.init());
  const { fetch } = surroundings;
  surroundings.fetch = undefined;
  try {
    return holdingLoop(decoder.init());
  } finally {
    surroundings.fetch = fetch;
  }
}
