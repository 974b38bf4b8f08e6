/** What a replay is asked: against which policies, and who is told what. */

import type { WindowChoice } from "../core/rows.ts";
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
  /** Policy of the vhost that ran, where it is known. */
  ran?: Policy;
  /** How many runs of pages a result lists. */
  runLimit?: number;
  signal?: AbortSignal;
}
