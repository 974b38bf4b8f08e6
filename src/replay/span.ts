/** From when to when the inputs were replayed so far. */
import type { Core } from "../core/core.ts";
import type { OpenInput } from "../formats/open-inputs.ts";

/** Streams from which something was taken. */
function streamsTaken(core: Core, inputs: readonly OpenInput[]): number[] {
  return inputs
    .flatMap(({ feed }) => Array.from({ length: feed.streams }, (_, i) => feed.firstStream + i))
    .filter((stream) => core.exports.taken(stream) > 0);
}

/** Time of the first event replayed; 0 without any. */
export function firstNs(core: Core, inputs: readonly OpenInput[]): bigint {
  const [first = 0n, ...others] = streamsTaken(core, inputs).map((s) => core.exports.firstTs(s));
  return others.reduce((before, ns) => (ns < before ? ns : before), first);
}

/** Time of the latest event replayed, for what ends with the recording. */
export function lastNs(core: Core, inputs: readonly OpenInput[]): bigint {
  const times = streamsTaken(core, inputs).map((stream) => core.exports.takenTs(stream));
  return times.reduce((last, ns) => (ns > last ? ns : last), 0n);
}
