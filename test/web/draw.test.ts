/** The pixels of the map, and the ticks of its axes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LANE_STATES, Lane, laneOfPage, pageOfLane } from "../../src/history/lanes.ts";
import { addressTicks } from "../../src/web/draw/map-picture.ts";
import { laneFinder, paintStates } from "../../src/web/draw/memory-map.ts";
import { DARK, LIGHT, SEVERITY } from "../../src/web/draw/palette.ts";
import { stripNumbers } from "../../src/web/draw/strip-numbers.ts";
import type { StripData } from "../../src/web/draw/strips.ts";
import { timeTicks } from "../../src/web/draw/view.ts";

const STATES = Array.from({ length: LANE_STATES }, (_, state): Lane => state);

/** A block whose lane n is in state n from 50 on. */
const states = {
  blocks: Uint32Array.of(2),
  first: Uint32Array.from({ length: 513 }, (_, lane) => Math.min(lane, LANE_STATES)),
  ns: new Float64Array(LANE_STATES).fill(50),
  state: Uint8Array.from(STATES),
};

describe("the map", () => {
  test.each([LIGHT, DARK])("has each state's own colour, from its moment on", (palette) => {
    const width = 10;
    const pixels = {
      data: new Uint8ClampedArray(width * LANE_STATES * 4),
      width,
      height: LANE_STATES,
    };
    paintStates(states, { from: 0, to: 100, first: 0, last: LANE_STATES }, pixels, palette);
    const at = (x: number, y: number) => [
      ...pixels.data.slice((y * width + x) * 4, (y * width + x) * 4 + 3),
    ];
    for (const state of STATES) {
      expect(at(9, state), Lane[state]).toEqual([...palette.lanes[state]]);
      expect(at(5, state), Lane[state]).toEqual([...palette.lanes[state]]);
      if (state > 0) expect(at(4, state), Lane[state]).toEqual([...palette.lanes[Lane.None]]);
    }
  });

  test("a pixel has the worst state of what lies in it, wherever the view begins and ends", () => {
    const width = 12;
    const time = fc.integer({ min: -50, max: 150 });
    const changes = fc.array(fc.tuple(time, fc.constantFrom(...STATES)), { maxLength: 12 });
    const view = fc.tuple(fc.integer({ min: -20, max: 90 }), fc.integer({ min: 1, max: 70 }));
    fc.assert(
      fc.property(changes, view, (list, [from, span]) => {
        const sorted = list.toSorted(([a], [b]) => a - b);
        const one = {
          blocks: Uint32Array.of(0),
          first: Uint32Array.from({ length: 513 }, (_, lane) => (lane === 0 ? 0 : sorted.length)),
          ns: Float64Array.from(sorted, ([ns]) => ns),
          state: Uint8Array.from(sorted, ([, state]) => state),
        };
        const to = from + span;
        const pixels = { data: new Uint8ClampedArray(width * 4), width, height: 1 };
        paintStates(one, { from, to, first: 0, last: 1 }, pixels, LIGHT);
        for (let x = 0; x < width; x++) {
          const inPixel = sorted.flatMap(([ns, state], i) => {
            const until = sorted[i + 1]?.[0] ?? Number.POSITIVE_INFINITY;
            if (until < from || ns > to) return [];
            const at = (moment: number) => Math.floor((moment - from) * (width / span));
            const left = Math.max(0, at(ns));
            return x >= left && x < Math.max(left + 1, at(until)) ? [state] : [];
          });
          const worst = SEVERITY.find((state) => inPixel.includes(state)) ?? Lane.None;
          expect([...pixels.data.slice(x * 4, x * 4 + 3)]).toEqual([...LIGHT.lanes[worst]]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("a pixel of many pages has the hue of the worst, stronger where more are in it", () => {
    const pixels = { data: new Uint8ClampedArray(4 * 4), width: 1, height: 1 };
    paintStates(states, { from: 60, to: 100, first: 0, last: 512 }, pixels, LIGHT);
    const [red, green, blue] = pixels.data;
    const [full] = [LIGHT.lanes[Lane.Stale]];
    expect(red! - green!).toBeGreaterThan(20);
    expect(green! > full[1] && blue! > full[2]).toBe(true);
  });

  test("every state but the ground has a severity, and colours differ in lightness or hue", () => {
    expect([...SEVERITY].sort()).toEqual(STATES.filter((state) => state !== Lane.None));
    for (const { lanes } of [LIGHT, DARK]) {
      const texts = STATES.map((state) => lanes[state].join());
      expect(new Set(texts).size).toBe(STATES.length);
    }
  });
});

test("lanes and pages find each other", () => {
  const blocks = Uint32Array.of(2, 3, 9, 2 ** 23 - 1);
  const find = laneFinder(blocks);
  for (const page of [1024, 1535, 1536, 4608, 2 ** 32 - 1]) {
    const lane = laneOfPage(blocks, page);
    expect([find(page), pageOfLane({ blocks }, lane)]).toEqual([lane, page]);
  }
  for (const page of [0, 1023, 2048])
    expect([find(page), laneOfPage(blocks, page)]).toEqual([-1, -1]);
});

test("ticks of time are round on the recording's clock, whatever the origin", () => {
  const labels = (originNs: bigint, from: number, to: number) =>
    timeTicks({ from, to }, 900, originNs).map(({ label }) => label);
  expect(labels(61_700_000_000n, 0, 13e9)).toEqual([
    "62 s",
    "64 s",
    "66 s",
    "68 s",
    "70 s",
    "72 s",
    "74 s",
  ]);
  expect(labels(18_123_456_789n, 0, 1e6)).toContain("18.1240 s");
  expect(labels(1_795_398_785_914_295_000n, 0, 10e9)[0]).toBe("1795398786 s");
});

test("addresses stand at tops of lanes, far enough apart to be read", () => {
  const ticks = addressTicks(Uint32Array.of(2, 9), { from: 0, to: 1, first: 0, last: 1024 }, 440);
  expect(ticks[0]).toEqual({ y: 0, address: "0x400000" });
  ticks.slice(1).forEach(({ y }, i) => {
    expect(y - ticks[i]!.y).toBeGreaterThanOrEqual(46);
  });
  expect(ticks.at(-1)!.address).toMatch(/^0x1[23]/);
});

describe("numbers of the strips", () => {
  const table = (ns: number[], pages: number[], kind: number[] = []) => ({
    ...{ length: ns.length, ns: Float64Array.from(ns), pages: Uint32Array.from(pages) },
    kind: Uint8Array.from(kind),
  });
  const tables = {
    writes: table([10, 20, 30, 40], [1, 2, 4, 8]),
    sends: table([15, 25, 35], [16, 32, 64], [0, 1, 0]),
  };
  const data = {
    machine: { table: (name: keyof typeof tables) => tables[name] },
    fates: Uint8Array.of(Lane.Stale, Lane.Logged, Lane.Stale, Lane.Healed),
    depth: { ns: Float64Array.of(5, 12, 28, 45), depth: Int32Array.of(3, 1, 2, 0) },
    // Two devices, whose logs overlap, and a third that is on again later.
    logOn: [
      { from: 22, to: 30 },
      { from: 0, to: 18 },
      { from: 16, to: 20 },
    ],
    syncs: [
      { ns: 20, number: 0 },
      { ns: 41, number: 1 },
    ],
  } as unknown as StripData;

  test("are of the view's time, both ends included, and no log is counted twice", () => {
    const whole = stripNumbers(data, { from: 0, to: 50 });
    expect([
      whole.writes[Lane.Stale],
      whole.writes[Lane.Logged],
      whole.writes[Lane.Healed],
    ]).toEqual([5, 2, 8]);
    expect(whole.sends.slice(0, 2)).toEqual([80, 32]);
    expect([whole.deepest, whole.syncs, whole.logOnNs]).toEqual([3, 2, 28]);
    const part = stripNumbers(data, { from: 13, to: 30 });
    expect([part.writes[Lane.Stale], part.sends[0], part.sends[1]]).toEqual([4, 16, 32]);
    // One was popped before the view begins, and is in flight.
    expect([part.deepest, part.syncs, part.logOnNs]).toEqual([2, 1, 15]);
  });
});
