/**
 * What the commands need of the library, as one value, so that a command can be run on something
 * else in a test. `load-api.ts` makes the real one.
 */
import type { MachineOptions } from "../../answers/machines.ts";
import type { ObservedImages } from "../../answers/observed.ts";
import type { Replayer } from "../../answers/replayer.ts";
import type { Source, Surroundings } from "../../bytes/source.ts";
import type { CoreModule } from "../../core/core.ts";
import type { HistoryLevel } from "../../history/index.ts";
import type { MergePlan } from "../../join/merge-plan.ts";
import type { Recording } from "../../join/recording.ts";
import type { NormalisedEvent } from "../../model/event.ts";
import type { ReplayResult } from "../../model/result.ts";
import type { ReplayOptions } from "../../replay/replay-options.ts";
import type { Tool } from "../../report/json/result-json.ts";
import type { Policy } from "../../vhost/policy.ts";

export interface ReplayApi {
  readonly tool: Tool;
  readonly module: CoreModule;
  /** One source a name, `-` being standard input; throws RecordingError. */
  openSources(names: readonly string[]): readonly Source[];
  /** The images of dirty logs in a folder; throws UsageError, RecordingError. */
  observed(folder: string): Promise<ObservedImages>;
  /** `say` gets lines for the user, without a line feed; `jobs` is how many threads may work. */
  surroundings(say: (line: string) => void, jobs?: number): Surroundings;
  /** How the recordings become one; throws RecordingError where `replay` would. */
  plan(recording: Recording): Promise<MergePlan>;
  readonly replay: Replayer;
  /**
   * The answer, of all machines, and a history of the one that is chosen, not compressed. Throws
   * UsageError where it is open which is meant.
   */
  history(
    recording: Recording,
    options: ReplayOptions & MachineOptions,
    level: HistoryLevel,
  ): Promise<{ result: ReplayResult; bytes: Uint8Array<ArrayBuffer> }>;
  /** Hands over every event in time order; `signal` stops it. */
  dump(
    recording: Recording,
    onEvent: (event: NormalisedEvent) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<ReplayResult>;
  /** The table, and before it what `--policy-file` adds. */
  readonly POLICIES: readonly Policy[];
}
