/** Recordings on one clock and on several: offsets that are given, found, paired, or not to be had. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ClockPair } from "../src/clocks.ts";
import type { NormalisedEvent } from "../src/event.ts";
import { RecordingError } from "../src/place.ts";
import { type Recording, replay } from "../src/replay.ts";
import type { MigrationResult, ReplayResult } from "../src/result.ts";
import { findPolicy } from "../src/vhost/policy.ts";
import { qemuLog, type TraceLine } from "./make-qemu-log.ts";
import { simpletrace } from "./make-simpletrace.ts";
import { memorySource, recordingOf } from "./memory-source.ts";
import { HVA, MigrationGuest, verdictOf } from "./migration-guest.ts";

const [A, B] = [0x202, 0x303] as const;
/** Realtime minus monotonic clock of these recordings. */
const APART = 1_795_398_785_914_295_400n;

/** Names of the arguments in the order of trace-events. */
const ORDER: Record<string, string[]> = {
  migrate_set_state: ["new_state"],
  global_dirty_changed: ["bitmask"],
  memory_region_sync_dirty: ["mr", "listener", "global"],
  migration_bitmap_sync_start: [],
  migration_bitmap_sync_end: ["dirty_pages"],
  ram_save_page: ["rbname", "offset", "host"],
  ram_load_loop: ["rbname", "addr", "flags", "host"],
  savevm_section_end: ["id", "section_id", "ret"],
  migration_completion_vm_stop: ["ret"],
  kvm_set_user_memory: [
    "as",
    "slot",
    "flags",
    "guest_phys_addr",
    "memory_size",
    "userspace_addr",
    "fd",
    "fd_offset",
    "ret",
  ],
};

/** Numbers stay numbers, hex strings become them; names stay names. */
const value = (raw: string | number): string | bigint =>
  typeof raw === "number" || /^0x[0-9a-f]+$/.test(raw) ? BigInt(raw) : raw;

interface Parts {
  probes: string;
  lines: TraceLine[];
  /** Both in one file. */
  whole: string;
}

/** A recording taken apart: the kernel's probes, and QEMU's events on a clock that is `shift` ahead. */
function split(events: readonly NormalisedEvent[], shift: bigint): Parts {
  const lines: TraceLine[] = [];
  const probes: string[] = [];
  for (const event of events) {
    if (event.event !== "qemu") {
      probes.push(`${JSON.stringify(event)}\n`);
      continue;
    }
    const { name, args, ts, pid } = event;
    const ns = BigInt(ts) + shift;
    lines.push({ ns, tid: pid, name, args: ORDER[name]!.map((key) => value(args[key]!)) });
  }
  const whole = events.map((event) => `${JSON.stringify(event)}\n`).join("");
  return { probes: probes.join(""), lines, whole };
}

async function read(
  sources: Recording["sources"],
  options: Partial<Recording> = {},
): Promise<{ result: ReplayResult; migration: MigrationResult }> {
  const result = await replay(
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

test("narrowing the tolerance turns possibly stale into another verdict, and nothing else", async () => {
  type Act = { act: "save" | "write"; page: number } | { act: "sync" | "flush" };
  const page = fc.constantFrom(A, B, 0x304);
  const acts = fc.array(
    fc.oneof(
      fc.record({ act: fc.constantFrom("save" as const, "write" as const), page }),
      fc.record({ act: fc.constantFrom("sync" as const, "flush" as const) }),
    ),
    { maxLength: 14 },
  );
  await fc.assert(
    fc.asyncProperty(acts, fc.bigInt({ min: 1000n, max: 60_000n }), async (list, spread) => {
      const guest = new MigrationGuest().slot().start().bitmapSync().save(A);
      for (const act of list as Act[]) {
        if (act.act === "save") guest.save(act.page);
        else if (act.act === "write") guest.writePages(act.page);
        else if (act.act === "sync") guest.bitmapSync();
        else guest.flush();
      }
      guest.bitmapSync().end();
      const events = guest
        .timed()
        .map((event, i) => ({ ...event, ts: (1_000_000_000n + BigInt(i) * spread).toString() }));
      const parts = split(events, APART);
      const sources = [
        memorySource("host", parts.probes),
        memorySource("src", qemuLog(parts.lines, "tid@time")),
      ];
      const exact = (await read([memorySource("whole", parts.whole)])).migration;
      let narrower = verdictOf(exact, "linux-6.1");
      // Times of the log are whole microseconds.
      for (const tolerance of [2000n, 40_000n, 400_000n, 1_000_000_000n]) {
        const clockOffsets = new Map([["src", { offset: -APART, tolerance }]]);
        const { migration } = await read(sources, { clockOffsets });
        const wider = verdictOf(migration, "linux-6.1");
        for (const own of wider.stale) expect(narrower.stale).toContain(own);
        const open = new Set([...wider.stale, ...wider.possible]);
        for (const own of [...narrower.stale, ...narrower.possible]) {
          expect(open.has(own)).toBe(true);
        }
        narrower = wider;
      }
    }),
    { numRuns: Number(process.env.CLOCK_RUNS ?? 25) },
  );
}, 120_000);

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
