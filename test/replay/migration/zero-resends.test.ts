/**
 * How many pages may have been sent again as zeros, unseen at the source: the sum of QEMU's counter
 * of newly dirty pages, over the periods in which it may have been reset, less the sends seen.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NormalisedEvent } from "../../../src/model/event.ts";
import type { MigrationResult, MigrationVerdict } from "../../../src/model/migration-result.ts";
import { NewlyDirty } from "../../../src/replay/migration/newly-dirty.ts";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { simpletrace } from "../../support/make-simpletrace.ts";
import {
  memorySource,
  type OneMachine,
  recordingOf,
  replayOne,
} from "../../support/memory-source.ts";
import { HVA, MigrationGuest, SOURCE_TID } from "../../support/migration-guest.ts";

const MS = 1_000_000n;
/** Monotonic clocks of hosts are past this. */
const BOOT = 5_000_000n * MS;

/** Syncs {begin ms, end ms, counter}. */
function mostOf(...syncs: [number, number, number][]): number | null {
  const dirty = new NewlyDirty(BOOT);
  for (const [start, end, count] of syncs) {
    dirty.sync(BOOT + BigInt(start) * MS, BOOT + BigInt(end) * MS, count);
  }
  return dirty.most;
}

describe("the counter of newly dirty pages", () => {
  test("in one period the last one is the sum", () => {
    expect(mostOf([0, 1, 0])).toBe(0);
    expect(mostOf([0, 1, 0], [100, 101, 7], [200, 201, 9])).toBe(9);
  });

  test("a counter that fell was reset", () => {
    expect(mostOf([0, 1, 0], [990, 991, 7], [1010, 1011, 3])).toBe(10);
  });

  test("after more than a second it is reset, whether it falls or not", () => {
    expect(mostOf([0, 1, 0], [1100, 1101, 7], [1200, 1201, 9])).toBe(16);
    expect(mostOf([0, 1, 0], [800, 801, 7], [900, 901, 9])).toBe(9);
  });

  test("near a second either may be: the larger sum", () => {
    // Period of 999 or 1001 ms: 7 then 9 more, or 7 then 2 more.
    expect(mostOf([0, 1, 0], [999, 1000, 7], [1500, 1501, 9])).toBe(16);
    // The clock was read somewhere between the end of one sync and the beginning of the next: a
    // period ended behind the second sync (7 + 9) or behind the third (9 + 9).
    expect(mostOf([0, 1, 0], [600, 601, 7], [1300, 1301, 9], [1400, 1401, 9])).toBe(18);
  });

  test("a way that a fall rules out does not count", () => {
    // Reset behind the second sync: then none could have been behind the third, where it fell.
    expect(mostOf([0, 1, 0], [990, 991, 50], [1010, 1011, 60], [1100, 1101, 5])).toBe(65);
  });

  test("the first period begins before the first sync, at an unknown moment since the log is on", () => {
    const dirty = new NewlyDirty(BOOT - 900n * MS);
    dirty.sync(BOOT, BOOT + MS, 0);
    dirty.sync(BOOT + 200n * MS, BOOT + 201n * MS, 5);
    dirty.sync(BOOT + 300n * MS, BOOT + 301n * MS, 6);
    expect(dirty.most).toBe(11);
  });

  test("a first sync that finds pages was not the first: no number", () => {
    expect(mostOf([0, 1, 3], [100, 101, 7])).toBeNull();
    expect(mostOf()).toBeNull();
  });

  test("without times every sync may have ended a period", () => {
    const dirty = new NewlyDirty(0n);
    for (const [line, count] of [0, 5, 7].entries()) {
      dirty.sync(BigInt(line * 10), BigInt(line * 10 + 2), count);
    }
    expect(dirty.most).toBe(12);
  });

  test("never less than what QEMU found, whenever it read its clock", async () => {
    // Pages found, time since the last sync and how much of it passed before the clock was read.
    const step = fc.record({
      found: fc.nat(9),
      pause: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 200, max: 1300 })),
      late: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
      // The recording's clock against QEMU's.
      off: fc.oneof(fc.constant(0), fc.integer({ min: -9, max: 9 })),
    });
    let exact = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        let now = BOOT;
        let last = now;
        let counter = 0;
        let found = 0;
        const dirty = new NewlyDirty(now);
        dirty.sync(now, now + 1000n, 0);
        for (const [i, { found: pages, pause, late, off }] of steps.entries()) {
          const next = now + BigInt(pause) * MS;
          // migration_bitmap_sync(), behind the event of the sync before.
          const read = now + BigInt(Math.floor(late * pause * 1e6));
          if (i > 0 && read / MS > last / MS + 1000n) {
            last = read;
            counter = 0;
          }
          now = next;
          counter += pages;
          found += pages;
          const told = now + BigInt(off) * MS;
          dirty.sync(told, told + 1000n, counter);
        }
        expect(dirty.most).toBeGreaterThanOrEqual(found);
        if (dirty.most === found) exact++;
      }),
      { numRuns: 3000 },
    );
    expect(exact).toBeGreaterThan(1000);
  });
});

// ---------------------------------------------------------------- in a recording

const [A, B, C] = [0x202, 0x303, 0x404] as const;
const SOURCES = {
  policies: ["linux-6.1", "linux-6.16"].map((name) => ({ policy: findPolicy(name), alias: null })),
  window: "auto" as const,
  stalePages: true,
  ran: findPolicy("linux-6.1"),
};

/** A migration on the clock of a host that has been up for a while, a millisecond an event. */
async function migrate(
  act: (guest: MigrationGuest) => unknown,
  { arrivals, edit }: { arrivals?: Uint8Array; edit?: (events: NormalisedEvent[]) => void } = {},
): Promise<{ migration: MigrationResult; result: OneMachine; limit: string | undefined }> {
  const guest = new MigrationGuest().slot();
  act(guest);
  const events = guest.timed().map((event, i) => ({ ...event, ts: `${BOOT + BigInt(i) * MS}` }));
  edit?.(events);
  const text = events.map((event) => `${JSON.stringify(event)}\n`).join("");
  const sources = [memorySource("src", text)];
  if (arrivals) sources.push(memorySource("dst", arrivals));
  const result = await replayOne(await recordingOf(...sources), SOURCES);
  const limit = result.limits.find(({ code }) => code === "zero-pages-unseen")?.text;
  return { migration: result.migrations[0]!, result, limit };
}

const arrivals = (...pages: [number, boolean][]): Uint8Array =>
  simpletrace(
    pages.map(([page, zero], i) => ({
      ns: 9_000_000n * MS + BigInt(i) * MS,
      tid: 9,
      name: "ram_load_loop",
      args: ["pc.ram", BigInt(page) << 12n, zero ? 2 : 8, 0x7e0000000000n + (BigInt(page) << 12n)],
    })),
    { pid: 77 },
  );

/** A and B sent, A written; 3 pages are found dirty, B is sent again: 2 may have been zeros. */
const loss = (guest: MigrationGuest): MigrationGuest =>
  guest.start().bitmapSync(0).save(A, B).flush().writePages(A).bitmapSync(3).save(B).flush();

describe("pages that may have been sent again as zeros", () => {
  test("those found newly dirty, less those sent again with data", async () => {
    const { migration, limit } = await migrate((g) => loss(g).bitmapSync(5).end());
    expect(migration.zeroResendsAtMost).toBe(4);
    expect(limit).toContain("at most 4 of these pages");
  });

  test("a page that is sent for the first time is none that is sent again", async () => {
    const { migration } = await migrate((g) =>
      loss(g)
        .save(C, C + 1)
        .bitmapSync(3)
        .end(),
    );
    expect(migration.zeroResendsAtMost).toBe(2);
  });

  test("none: nothing is unseen, and no limit says so", async () => {
    const { migration, limit } = await migrate((g) => loss(g).save(A, B).bitmapSync(3).end());
    expect(migration.zeroResendsAtMost).toBe(0);
    expect(limit).toBeUndefined();
  });

  test("RAM of no known place: told apart by its host address", async () => {
    const rom = (g: MigrationGuest, page: number): MigrationGuest =>
      g.qemu("ram_save_page", {
        rbname: "pc.rom",
        offset: `0x${(page << 12).toString(16)}`,
        host: `0x${(0x7d0000000000n + (BigInt(page) << 12n)).toString(16)}`,
      });
    const once = await migrate((g) =>
      rom(rom(loss(g), 1), 2)
        .bitmapSync(3)
        .end(),
    );
    expect(once.migration).toMatchObject({ zeroResendsAtMost: 2, sends: { unplaced: 2 } });
    const twice = await migrate((g) =>
      rom(rom(loss(g), 1), 1)
        .bitmapSync(3)
        .end(),
    );
    expect(twice.migration).toMatchObject({ zeroResendsAtMost: 1, sends: { unplaced: 2 } });
  });

  test("two pieces of RAM that were at one guest address are two pages", async () => {
    const other = 0x7c0000000000n;
    const { migration } = await migrate((g) => {
      // Of a thread of another QEMU, perhaps: both stay.
      g.slot(0x1000, { slot: 1, gpa: A << 12, hva: other }, 1);
      loss(g).qemu("ram_save_page", {
        rbname: "pc.rom",
        offset: "0x0",
        host: `0x${other.toString(16)}`,
      });
      g.bitmapSync(3).end();
    });
    expect(migration).toMatchObject({ zeroResendsAtMost: 2, sends: { unplaced: 0 } });
  });

  test("each migration has its own number", async () => {
    const { result } = await migrate((g) => {
      loss(g).bitmapSync(3).end().logOn(false);
      loss(g).save(A).bitmapSync(4).end();
    });
    expect(result.migrations.map(({ zeroResendsAtMost }) => zeroResendsAtMost)).toEqual([2, 2]);
  });

  test("the destination shows them: 0", async () => {
    const all = arrivals([A, false], [B, false], [B, false], [A, true], [C, true]);
    const { migration, limit } = await migrate((g) => loss(g).bitmapSync(5).end(), {
      arrivals: all,
    });
    expect(migration).toMatchObject({ sendTimes: "source-and-destination", zeroResendsAtMost: 0 });
    expect(limit).toBeUndefined();
  });

  test("a destination without some of the pages does not show all", async () => {
    const { migration, limit } = await migrate((g) => loss(g).bitmapSync(5).end(), {
      arrivals: arrivals([A, false], [B, false], [A, true]),
    });
    expect(migration.zeroResendsAtMost).toBe(4);
    expect(limit).toContain("at most 4");
  });
});

describe("no number", () => {
  const none = async (
    act: (guest: MigrationGuest) => unknown,
    edit?: (events: NormalisedEvent[]) => void,
  ): Promise<void> => {
    const { migration, limit } = await migrate(act, edit ? { edit } : {});
    const [{ stale, likelyStale }] = migration.verdicts as [MigrationVerdict];
    expect([stale.length, likelyStale.length > 0]).toEqual([0, true]);
    expect(migration.zeroResendsAtMost).toBeNull();
    expect(limit).toContain("counts as likely stale (the");
  };
  const drop = (name: string, which: number) => (events: NormalisedEvent[]) => {
    const at = events.flatMap((event, i) =>
      event.event === "qemu" && event.name === name ? [i] : [],
    );
    events.splice(at.at(which)!, 1);
  };

  test("the end of a sync is missing", async () => {
    const act = (g: MigrationGuest) => loss(g).bitmapSync(5).end();
    await none(act, drop("migration_bitmap_sync_end", 1));
    await none(act, drop("migration_bitmap_sync_end", -1));
  });

  test("the beginning of a sync is missing", async () => {
    await none((g) => loss(g).bitmapSync(5).end(), drop("migration_bitmap_sync_start", -1));
  });

  test("the first sync is missing", async () => {
    const act = (g: MigrationGuest): unknown => {
      g.start().save(A, B).flush().bitmapSync(0).bitmapSync(0).save(B).flush().writePages(A);
      return g.bitmapSync(2).end();
    };
    await none(act);
  });

  test("no end of a sync is recorded at all", async () => {
    await none(
      (g) => loss(g).bitmapSync(5).end(),
      (events) => {
        for (let i = 0; i < 3; i++) drop("migration_bitmap_sync_end", 0)(events);
      },
    );
  });

  test("events were lost in the migration, not before it", async () => {
    const act = (g: MigrationGuest): unknown =>
      (g.start().bitmapSync(0).save(A, B).flush().gap(1) as MigrationGuest)
        .writePages(A)
        .bitmapSync(3)
        .save(B)
        .end();
    await none(act);
    const { migration } = await migrate((g) =>
      loss(g.gap(1) as MigrationGuest)
        .bitmapSync(3)
        .end(),
    );
    expect(migration.zeroResendsAtMost).toBe(2);
  });

  test("post-copy, COLO", async () => {
    await none((g) => loss(g).qemu("postcopy_start").bitmapSync(3).end());
    await none((g) => loss(g).end("colo").bitmapSync(3).end());
  });

  test("two QEMUs sync", async () => {
    await none((g) =>
      loss(g)
        .qemu("migration_bitmap_sync_start", {}, SOURCE_TID + 1)
        .qemu("migration_bitmap_sync_end", { dirty_pages: 9 }, SOURCE_TID + 1)
        .end(),
    );
  });

  test("more pages were sent again than were found", async () => {
    await none((g) => loss(g).save(B, B, B).bitmapSync(3).end());
  });
});

test("RAM of the guest lies where these recordings say", () => {
  expect(HVA % 4096n).toBe(0n);
});
