/**
 * What the commands need of the library, as one value, so that a command can be run on something
 * else in a test. `load-api.ts` makes the real one.
 */
import type { NormalisedEvent } from "../event.ts";
import type { Source, Surroundings } from "../recording/source.ts";
import type { Tool } from "../report/result-json.ts";
import type { ReplayResult, RequestRecord, SyncView, WatchedWrite } from "../result.ts";
import type { Policy } from "../vhost/policy.ts";

/** An opened recording; only the library looks into it. */
export interface Recording {
  close?(): void;
}

export interface OpenOptions {
  syncMarker?: RegExp;
  /** Bytes read so far of all inputs, their sum where known, events so far. */
  onProgress?(bytes: number, total: number | undefined, events: number): void;
}

export interface ReplayOptions {
  policies: { policy: Policy; alias: string | null }[];
  window: "recorded" | "assumed" | "auto";
  onSync?(view: SyncView): void | Promise<void>;
  onRequest?(request: RequestRecord): void | Promise<void>;
  watch?: { gpa: number; len: number };
  onWrite?(write: WatchedWrite): void | Promise<void>;
  runLimit?: number;
  signal?: AbortSignal;
}

export interface ReplayApi {
  readonly tool: Tool;
  /** One source a name, `-` being standard input; throws RecordingError. */
  openSources(names: readonly string[]): Source[] | Promise<Source[]>;
  readonly surroundings: Surroundings;
  openRecording(
    sources: Source[],
    surroundings: Surroundings,
    options: OpenOptions,
  ): Promise<Recording>;
  replay(recording: Recording, options: ReplayOptions): Promise<ReplayResult>;
  inspect(recording: Recording): Promise<ReplayResult>;
  dump(
    recording: Recording,
    onEvent: (event: NormalisedEvent) => void | Promise<void>,
  ): Promise<ReplayResult>;
  readonly POLICIES: readonly Policy[];
  /** Throws UsageError, which names the known ones. */
  findPolicy(name: string): Policy;
}
