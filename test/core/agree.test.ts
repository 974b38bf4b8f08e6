/**
 * Twins: the core and the naive oracle, which were written from the same rules by different hands,
 * agree on every plane of every round, on random streams of events and on all recordings.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Cause } from "../../assembly/page-abi.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { mask } from "../../src/vhost/causes.ts";
import type { Policy } from "../../src/vhost/policy.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";
import { eventStreams } from "../support/oracle/streams.ts";
import { inTimeOrder, readTraceText } from "../support/oracle/text.ts";
import { replayOracle } from "../support/oracle.ts";

/** The oracle knows vhost-scsi's causes. */
const MODELLED: Cause[] = [
  ...Array.from({ length: Cause.EvtOff + 1 }, (_, cause) => cause),
  ...[Cause.RingFlag, Cause.RingAll],
];

/** A policy for each cause: its log is that cause's plane. */
const PLANES: { policy: Policy; alias: null }[] = MODELLED.map((cause) => ({
  alias: null,
  policy: { name: Cause[cause]!, aliases: [], title: "", logs: mask(cause), evidence: [] },
}));

/** Pages of each cause in each round, as the product sees them. */
async function planesOf(events: readonly NormalisedEvent[]): Promise<{
  rounds: Record<string, number[]>[];
  counters: Record<string, number>;
}> {
  const text = events.map((event) => JSON.stringify(event)).join("\n");
  const rounds: Record<string, number[]>[] = [];
  const result = await replayAll([memorySource("events", text)], {
    policies: PLANES,
    onSync: (view) => {
      const round: Record<string, number[]> = {};
      MODELLED.forEach((cause, row) => {
        const pages = view.pages(row);
        if (pages.length > 0) round[Cause[cause]!] = pages;
      });
      rounds.push(round);
    },
  });
  const counters: Record<string, number> = {};
  for (const device of result.devices) {
    for (const queue of device.queues) {
      for (const key of COUNTERS) counters[key] = (counters[key] ?? 0) + queue[key];
    }
  }
  return { rounds, counters };
}

const COUNTERS = [
  "popped",
  "completed",
  "unknownHead",
  "rejected",
  "dropped",
  "inFlightAtEnd",
  "lostCompletions",
] as const;

/** The same of the oracle. */
function oracleOf(events: readonly NormalisedEvent[]): {
  rounds: Record<string, number[]>[];
  counters: Record<string, number>;
} {
  const { rounds, counters } = replayOracle(events);
  return {
    rounds: rounds.map((round) => {
      const named: Record<string, number[]> = {};
      round.causes.forEach((pages, cause) => {
        if (pages.size > 0) named[Cause[cause]!] = [...pages].sort((a, b) => a - b);
      });
      return named;
    }),
    counters: Object.fromEntries(COUNTERS.map((key) => [key, counters[key]])),
  };
}

/** An empty rest after the last sync is a round to the oracle and none to the product. */
function withoutEmptyEnd<T extends object>(rounds: T[]): T[] {
  const end = rounds.findLastIndex((round) => Object.keys(round).length > 0);
  return rounds.slice(0, end + 1);
}

async function expectAgreement(events: readonly NormalisedEvent[]): Promise<void> {
  const product = await planesOf(events);
  const oracle = oracleOf(events);
  expect(withoutEmptyEnd(product.rounds)).toEqual(withoutEmptyEnd(oracle.rounds));
  const counted = Object.keys(product.counters).length > 0;
  if (counted) expect(product.counters).toEqual(oracle.counters);
}

const ROOT = join(import.meta.dirname, "../..", "traces", "vhost-scsi");
const RECORDINGS = readdirSync(ROOT).flatMap((kernel) =>
  readdirSync(join(ROOT, kernel))
    .map((scenario) => join(ROOT, kernel, scenario, "trace.txt.gz"))
    .filter((path) => existsSync(path)),
);

describe("core and oracle agree", () => {
  test("on random streams of events, every plane of every round", async () => {
    const streams = eventStreams().filter((events) => events.length > 0);
    await fc.assert(fc.asyncProperty(streams, expectAgreement), { numRuns: 300 });
  });

  test("there are recordings to agree on", () => {
    expect(RECORDINGS.length).toBeGreaterThan(40);
  });

  test.each(RECORDINGS.map((path) => [path.slice(ROOT.length + 1), path]))(
    "on %s",
    async (_, path) => {
      const text = gunzipSync(readFileSync(path)).toString("latin1");
      await expectAgreement(inTimeOrder(readTraceText(text)));
    },
  );
});
