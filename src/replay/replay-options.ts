/** What a replay is asked: against which policies, and who is told what. */

import type { Core } from "../core/core.ts";
import type { DrainedRows } from "../core/drain.ts";
import type { Row, WindowChoice } from "../core/rows.ts";
import type { Place } from "../model/place.ts";
import type { RequestRecord, SyncView, WatchedWrite } from "../model/told.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import type { Policy } from "../vhost/policy.ts";

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
  /** Only counts them by the cause of that write, for a migration that QEMU tells of. */
  staleCauses?: boolean;
  /** Policy of the vhost that ran, where it is known. */
  ran?: Policy;
  /** Pages that the log of a user-space back end has room for, where no message tells. */
  logPages?: number;
  /** How many runs of pages a result lists. */
  runLimit?: number;
  /** Takes all that happens, in bulk. */
  sink?: ReplaySink;
  /** Only that of the machine of this number, from 1. */
  sinkMachine?: number;
  /** Only the first so many policies; default: all. */
  sinkPolicies?: number;
  signal?: AbortSignal;
}

/** What a sink may look up while it is called. */
export interface ReplayTables {
  readonly core: Core;
  /** In the core's order, also of policies that the sink is not told of; a bit of a state's `rows` is one of them. */
  readonly rows: readonly Row[];
  /** Streams of the inputs, numbered from 0. */
  readonly streams: number;
  readonly placeOf: (stream: number, place: number) => Place;
  /** Device and index of a queue by its number. */
  queueOf(): (id: number) => { device: number; index: number | null; vq: bigint };
}

/** Who takes a whole replay, for a history of it. What is handed over is valid during the call. */
export interface ReplaySink {
  /** Whether single events are wanted, not only rounds. */
  readonly events: boolean;
  /**
   * What happened, in the order of its time; requests in the order in which they left their queues.
   * `firstNs`: time of the first event so far.
   */
  rows(rows: DrainedRows, firstNs: bigint): void;
  /** Events were lost before this moment. */
  gap(ns: bigint): void;
  /** A round ends; its sets are still there. */
  round(tables: ReplayTables, index: number): void;
  /** Everything was replayed. */
  end(tables: ReplayTables): void;
}
