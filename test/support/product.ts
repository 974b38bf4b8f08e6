/** The door through which the conformance cases reach the product: the real core and replay. */
import { RowSet } from "../../assembly/page-abi.ts";
import { Core } from "../../src/core/core.ts";
import { installRows } from "../../src/core/rows.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { findPolicy, type Policy, windowOf } from "../../src/vhost/policy.ts";
import { coreModule, memorySource, replayAll } from "./memory-source.ts";

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

/** A policy that logs everything inside the window: its log is what was written. */
const WRITTEN: Policy = {
  ...findPolicy("linux-6.1"),
  name: "written",
  aliases: [],
  logs: windowOf(findPolicy("linux-6.1").logs),
};

/** Replays a stream in time order: a round per sync, and one for what follows the last sync. */
export async function replayEvents(
  events: NormalisedEvent[],
): Promise<{ rounds: ProductRound[]; counters: ProductCounters }> {
  const rounds: ProductRound[] = [];
  const text = events.map((event) => JSON.stringify(event)).join("\n");
  const policies = [...POLICIES.map(findPolicy), WRITTEN];
  const result = await replayAll([memorySource("case", text)], {
    policies: policies.map((policy) => ({ policy, alias: null })),
    onSync: ({ pages }) => {
      rounds.push({
        written: new Set(pages(3)),
        logged: {
          "linux-6.1": new Set(pages(0)),
          "linux-6.16": new Set(pages(1)),
          "linux-7.2": new Set(pages(2)),
        },
      });
    },
  });
  // What follows the last sync is a round here even when nothing happened in it.
  if (result.rounds.at(-1)?.sync !== null) {
    const none = new Set<number>();
    rounds.push({
      written: none,
      logged: { "linux-6.1": none, "linux-6.16": none, "linux-7.2": none },
    });
  }
  const queues = result.devices.flatMap((device) => device.queues);
  const sum = (key: keyof ProductCounters): number =>
    queues.reduce((total, queue) => total + queue[key], 0);
  return {
    rounds,
    counters: {
      popped: sum("popped"),
      completed: sum("completed"),
      unknownHead: sum("unknownHead"),
      rejected: sum("rejected"),
      dropped: sum("dropped"),
      inFlightAtEnd: sum("inFlightAtEnd"),
      lostCompletions: sum("lostCompletions"),
    },
  };
}

/** Bitmap with the pages of one range: bit n of byte n/8 is page n; no zero bytes at its end. */
export async function markRange(gpa: bigint, len: bigint): Promise<Uint8Array> {
  const core = await Core.create(await coreModule(), 1);
  installRows(core, [{ policy: 0, window: "recorded", windowMask: 1n, logsMask: 1n }]);
  core.exports.mark(0, gpa, len);
  core.exports.sync();
  const highest = core.highest(0, RowSet.Logged);
  return core.image(0, RowSet.Logged, Math.floor(highest / 8) + 1).image;
}
