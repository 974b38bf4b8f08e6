/** What a replay says of a live migration: its time line, and which pages are stale at the destination. */

import type { Evidence, PageRun } from "./evidence.ts";
import type { MigrationKind } from "./migration-kind.ts";
import type { Place } from "./place.ts";

/** What covered an unlogged write: a send, the policy's own log, a vCPU's write, the device's stop. */
export type HealedBy = "first-send" | "resend" | "log" | "cpu" | "stop";

/**
 * How sure it is that a page is stale at the destination, the surest first.
 *
 * stale: certain. The page's last send was recorded, none after it was unseen, and the request of a later
 * write was popped after it. likely-stale: the last write is later than the last send that is known, but
 * may have begun before it, or a later send may be unseen. possibly-stale: the order of the last write and
 * a send is not known. A page that was missed and covered later is healed, and in no list.
 */
export const STALE_LADDER = ["stale", "likely-stale", "possibly-stale"] as const;
export type StaleVerdict = (typeof STALE_LADDER)[number];

/**
 * Why a page is not certainly stale. Likely: popped-before-send: the page was read between the pop
 * and the completion of the request; no-send-seen: no send of the page is recorded; sends-unseen:
 * it may have been sent again where no event names pages (by multifd); zeros-unseen: it may have been sent
 * again as a page of zeros, which the source does not trace. Either: events-lost: what healed it, a send
 * or an ioctl, may be among events that are missing (likely: of no known place). Possibly: first-pass: written in the first pass, when it may not have
 * been sent yet; in-flight: between the send's event and the flush of QEMU's buffer, or within the
 * clocks' tolerance; queued: no sends are recorded, and it was queued since the last sync;
 * what-if: sent again, perhaps only because
 * the vhost that ran logged it; unfinished: the recording ends before the migration.
 */
export type Doubt =
  | "popped-before-send"
  | "no-send-seen"
  | "sends-unseen"
  | "zeros-unseen"
  | "first-pass"
  | "in-flight"
  | "queued"
  | "no-send-times"
  | "arrival"
  | "events-lost"
  | "what-if"
  | "unfinished";

/** A page that is stale or may be, with the last write that the policy left out. */
export interface StalePage {
  gfn: number;
  verdict: StaleVerdict;
  write: Evidence;
  /** The last send before that write, where the recording has it. */
  sentNs: string | null;
  /** The request was popped before that send: the data may have landed before it. */
  poppedBeforeSend: boolean;
  doubts: Doubt[];
}

/** Which pages are stale at the destination, had this policy been the source's. */
export interface MigrationVerdict {
  policy: string;
  /** Pages: certainly stale; these and the likely ones; all three sets. */
  best: number | null;
  likely: number | null;
  worst: number | null;
  /** The sets of STALE_LADDER; no page is in two. */
  stale: PageRun[];
  likelyStale: PageRun[];
  possiblyStale: PageRun[];
  healed: { by: HealedBy; runs: PageRun[] }[];
  /** Pages that this policy logged and that were never sent again. */
  loggedNotSent: number | null;
  /** Another policy fits the sends and logs more: sends count only as far as this one explains them. */
  whatIf: boolean;
  /** The pages of the three sets, one by one; empty where nobody asked for them. */
  pages: StalePage[];
  /** Those pages by the cause of the write to blame, in the order of the causes. */
  causes: { cause: string; pages: number }[];
  /** Pages of the three sets of which no write is kept, and so in neither list. */
  pagesWithoutEvidence: number;
}

/**
 * What tells when pages were sent. source: page by page; source-and-destination: also pages of zeros;
 * destination: arrivals; packets: of multifd, in the first pass; none.
 */
export type SendTimes = "source" | "source-and-destination" | "destination" | "packets" | "none";

/** A live migration in the recording. */
export interface MigrationResult {
  from: "qemu" | "ioctl";
  outcome: "completed" | "cancelled" | "failed" | "unfinished";
  /** How it went, beside plain pre-copy. */
  kinds: MigrationKind[];
  logOn: { ns: string; place: Place };
  firstSyncNs: string | null;
  stoppedNs: string | null;
  postcopyNs: string | null;
  endNs: string | null;
  syncs: number;
  states: { state: string; ns: string }[];
  /** Page sends: with data, of zeros (only where a destination was recorded), of no known address. */
  sends: { data: number; zero: number; unplaced: number };
  /** Where the times of sends come from. */
  sendTimes: SendTimes;
  /**
   * Pages that were sent again as pages of zeros unseen, at most: so many likely stale pages may be none.
   * 0: none was, or the destination's recording shows them. null: not known.
   */
  zeroResendsAtMost: number | null;
  /** How each RAM block was placed in guest-physical memory. */
  blocks: { block: string; placed: string }[];
  /** Pages that vCPUs wrote, as QEMU fetched them from KVM's dirty ring. */
  cpuDirtied: number;
  /** In the order of `policies`. */
  verdicts: MigrationVerdict[];
}
