/** What a replay is asked: which recordings, against which policies, and who is told what. */

import type { Source, Surroundings } from "../bytes/source.ts";
import type { CoreModule } from "../core/core.ts";
import type { WindowChoice } from "../core/rows.ts";
import type { ClockPair } from "../join/clocks.ts";
import type { RequestRecord, SyncView, WatchedWrite } from "../model/result.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import type { Policy } from "../vhost/policy.ts";
import type { BlockRange } from "./migration/ram-map.ts";

/** What to replay: inputs, and the core to do it with. */
export interface Recording {
  sources: readonly Source[];
  surroundings: Surroundings;
  module: CoreModule;
  /** Pattern of a marker that ends a round; groups `n` and `name`. */
  syncMarker?: RegExp;
  /** trace-events-all of the QEMU that wrote a simpletrace. */
  traceEvents?: Source;
  /** By an input's name: what is added to its times, and how well that is known (ns). */
  clockOffsets?: ReadonlyMap<string, { offset: bigint; tolerance: bigint | null }>;
  /** Realtime and monotonic clock read together on the host that was recorded. */
  clockPairs?: readonly ClockPair[];
  /** RAM blocks in guest-physical memory, from `info mtree -f`. */
  memoryMap?: readonly BlockRange[];
  /** Called about once a MiB: bytes read so far, events replayed. */
  onProgress?: (bytes: number, events: number) => void;
  /** SHA-256 of an input's bytes, where the caller wants it in the result. */
  sha256?: (source: Source) => Promise<string | null>;
}

export interface ReplayOptions {
  policies: readonly ChosenPolicy[];
  window: WindowChoice;
  /** At the end of every round, before its log is cleared. Indexes follow `policies`. */
  onSync?: (view: SyncView) => void | Promise<void>;
  /** Every request that leaves its queue; at the end those still in flight. */
  onRequest?: (request: RequestRecord) => void | Promise<void>;
  /** Writes into the pages of this range are reported to `onWrite`. */
  watch?: { gpa: number; len: number };
  onWrite?: (write: WatchedWrite) => void | Promise<void>;
  /** Lists the stale pages of each migration one by one, with the write to blame. */
  stalePages?: boolean;
  /** Policy of the vhost that ran, where it is known. */
  ran?: Policy;
  /** How many runs of pages a result lists. */
  runLimit?: number;
  signal?: AbortSignal;
}
