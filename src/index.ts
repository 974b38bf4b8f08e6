/**
 * vhost-replay as a library: reads recorded virtqueue traces and computes the dirty page sets that
 * different vhost implementations would produce. Nothing here needs a file system; `./node` has
 * sources for files and the prebuilt core.
 */
export { type CoreModule, compileCore, OutOfMemory } from "./core.ts";
export type { NormalisedEvent } from "./event.ts";
export { formatPlace, type Place, RecordingError, UsageError } from "./place.ts";
export type { ByteStream, RandomAccess, Source, Surroundings } from "./recording/source.ts";
export {
  type ChosenPolicy,
  dump,
  inspect,
  type Recording,
  type ReplayOptions,
  replay,
} from "./replay.ts";
export type * from "./result.ts";
export { DEFAULT_SYNC_MARKER } from "./round.ts";
export {
  findPolicy,
  POLICIES,
  type Policy,
  type ResolvedPolicy,
  refusal,
  resolvePolicy,
} from "./vhost/policy.ts";
export { readPolicyFile } from "./vhost/policy-file.ts";
