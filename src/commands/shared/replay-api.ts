/**
 * What the commands need of the library, as one value, so that a command can be run on something
 * else in a test. `load-api.ts` makes the real one.
 */

import type { Source, Surroundings } from "../../bytes/source.ts";
import type { HistoryLevel } from "../../history/index.ts";
import type { ClockPair } from "../../join/clock-pair.ts";
import type { MergePlan } from "../../join/merge-plan.ts";
import type { BlockRange } from "../../memory/block-range.ts";
import type { NormalisedEvent } from "../../model/event.ts";
import type { ReplayResult } from "../../model/result.ts";
import type { ReplayOptions } from "../../replay/replay.ts";
import type { Tool } from "../../report/json/result-json.ts";
import type { Policy } from "../../vhost/policy.ts";

export type { ReplayOptions } from "../../replay/replay.ts";

/** What a command says about the recordings it opens. */
export interface Opening {
  sources: readonly Source[];
  surroundings: Surroundings;
  syncMarker?: RegExp;
  traceEvents?: Source;
  clockOffsets?: ReadonlyMap<string, { offset: bigint; tolerance: bigint | null }>;
  clockPairs?: readonly ClockPair[];
  memoryMap?: readonly BlockRange[];
  /** Now and then: events so far. */
  onProgress?: (bytes: number, events: number) => void;
}

export interface ReplayApi {
  readonly tool: Tool;
  /** One source a name, `-` being standard input; throws RecordingError. */
  openSources(names: readonly string[]): readonly Source[];
  /** `say` gets lines for the user, without a line feed; `jobs` is how many threads may work. */
  surroundings(say: (line: string) => void, jobs?: number): Surroundings;
  /** How the recordings become one; throws RecordingError where `replay` would. */
  plan(opening: Opening): Promise<MergePlan>;
  replay(opening: Opening, options: ReplayOptions): Promise<ReplayResult>;
  /** The answer, and a history of the replay, not compressed. */
  history(
    opening: Opening,
    options: ReplayOptions,
    level: HistoryLevel,
  ): Promise<{ result: ReplayResult; bytes: Uint8Array<ArrayBuffer> }>;
  /** Hands over every event in time order; `signal` stops it. */
  dump(
    opening: Opening,
    onEvent: (event: NormalisedEvent) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<ReplayResult>;
  readonly POLICIES: readonly Policy[];
  /** Throws UsageError, which names the known ones. */
  findPolicy(name: string): Policy;
}
