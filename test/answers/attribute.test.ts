/** Which patches save which pages: laws on random streams, cases by id, real recordings. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Asked } from "../../src/answers/asked.ts";
import {
  ATTRIBUTE_RUNS,
  type Attribution,
  attributePages,
  attributionPolicies,
  patchesFor,
  patchRows,
  statusOf,
} from "../../src/answers/attribute.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { attributeJson } from "../../src/report/json/attribute-json.ts";
import { attributeSentence, attributeText } from "../../src/report/text/attribute-text.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { windowOf } from "../../src/vhost/causes.ts";
import { NO_PATCHES, patchChoices, seriesLogs } from "../../src/vhost/series.ts";
import { Guest } from "../support/guest.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";
import { eventStreams } from "../support/oracle/streams.ts";
import { replayOracle } from "../support/oracle.ts";
import { errorsOf } from "../support/schemas.ts";

const TOOL = { name: "vhost-replay", version: "0", wasmSha256: "0".repeat(64) };

const ANSWER: { asked: Asked } = {
  asked: { policies: ["a"], window: "auto", syncMarker: null, ran: null, machine: null },
};

async function attribute(source: Parameters<typeof replayAll>[0][number]) {
  const options = { policies: attributionPolicies(), runLimit: ATTRIBUTE_RUNS };
  const result = await replayAll([source], { ...options, window: "recorded" });
  return { result, attribution: attributePages(result) };
}

const ofEvents = async (events: readonly NormalisedEvent[]) =>
  (await attribute(memorySource("events", events.map((e) => JSON.stringify(e)).join("\n"))))
    .attribution;

const ofGuest = (guest: Guest) => ofEvents(guest.events);

/** Saving sets and their pages: `4,5,6,7: 202`. */
function shown(attribution: Attribution): string[] {
  const pages = (runs: Attribution["unsaved"]["runs"]): string =>
    runs
      .flatMap((run) => Array.from({ length: run.pages }, (_, i) => (run.gfn + i).toString(16)))
      .join(" ");
  const sets = attribution.sets.map((set) => `${set.patches.join()}: ${pages(set.runs)}`);
  return attribution.unsaved.pages > 0
    ? [...sets, `none: ${pages(attribution.unsaved.runs)}`]
    : sets;
}

const recorded = (kernel: string, scenario: string) => {
  const path = join(
    import.meta.dirname,
    "../../traces/vhost-scsi",
    kernel,
    scenario,
    "trace.txt.gz",
  );
  return memorySource(scenario, gunzipSync(readFileSync(path)));
};

describe("the smallest set of patches that saves a page", () => {
  test("C39 the data of an I/O request: 4, 5, 6, 7", async () => {
    const found = await ofGuest(
      new Guest().request({
        writes: [
          [0x201100, 108],
          [0x202000, 4096],
        ],
      }),
    );
    expect(shown(found)).toEqual(["4,5,6,7: 201 202"]);
    expect([found.prefix, found.lost]).toEqual([7, 2]);
  });
  test("C66 the response of a LUN RESET: 4, 5, 8", async () => {
    const found = await ofGuest(new Guest().request({ queue: 0, writes: [[0x208ff8, 16]] }));
    expect(shown(found)).toEqual(["4,5,8: 208 209"]);
    expect(found.prefix).toBe(8);
  });
  test("C70 an event: 4, 9", async () => {
    const found = await ofGuest(
      new Guest().request({ queue: 1, reads: [], writes: [[0x209ff8, 16]] }),
    );
    expect(shown(found)).toEqual(["4,9: 209 20a"]);
    expect(found.prefix).toBe(9);
  });
  test("a page that two queues wrote in one round is saved by the smaller set", async () => {
    const found = await ofGuest(
      new Guest()
        .request({ writes: [[0x202000, 512]] })
        .request({ queue: 1, reads: [], writes: [[0x202800, 16]] }),
    );
    expect(shown(found)).toEqual(["4,9: 202"]);
  });
  test("a page that two queues wrote in different rounds needs both", async () => {
    const found = await ofGuest(
      new Guest()
        .request({ writes: [[0x202000, 512]] })
        .sync(0)
        .request({ queue: 1, reads: [], writes: [[0x202800, 16]] })
        .sync(1),
    );
    expect(shown(found)).toEqual(["4,5,6,7,9: 202"]);
    expect(found.patches.map(({ pages }) => pages)).toEqual([0, 0, 0, 1, 1, 1, 1, 0, 1, 0]);
  });
  test("C74 C77 popped too early, or freed by a toggle: no patch", async () => {
    const late = await ofGuest(
      new Guest({ logAll: false })
        .submit(0, [[0x202000, 4096]])
        .setLogAll(true)
        .used(2, 0),
    );
    expect(shown(late)).toEqual(["none: 202"]);
    const freed = await ofGuest(
      new Guest()
        .submit(0, [[0x203000, 4096]])
        .setLogAll(false)
        .setLogAll(true)
        .used(2, 0),
    );
    expect(shown(freed)).toEqual(["none: 203"]);
    expect([late.prefix, freed.prefix]).toEqual([null, null]);
    expect(freed.unsaved.causes.map(({ cause, pages }) => [cause, pages])).toEqual([
      ["io-freed", 1],
    ]);
  });
  test("nothing lost needs nothing", async () => {
    const found = await ofGuest(new Guest().request({ writes: [] }));
    expect([found.lost, found.prefix, found.sets]).toEqual([0, 0, []]);
  });
  test("a cause has the fewest patches that log it", () => {
    expect(patchesFor("io-logged", "recorded")).toEqual([4, 5, 6, 7]);
    expect(patchesFor("ring-logged", "recorded")).toEqual([]);
    expect(patchesFor("io-off", "recorded")).toBeNull();
    expect(patchesFor("io-off", "assumed")).toEqual([4, 5, 6, 7]);
    expect(patchesFor("vsock-logged", "assumed")).toBeNull();
  });
});

/** Pages by the smallest of all 1024 choices that leaves them unlost in every round. */
function byOracle(events: readonly NormalisedEvent[]): Map<number, string> {
  const { rounds } = replayOracle(events as NormalisedEvent[]);
  const causes = rounds.map((round) => {
    const bits = new Map<number, bigint>();
    round.causes.forEach((pages, cause) => {
      for (const page of pages) bits.set(page, (bits.get(page) ?? 0n) | (1n << BigInt(cause)));
    });
    return bits;
  });
  const window = windowOf(seriesLogs(NO_PATCHES));
  const lostIn = (page: number, logs: bigint): boolean =>
    causes.some(
      (bits) => ((bits.get(page) ?? 0n) & window) !== 0n && ((bits.get(page) ?? 0n) & logs) === 0n,
    );
  const choices = patchChoices().map((patches) => ({
    patches,
    logs: seriesLogs({ ...NO_PATCHES, patches }),
  }));
  const found = new Map<number, string>();
  for (const page of new Set(causes.flatMap((bits) => [...bits.keys()]))) {
    if (!lostIn(page, choices[0]!.logs)) continue;
    found.set(page, choices.find(({ logs }) => !lostIn(page, logs))?.patches.join() ?? "none");
  }
  return found;
}

test("the set really saves its pages and no smaller one does, on random streams", async () => {
  const streams = eventStreams().filter((events) => events.length > 0);
  await fc.assert(
    fc.asyncProperty(streams, async (events) => {
      const attribution = await ofEvents(events);
      // Without a verdict (nothing completes) nothing is known, and nothing is said.
      fc.pre(attribution.lost !== null);
      const found = new Map<number, string>();
      for (const line of shown(attribution)) {
        const [patches, pages] = line.split(": ") as [string, string];
        for (const page of pages.split(" ")) found.set(Number.parseInt(page, 16), patches);
      }
      const expected = byOracle(events);
      expect([...found].sort(([a], [b]) => a - b)).toEqual([...expected].sort(([a], [b]) => a - b));
    }),
    { numRuns: 100 },
  );
});

test("eight rows stand for all choices of patches", () => {
  expect(patchRows().map((row) => row.patches.join())).toEqual([
    "",
    "4,9",
    "4,5,8",
    "4,5,6,7",
    "4,5,8,9",
    "4,5,6,7,8",
    "4,5,6,7,9",
    "4,5,6,7,8,9",
  ]);
});

describe("real recordings", () => {
  test("08-control: patch 8 is needed, and with it nothing is lost", async () => {
    const { attribution, result } = await attribute(recorded("7.2.13+deb14-amd64", "08-control"));
    expect(attribution.sets.some((set) => set.patches.join() === "4,5,8")).toBe(true);
    expect(attribution.prefix).toBe(8);
    expect(statusOf({ attributions: [attribution], result })).toBe(0);
  });
  test("09-events: patch 9 is needed", async () => {
    const { attribution } = await attribute(recorded("6.16.12+deb13-amd64", "09-events"));
    expect(attribution.sets.some((set) => set.patches.includes(9))).toBe(true);
    expect(attribution.prefix).toBe(9);
  });
  test("12-toggle: late, freed and without a log base, no patch helps, and the answer says so", async () => {
    const { attribution, result } = await attribute(recorded("6.16.12+deb13-amd64", "12-toggle"));
    expect(attribution.prefix).toBeNull();
    expect(new Set(attribution.unsaved.causes.map(({ cause }) => cause))).toEqual(
      new Set(["io-late", "io-freed", "io-no-base", "notify-no-base"]),
    );
    expect(statusOf({ attributions: [attribution], result })).toBe(1);
    expect(attributeSentence(attribution, result)).toMatch(
      /with the whole series \d+ pages are still lost/,
    );
    const text = attributeText(
      { ...ANSWER, attributions: [attribution], result },
      textStyle(false),
    );
    expect(text).toMatch(/popped before LOG_ALL was set/);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });
  test("every lost page is in one set, and the patches' pages add up", async () => {
    const { attribution } = await attribute(recorded("6.1.0-50-amd64", "07-errors"));
    const listed = attribution.sets.reduce((sum, set) => sum + set.pages, 0);
    expect(listed + attribution.unsaved.pages + attribution.unlisted).toBe(attribution.lost);
    expect(attribution.lost).toBeGreaterThan(0);
    expect(attribution.unlisted).toBe(0);
  });
  test("the document is valid against its schema", async () => {
    const { attribution, result } = await attribute(recorded("6.16.12+deb13-amd64", "12-toggle"));
    expect(
      errorsOf(
        "attribute",
        attributeJson(TOOL, { ...ANSWER, attributions: [attribution], result }),
      ),
    ).toEqual([]);
  });
});

test("pages in more runs than are kept are counted as unlisted, never put into a wrong set", async () => {
  const guest = new Guest();
  for (let i = 0; i < 40; i++) guest.request({ head: i, writes: [[0x400000 + i * 8192, 64]] });
  const source = memorySource("e", guest.events.map((e) => JSON.stringify(e)).join("\n"));
  const policies = attributionPolicies();
  const result = await replayAll([source], { policies, runLimit: 16, window: "recorded" });
  const found = attributePages(result);
  expect([found.lost, found.unlisted]).toEqual([40, 24]);
  expect(found.sets.map(({ patches, pages }) => [patches.join(), pages])).toEqual([
    ["4,5,6,7", 16],
  ]);
  expect(found.prefix).toBe(7);
});
