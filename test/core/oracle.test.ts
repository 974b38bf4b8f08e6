/**
 * The oracle against reality: from a recording of a real kernel it must predict the very dirty log
 * which that kernel wrote, at every sync, bit for bit.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { inTimeOrder, readTraceText } from "../support/oracle/text.ts";
import {
  bitmapImage,
  PATCHED,
  pagesOf,
  pagesOfImage,
  policyRounds,
  replayOracle,
  UNPATCHED,
} from "../support/oracle.ts";

const RECORDINGS = new URL("../../traces/vhost-scsi/", import.meta.url);

interface Recording {
  kernel: string;
  scenario: string;
  events: ReturnType<typeof readTraceText>;
  syncs: { number: number; pages: Set<number> }[];
}

function readRecording(kernel: string, scenario: string): Recording {
  const folder = new URL(`${encodeURIComponent(kernel)}/${scenario}/`, RECORDINGS);
  const names = readdirSync(folder);
  const text = names.includes("trace.txt.gz")
    ? gunzipSync(readFileSync(new URL("trace.txt.gz", folder))).toString()
    : readFileSync(new URL("trace.txt", folder), "utf8");
  const syncs = readdirSync(new URL("syncs/", folder))
    .filter((name) => name.endsWith(".bin"))
    .sort()
    .map((name) => ({
      number: Number.parseInt(name, 10),
      pages: pagesOfImage(readFileSync(new URL(`syncs/${name}`, folder))),
    }));
  return { kernel, scenario, events: inTimeOrder(readTraceText(text)), syncs };
}

/** Kernel and scenario of every recording; empty when the folder is not there. */
function recordings(): [string, string][] {
  if (!existsSync(RECORDINGS)) return [];
  return readdirSync(RECORDINGS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((kernel) =>
      readdirSync(new URL(`${encodeURIComponent(kernel.name)}/`, RECORDINGS), {
        withFileTypes: true,
      })
        .filter((entry) => entry.isDirectory())
        .map((scenario): [string, string] => [kernel.name, scenario.name]),
    );
}

const found = recordings();
const ascending = (pages: Set<number>): number[] => [...pages].sort((a, b) => a - b);

/** Kernels before the series: 6.16 was the first with it. */
const UNPATCHED_KERNEL = /^6\.(1|12)\./;

/**
 * Syncs that can only be bounded: events lost on purpose, or a request in flight when recording
 * began. Nothing but logging of descriptors is affected, so only patched kernels show it.
 */
function inexact(kernel: string, scenario: string, first: boolean): boolean {
  if (UNPATCHED_KERNEL.test(kernel)) return false;
  return scenario === "18-lost" || (scenario === "23-attach" && first);
}

describe("recordings of vhost-scsi", () => {
  test("recordings of all kernels are there", () => {
    const kernels = new Set(found.map(([kernel]) => kernel.split(".").slice(0, 2).join(".")));
    expect([...kernels].sort()).toEqual(["6.1", "6.12", "6.16", "7.2"]);
    expect(found.length).toBeGreaterThanOrEqual(30);
  });

  test.each(found)("%s %s: the log of every sync is predicted bit for bit", (kernel, scenario) => {
    const recording = readRecording(kernel, scenario);
    const rounds = replayOracle(recording.events).rounds.filter((round) => round.sync !== null);
    const logs = UNPATCHED_KERNEL.test(kernel) ? UNPATCHED : PATCHED;
    const beforeRecording = recording.syncs.length - rounds.length;
    expect(rounds.length).toBeGreaterThan(0);
    if (scenario !== "18-lost" && scenario !== "23-attach") expect(beforeRecording).toBe(0);
    const syncs = recording.syncs.slice(beforeRecording);
    expect(rounds.map((round) => round.sync?.number)).toEqual(syncs.map((sync) => sync.number));
    rounds.forEach((round, index) => {
      const predicted = pagesOf(round, logs);
      const real = syncs[index]?.pages ?? new Set<number>();
      const label = `sync ${round.sync?.number}`;
      if (inexact(kernel, scenario, index === 0)) {
        const invented = ascending(predicted).filter((page) => !real.has(page));
        expect(invented, `${label}: pages which the kernel did not log`).toEqual([]);
      } else {
        expect(ascending(predicted), label).toEqual(ascending(real));
      }
    });
  });
});

/** What another kernel would have logged, against what it did log in the same scenario. */
describe("recordings of one kernel, replayed as another", () => {
  const same = (recorded: string, other: string): [string, string, string][] =>
    found
      .filter(([kernel]) => kernel.startsWith(recorded))
      .flatMap(([kernel, scenario]) =>
        found
          .filter(([k, s]) => k.startsWith(other) && s === scenario)
          .map(([k]): [string, string, string] => [scenario, kernel, k]),
      );
  const check = (scenario: string, recorded: string, other: string, logs: bigint): void => {
    const rounds = replayOracle(readRecording(recorded, scenario).events).rounds;
    const { syncs } = readRecording(other, scenario);
    let compared = 0;
    for (const round of rounds) {
      const sync = syncs.find((s) => s.number === round.sync?.number);
      if (sync === undefined) continue;
      compared += 1;
      const label = `sync ${sync.number}`;
      expect(ascending(pagesOf(round, logs)), label).toEqual(ascending(sync.pages));
    }
    expect(compared).toBeGreaterThan(0);
  };

  test.each(same("6.16.", "6.1."))(
    "%s recorded on %s predicts the log which the unpatched %s wrote",
    (scenario, recorded, other) => check(scenario, recorded, other, UNPATCHED),
  );

  // 18-lost and 23-attach depend on when recording began.
  const whole = same("6.1.", "6.16.").filter(
    ([scenario]) => scenario !== "18-lost" && scenario !== "23-attach",
  );
  test.each(whole)(
    "%s recorded on %s predicts the log which the patched %s wrote",
    (scenario, recorded, other) => check(scenario, recorded, other, PATCHED),
  );
});

describe("set algebra", () => {
  test("a page that a later sync logs is stale no longer", () => {
    const round = (io: number[], ring: number[]) => {
      const causes = Array.from({ length: 18 }, () => new Set<number>());
      causes[6] = new Set(io);
      causes[0] = new Set(ring);
      return { sync: null, causes };
    };
    const result = policyRounds([round([1, 2], [9]), round([], [2])], UNPATCHED);
    expect(result.map((r) => ascending(r.lost))).toEqual([[1, 2], []]);
    expect(result.map((r) => ascending(r.stale))).toEqual([[1, 2], [1]]);
  });

  test("bit n of the image is page n, least significant bit first", () => {
    expect([...bitmapImage([1, 7, 8])]).toEqual([0x82, 0x01]);
    expect(ascending(pagesOfImage(new Uint8Array([0x82, 0x01])))).toEqual([1, 7, 8]);
  });
});
