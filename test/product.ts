/**
 * The door through which the conformance cases reach the product. Today behind it: the oracle.
 */
import type { NormalisedEvent } from "../src/event.ts";
import { emptyLog, logWrite } from "./oracle/log.ts";
import { bitmapImage, PATCHED, pagesOf, replayOracle, UNPATCHED, WINDOW } from "./oracle.ts";

export const POLICIES = ["linux-6.1", "linux-6.16", "linux-7.2"] as const;
export type PolicyName = (typeof POLICIES)[number];

/** One round: pages (gpa >> 12) written in the logging window, and logged by each policy. */
export interface ProductRound {
  written: Set<number>;
  logged: Record<PolicyName, Set<number>>;
}
/** Sums over all queues. */
export interface ProductCounters {
  popped: number;
  completed: number;
  unknownHead: number;
  rejected: number;
  dropped: number;
  inFlightAtEnd: number;
  lostCompletions: number;
}

/** Replays a stream in time order: a round per sync, and one for what follows the last sync. */
export async function replayEvents(
  events: NormalisedEvent[],
): Promise<{ rounds: ProductRound[]; counters: ProductCounters }> {
  const { rounds, counters } = replayOracle(events);
  return {
    counters,
    rounds: rounds.map((round) => ({
      written: pagesOf(round, WINDOW),
      logged: {
        "linux-6.1": pagesOf(round, UNPATCHED),
        "linux-6.16": pagesOf(round, PATCHED),
        "linux-7.2": pagesOf(round, PATCHED),
      },
    })),
  };
}

/** Bitmap with the pages of one range: bit n of byte n/8 is page n; no zero bytes at its end. */
export async function markRange(gpa: bigint, len: bigint): Promise<Uint8Array> {
  const log = emptyLog();
  logWrite(log, gpa, len);
  return bitmapImage(log.pages);
}
