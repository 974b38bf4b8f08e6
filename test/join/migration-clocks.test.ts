/** Recordings on one clock and on several: offsets that are given, found, paired, or not to be had. */
import { describe, expect, test } from "vitest";
import type { ClockPair } from "../../src/join/clock-pair.ts";
import { planMerge } from "../../src/join/merge-plan.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { RecordingError } from "../../src/model/place.ts";
import type { MigrationResult } from "../../src/model/result.ts";
import type { Recording } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { qemuLog, type TraceLine } from "../support/make-qemu-log.ts";
import { simpletrace } from "../support/make-simpletrace.ts";
import { memorySource, type OneMachine, recordingOf, replayOne } from "../support/memory-source.ts";
import { HVA, MigrationGuest, type Verdict, verdictOf } from "../support/migration-guest.ts";
import { split } from "../support/split-recording.ts";

const [A, B] = [0x202, 0x303] as const;
/** Realtime minus monotonic clock of these recordings. */
const APART = 1_795_398_785_914_295_400n;

async function read(
  sources: Recording["sources"],
  options: Partial<Recording> = {},
): Promise<{ result: OneMachine; migration: MigrationResult }> {
  const result = await replayOne(
    { ...(await recordingOf(...sources)), ...options },
    {
      policies: ["linux-6.1", "linux-6.16"].map((name) => ({
        policy: findPolicy(name),
        alias: null,
      })),
      window: "auto",
      stalePages: true,
      ran: findPolicy("linux-6.1"),
    },
  );
  return { result, migration: result.migrations[0]! };
}

/** A loss; `spread` ns between events, so that a tolerance decides or does not. */
function recording(spread: bigint): NormalisedEvent[] {
  const guest = new MigrationGuest();
  guest.slot().start().bitmapSync().save(A, B).flush().bitmapSync().writePages(A);
  guest.switchover().save(0x15).end();
  return guest.timed().map((event, i) => ({
    ...event,
    ts: (1_000_000_000n + BigInt(i) * spread).toString(),
  }));
}

const WIDE = 1_000_000n;

/** Events with addresses, in all recordings of one QEMU. */
const fillers = (shift: bigint): TraceLine[] =>
  [1n, 2n, 3n, 4n].map((n) => ({
    ns: 900_000_000n + n * WIDE + shift,
    tid: 1,
    name: "kvm_set_user_memory",
    args: [0n, n, 1n, n << 32n, 0x1000n, 0x7a0000000000n + (n << 32n), -1n, 0n, 0n],
  }));
const pair = (at: bigint, off = 0n, spread = 1000n): ClockPair => ({
  monotonic: at,
  realtime: at + APART + off,
  spread,
});

describe("two recordings", () => {
  const wide = split(recording(WIDE), 0n);
  const probes = memorySource("host", wide.probes);

  test("on the same clock", async () => {
    const { migration } = await read([probes, memorySource("src", simpletrace(wide.lines))]);
    expect(migration).toMatchObject({ from: "qemu", outcome: "completed", sends: { data: 3 } });
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [A], possible: [] });
  });

  test("in either order", async () => {
    const { migration } = await read([memorySource("src", simpletrace(wide.lines)), probes]);
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [A], possible: [] });
  });

  const late = split(recording(WIDE), APART);
  const log = memorySource("src.log", qemuLog(late.lines, "tid@time"));

  test("no common clock, nothing that joins them: refused in one line that says what helps", async () => {
    const error: unknown = await read([probes, log]).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RecordingError);
    const { message } = error as RecordingError;
    expect(message).toMatch(/^src\.log: expected .*host/);
    expect(message).toContain("--clock-offset");
    expect(message).toContain("--clock-pairs");
    expect(message).not.toContain("\n");
  });

  test("an offset that is given", async () => {
    const clockOffsets = new Map([["src.log", { offset: -APART, tolerance: null }]]);
    const { migration, result } = await read([probes, log], { clockOffsets });
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [A], possible: [] });
    expect(JSON.stringify(result)).toContain("as given");
  });

  test("QEMU's events as NDJSON are shifted too, and are of that input's QEMU", async () => {
    const moved = recording(WIDE)
      .filter(({ event }) => event === "qemu")
      .map((event) => `${JSON.stringify({ ...event, ts: `${BigInt(event.ts) + APART}` })}\n`);
    const clockOffsets = new Map([["src.ndjson", { offset: -APART, tolerance: null }]]);
    const source = memorySource("src.ndjson", moved.join(""));
    const { migration } = await read([probes, source], { clockOffsets });
    expect(migration.sends).toMatchObject({ data: 3, unplaced: 0 });
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [A], possible: [] });
  });

  test("clock pairs", async () => {
    const clockPairs = [pair(1_000_000_000n), pair(2_000_000_000n, 5000n)];
    const { migration, result } = await read([probes, log], { clockPairs });
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [A], possible: [] });
    expect(JSON.stringify(result)).toContain("2 clock pairs");
  });

  test("events that stand in both", async () => {
    const simple = memorySource("src.simpletrace", simpletrace(wide.lines));
    const { migration, result } = await read([simple, probes, log]);
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [A], possible: [] });
    expect(migration.sends.data).toBe(3);
    expect(migration.syncs).toBe(3);
    expect(JSON.stringify(result)).toMatch(/src\.log.*from \d+ events in both|same QEMU/);
  });

  test("one that is placed by way of another, whichever stands first", async () => {
    // Not all at the same distance: the log's clock is read a little later each time.
    const jitter = late.lines.map((line, i) => ({ ...line, ns: line.ns + BigInt(i % 7) * 2000n }));
    const sources = [
      memorySource("host", `{"event":"recording","clock":"mono"}\n${wide.probes}`),
      memorySource("src.simpletrace", simpletrace(wide.lines)),
      memorySource("src.log", qemuLog(jitter, "tid@time")),
    ];
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ].map((order) => order.map((i) => sources[i]!));
    const seen = new Set<string>();
    for (const order of orders) {
      const plan = await planMerge(await recordingOf(...order));
      const offsets = new Map(plan.inputs.map(({ source, shift }) => [source.name, shift.offset]));
      const { migration } = await read(order);
      const { stale, possible, healed } = verdictOf(migration, "linux-6.1");
      expect(stale).toEqual([A]);
      seen.add(
        JSON.stringify({
          ...{ stale, possible, healed, sent: migration.sends, syncs: migration.syncs },
          tolerance: `${plan.tolerance}`,
          apart: `${offsets.get("src.log")! - offsets.get("host")!}`,
          same: `${offsets.get("src.simpletrace")! - offsets.get("host")!}`,
          sends: plan.inputs.filter(({ sends }) => sends).map(({ source }) => source.name),
        }),
      );
    }
    expect([...seen]).toHaveLength(1);
    const [only] = [...seen].map((text) => JSON.parse(text));
    // The simpletrace is on the clock of the probes: its sends count, not those of the log.
    expect(only).toMatchObject({ sends: ["src.simpletrace"], same: "0", tolerance: "5000" });
    expect(Math.abs(Number(BigInt(only.apart) + APART))).toBeLessThan(20_000);
    const notes = (await planMerge(await recordingOf(...orders[1]!))).notes.join("\n");
    // 5 us between the clock of the probes and that of the simpletrace, and those of the log.
    expect(notes).toMatch(
      /Clock of src\.log against host: .* from \d+ events in it and src\.simpletrace; .* than 12 us/,
    );
  });

  test("what two have in common counts, though both were placed against a third", async () => {
    const mono = '{"event":"recording","clock":"mono"}\n';
    const sources = [
      memorySource("a", `${mono}{"event":"marker","ts":"1000000000","cpu":0,"pid":1,"text":"x"}\n`),
      memorySource("b", `${mono}${wide.probes}`),
      memorySource("c", simpletrace(wide.lines)),
    ];
    const plan = await planMerge(await recordingOf(...sources));
    expect(plan.inputs.map(({ shift }) => shift.tolerance)).toEqual([0n, 5000n, 5000n]);
    expect(plan.tolerance).toBe(5000n);
  });

  test("by way of another the tolerances add up", async () => {
    // Without sends of its own the simpletrace only joins the two clocks.
    const few = wide.lines.filter(({ name }) => name !== "ram_save_page");
    const sources = [
      memorySource("host", `{"event":"recording","clock":"mono"}\n${wide.probes}`),
      memorySource("src.simpletrace", simpletrace([...few, ...fillers(0n)])),
      memorySource("src.log", qemuLog([...late.lines, ...fillers(APART)], "tid@time")),
    ];
    for (const order of [sources, [...sources].reverse()]) {
      const plan = await planMerge(await recordingOf(...order));
      expect(plan.inputs.filter(({ sends }) => sends).map(({ source }) => source.name)).toEqual([
        "src.log",
      ]);
      // 5 us and 1 us.
      expect(plan.tolerance).toBe(6000n);
    }
  });

  test("offsets that are given count from an input that has none", async () => {
    const clockOffsets = new Map([["src.log", { offset: -APART, tolerance: 10_000n }]]);
    for (const order of [
      [probes, log],
      [log, probes],
    ]) {
      const { migration } = await read(order, { clockOffsets });
      expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [A], possible: [] });
      const plan = await planMerge({ ...(await recordingOf(...order)), clockOffsets });
      expect(plan.tolerance).toBe(10_000n);
      const both = new Map([...clockOffsets, ["host", { offset: 5n, tolerance: 1000n }]]);
      const shifted = await planMerge({ ...(await recordingOf(...order)), clockOffsets: both });
      expect(shifted.tolerance).toBe(11_000n);
      expect(shifted.inputs.map(({ shift }) => shift.offset)).toEqual(
        order[0] === probes ? [5n, -APART] : [-APART, 5n],
      );
    }
  });

  test("a tolerance makes the verdict possible, not another one, and says so", async () => {
    for (const [tolerance, certain] of [
      [10_000n, true],
      [1_000_000_000n, false],
    ] as const) {
      const clockOffsets = new Map([["src.log", { offset: -APART, tolerance }]]);
      const { migration, result } = await read([probes, log], { clockOffsets });
      const { stale, possible, verdict } = verdictOf(migration, "linux-6.1");
      expect([stale, possible]).toEqual(certain ? [[A], []] : [[], [A]]);
      if (!certain) expect(verdict.pages[0]!.doubts).toContain("in-flight");
      expect(JSON.stringify(result)).toContain(`${Number(tolerance) / 1000} us have no order`);
    }
  });
});

describe("a fetch of the log within the tolerance", () => {
  const TOLERANCE = 40_000n;

  /** Steps with the time before each, their events a microsecond apart; exact, and in two files. */
  async function both(
    ...steps: [bigint, (guest: MigrationGuest) => unknown][]
  ): Promise<{ exact: Verdict; merged: Verdict; verdict: string }> {
    const guest = new MigrationGuest();
    const times: bigint[] = [];
    let now = 1_000_000_000n;
    for (const [pause, act] of steps) {
      now += pause;
      act(guest);
      while (times.length < guest.events.length) {
        now += 1000n;
        times.push(now);
      }
    }
    const events = guest.timed().map((event, i) => ({ ...event, ts: `${times[i]}` }));
    const parts = split(events, APART);
    const whole = await read([memorySource("whole", parts.whole)]);
    const clockOffsets = new Map([["src", { offset: -APART, tolerance: TOLERANCE }]]);
    const src = memorySource("src", qemuLog(parts.lines, "tid@time"));
    const apart = await read([memorySource("host", parts.probes), src], { clockOffsets });
    return {
      exact: verdictOf(whole.migration, "linux-6.16"),
      merged: verdictOf(apart.migration, "linux-6.16"),
      verdict: JSON.stringify(apart.migration.verdicts[1]!.pages.map(({ doubts }) => doubts)),
    };
  }

  const MS = 1_000_000n;
  /** Popped before the log was on, so that a patched vhost does not log their writes. */
  const begin: [bigint, (guest: MigrationGuest) => unknown] = [
    0n,
    (g) => g.slot().popPages(1, A).popPages(2, A).start().bitmapSync().save(A, B).flush(),
  ];
  const late = (head: number) => (g: MigrationGuest) => g.used(2, head);
  const logged = (g: MigrationGuest) => g.writePages(A);
  const fetch = (g: MigrationGuest) => g.bitmapSync();
  const end = (g: MigrationGuest) => g.end();

  test("only the last fetch found the entry, and may not have: possibly stale", async () => {
    const { exact, merged, verdict } = await both(
      begin,
      [MS, fetch],
      [MS, late(1)],
      [MS, fetch],
      [MS, logged],
      [0n, fetch],
      [MS, end],
    );
    expect([exact.stale, exact.possible, exact.healed]).toEqual([[], [], [A]]);
    expect([merged.stale, merged.possible]).toEqual([[], [A]]);
    expect(verdict).toBe('[["in-flight"]]');
  });

  test("the entry came long before the last fetch: healed", async () => {
    const { exact, merged } = await both(
      begin,
      [MS, fetch],
      [MS, late(1)],
      [MS, fetch],
      [MS, logged],
      [MS, fetch],
      [MS, end],
    );
    for (const { stale, possible, healed } of [exact, merged]) {
      expect([stale, possible, healed]).toEqual([[], [], [A]]);
    }
  });

  test("the entry came long after the last fetch: stale", async () => {
    const { exact, merged } = await both(
      begin,
      [MS, fetch],
      [MS, late(1)],
      [MS, fetch],
      [MS, logged],
      [MS, end],
    );
    for (const { stale, possible } of [exact, merged]) expect([stale, possible]).toEqual([[A], []]);
  });

  test("writes to the last pages of the guest-physical space come to an end", async () => {
    const { exact, merged } = await both(
      begin,
      [MS, fetch],
      [MS, (g) => g.submit(3, [[2 ** 44 - (16 << 20), 16 << 20]]).used(2, 3)],
      [MS, fetch],
      [MS, end],
    );
    expect([merged.stale, merged.possible]).toEqual([exact.stale, exact.possible]);
  });

  test("the device stops about when the migration ends: its used ring is possibly stale", async () => {
    const RING = 0x15;
    const { exact, merged } = await both(
      [0n, (g) => g.slot().popPages(1, RING).start().bitmapSync().save(RING).flush()],
      [MS, fetch],
      [MS, late(1)],
      [MS, end],
      [0n, (g) => g.stopDevice()],
    );
    expect([exact.stale, exact.possible]).toEqual([[RING], []]);
    expect([merged.stale, merged.possible]).toEqual([[], [RING]]);
  });

  test("an entry, a fetch perhaps, the write: the next fetch does not cover it for certain", async () => {
    const { exact, merged } = await both(
      begin,
      [MS, fetch],
      [0n, logged],
      [0n, late(1)],
      [MS, fetch],
      [MS, end],
    );
    expect([exact.stale, exact.possible, exact.healed]).toEqual([[], [], [A]]);
    expect([merged.stale, merged.possible]).toEqual([[], [A]]);
  });

  test("unless there is a later entry", async () => {
    const { merged } = await both(
      begin,
      [MS, fetch],
      [0n, logged],
      [0n, late(1)],
      [MS, logged],
      [MS, fetch],
      [MS, end],
    );
    expect([merged.stale, merged.possible, merged.healed]).toEqual([[], [], [A]]);
  });

  test("written when what was fetched may wait to be sent: possibly stale, later it is stale", async () => {
    for (const [pause, certain] of [
      [0n, false],
      [MS, true],
    ] as const) {
      const { exact, merged } = await both(
        begin,
        [MS, fetch],
        [MS, logged],
        [MS, fetch],
        [pause, late(1)],
        [MS, end],
      );
      expect(exact.stale).toEqual([A]);
      expect([merged.stale, merged.possible]).toEqual(certain ? [[A], []] : [[], [A]]);
    }
  });

  test("written when the migration may be over: possibly stale", async () => {
    const { exact, merged } = await both(begin, [MS, fetch], [MS, end], [0n, late(1)]);
    expect([exact.stale, exact.possible]).toEqual([[], []]);
    expect([merged.stale, merged.possible]).toEqual([[], [A]]);
  });
});

describe("zeros, which only the destination shows", () => {
  const load = (page: number, zero: boolean): TraceLine => ({
    ns: 0n,
    tid: 9,
    name: "ram_load_loop",
    args: ["pc.ram", BigInt(page) << 12n, zero ? 2 : 8, 0x7e0000000000n + (BigInt(page) << 12n)],
  });

  async function withZeros(
    act: (guest: MigrationGuest) => unknown,
    loads: readonly [number, boolean][],
    tolerance: bigint | null,
  ): Promise<MigrationResult> {
    const guest = new MigrationGuest().slot().start().bitmapSync();
    act(guest);
    guest.end();
    const parts = split(
      guest
        .timed()
        .map((event, i) => ({ ...event, ts: (1_000_000_000n + BigInt(i) * 10_000n).toString() })),
      tolerance === null ? 0n : APART,
    );
    const arrivals = loads.map(([page, zero], i) => ({
      ...load(page, zero),
      ns: 900_000_000_000n + BigInt(i) * 1000n,
    }));
    const dst = memorySource("dst", simpletrace(arrivals, { pid: 77 }));
    if (tolerance === null) return (await read([memorySource("src", parts.whole), dst])).migration;
    const clockOffsets = new Map([["src", { offset: -APART, tolerance }]]);
    const src = memorySource("src", qemuLog(parts.lines, "tid@time"));
    return (await read([memorySource("host", parts.probes), src, dst], { clockOffsets })).migration;
  }

  test("a page of zeros sent after the write heals it", async () => {
    const migration = await withZeros(
      (g) =>
        g.save(B).flush().bitmapSync().writePages(A).save(0x500).flush().save(0x501).bitmapSync(),
      [
        [B, false],
        [0x500, false],
        [A, true],
        [0x501, false],
      ],
      null,
    );
    expect(migration).toMatchObject({
      sendTimes: "source-and-destination",
      sends: { data: 3, zero: 1 },
    });
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({
      stale: [],
      possible: [],
      healed: [A],
    });
  });

  test("sent between two pages, and written between them: no order", async () => {
    const migration = await withZeros(
      (g) => g.save(B).flush().writePages(A).save(0x501).flush().bitmapSync(),
      [
        [B, false],
        [A, true],
        [0x501, false],
      ],
      null,
    );
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [], possible: [A] });
  });

  test("sent before the write: stale", async () => {
    const migration = await withZeros(
      (g) => g.save(B).save(0x501).flush().writePages(A).save(0x502).flush().bitmapSync(),
      [
        [B, false],
        [A, true],
        [0x501, false],
        [0x502, false],
      ],
      null,
    );
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [A], possible: [] });
  });

  test("sent before the write, but within the clocks' tolerance: not certain", async () => {
    for (const [tolerance, stale] of [
      [1000n, true],
      [1_000_000_000n, false],
    ] as const) {
      const migration = await withZeros(
        (g) => g.save(B).save(0x501).flush().writePages(A).save(0x502).flush().bitmapSync(),
        [
          [B, false],
          [A, true],
          [0x501, false],
          [0x502, false],
        ],
        tolerance,
      );
      expect(migration.sends).toMatchObject({ data: 3, zero: 1 });
      const verdict = verdictOf(migration, "linux-6.1");
      expect([verdict.stale, verdict.possible]).toEqual(stale ? [[A], []] : [[], [A]]);
    }
  });
});

test("RAM of the guest lies where the events say", () => {
  expect(HVA % 4096n).toBe(0n);
});
