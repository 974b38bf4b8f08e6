/**
 * vhost-replay as a library: reads recorded virtqueue traces and computes the dirty page sets that
 * different vhost implementations would produce. Nothing here needs a file system; `./node` has
 * sources for files and the prebuilt core.
 */

export type { ByteStream, RandomAccess, Source, Surroundings } from "./bytes/source.ts";
export { type CoreModule, compileCore, OutOfMemory } from "./core/core.ts";
export { DEFAULT_SYNC_MARKER } from "./core/round.ts";
export {
  type History,
  type HistoryLevel,
  type HistoryTable,
  type MachineHistory,
  makeHistory,
  placeText,
  readHistory,
} from "./history/index.ts";
export { type PageStates, pageStates } from "./history/page-states.ts";
export type { NormalisedEvent } from "./model/event.ts";
export { formatPlace, type Place, RecordingError, UsageError } from "./model/place.ts";
export type * from "./model/result.ts";
export {
  type ChosenPolicy,
  dump,
  inspect,
  type Recording,
  type ReplayOptions,
  replay,
} from "./replay/replay.ts";
export {
  findPolicy,
  POLICIES,
  type Policy,
  type ResolvedPolicy,
  refusal,
  resolvePolicy,
} from "./vhost/policy.ts";
export { readPolicyFile } from "./vhost/policy-file.ts";
