/**
 * vhost-replay as a library: reads recorded virtqueue traces and computes the dirty page sets that
 * different vhost implementations would produce. Nothing here needs a file system; `./node` has
 * sources for files and the prebuilt core.
 *
 * Each question is a module with `ask(recording, options)`, whose answer is plain data, and
 * `statusOf(answer)`, the exit status of the command that asks it.
 */

export * as affected from "./answers/affected.ts";
export * as around from "./answers/around.ts";
export type { Asked, CommonAnswer, CommonOptions } from "./answers/asked.ts";
export * as attribute from "./answers/attribute.ts";
export * as difference from "./answers/difference.ts";
export * as identify from "./answers/identify-answer.ts";
export * as compareImages from "./answers/image-comparison.ts";
export * as inspect from "./answers/inspect.ts";
export * as life from "./answers/life.ts";
export * as lint from "./answers/lint.ts";
export * as compareLogs from "./answers/log-comparison.ts";
export * as logImages from "./answers/log-images.ts";
export * as lost from "./answers/lost.ts";
export type { MachineOptions } from "./answers/machines.ts";
export * as minimize from "./answers/minimize.ts";
export type { ObservedImages } from "./answers/observed.ts";
export type { OwnersOfSet, ToldSet } from "./answers/page-set.ts";
export type { Replayer } from "./answers/replayer.ts";
export * as requests from "./answers/requests.ts";
export * as stale from "./answers/stale.ts";
export * as whatif from "./answers/whatif.ts";
export type { ByteStream, RandomAccess, Source, Surroundings } from "./bytes/source.ts";
export { type CoreModule, compileCore, OutOfMemory } from "./core/core.ts";
export { DEFAULT_SYNC_MARKER } from "./core/round.ts";
export type { WindowChoice } from "./core/rows.ts";
export {
  type History,
  type HistoryLevel,
  type HistoryTable,
  type MachineHistory,
  makeHistory,
  placeText,
  readHistory,
} from "./history/index.ts";
export type { PageStates } from "./history/lanes.ts";
export { pageStates } from "./history/page-states.ts";
export type { ClockPair } from "./join/clock-pair.ts";
export type { BlockRange } from "./memory/block-range.ts";
export type { OwnedPages, Owner } from "./memory/owners/owners.ts";
export { readMemoryMap } from "./memory/read-memory-map.ts";
export type { NormalisedEvent } from "./model/event.ts";
export * from "./model/migration-result.ts";
export type { GpaRange } from "./model/pages.ts";
export { formatPlace, type Place, RecordingError, UsageError } from "./model/place.ts";
export type * from "./model/result.ts";
export type * from "./model/told.ts";
export { dump, type Recording, type ReplayOptions, replay } from "./replay/replay.ts";
export { type ChosenPolicy, choosePolicies, DEFAULT_POLICIES } from "./vhost/chosen-policy.ts";
export {
  findPolicy,
  POLICIES,
  type Policy,
  type ResolvedPolicy,
  refusal,
  resolvePolicy,
} from "./vhost/policy.ts";
export { readPolicyFile } from "./vhost/policy-file.ts";
