/** Lives of migrations: several in one recording, cut, post-copy, ioctls alone, a destination alone. */
import { describe, expect, test } from "vitest";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { memorySource, replayAll } from "../../support/memory-source.ts";
import { HVA, MigrationGuest, replayMigration, verdictOf } from "../../support/migration-guest.ts";

const [A, B, C] = [0x202, 0x303, 0x404] as const;

/** A migration in which `page` is sent and then written. */
function lossOf(guest: MigrationGuest, page: number): MigrationGuest {
  return guest.start().bitmapSync().save(page).flush().writePages(page);
}

describe("several migrations in one recording", () => {
  test("cancelled, failed, completed: each has its own pages", async () => {
    const guest = new MigrationGuest();
    lossOf(guest, A).end("cancelling").end("cancelled").logOn(false);
    guest.writePages(C);
    lossOf(guest, B).end("failed").logOn(false);
    lossOf(guest, C).bitmapSync().save(B).flush().switchover().end();
    const { migrations } = await replayMigration(guest);
    expect(migrations.map(({ outcome }) => outcome)).toEqual(["cancelled", "failed", "completed"]);
    expect(migrations.map(({ verdicts }) => verdicts.length)).toEqual([0, 0, 2]);
    expect(verdictOf(migrations[2]!, "linux-6.1")).toMatchObject({ stale: [C], possible: [] });
    expect(migrations.map(({ sends }) => sends.data)).toEqual([1, 1, 2]);
  });

  test("two that are completed: what was stale in the first is of no concern to the second", async () => {
    const guest = new MigrationGuest();
    lossOf(guest, A).bitmapSync().end().logOn(false);
    lossOf(guest, B).bitmapSync().end();
    const { migrations } = await replayMigration(guest);
    expect(migrations.map((m) => verdictOf(m, "linux-6.1").stale)).toEqual([[A], [B]]);
  });

  test("without the ioctls' end of logging, LOG_ALL stays on: still two", async () => {
    const guest = new MigrationGuest();
    lossOf(guest, A).end("cancelled");
    lossOf(guest, B).bitmapSync().end();
    const { migrations } = await replayMigration(guest);
    expect(migrations.map(({ outcome }) => outcome)).toEqual(["cancelled", "completed"]);
    expect(verdictOf(migrations[1]!, "linux-6.1").stale).toEqual([B]);
  });
});

describe("a recording that ends first", () => {
  test("nothing is certain, and why is said", async () => {
    const { migrations } = await replayMigration(lossOf(new MigrationGuest(), A));
    expect(migrations[0]!.outcome).toBe("unfinished");
    const { stale, possible, verdict } = verdictOf(migrations[0]!, "linux-6.1");
    expect([stale, possible]).toEqual([[], [A]]);
    expect(verdict.pages[0]!.doubts).toContain("unfinished");
  });
});

describe("post-copy", () => {
  test("pages that are dirty at the switch are fetched later: the same rule", async () => {
    const guest = new MigrationGuest();
    lossOf(guest, A).writePages(B).save(B).flush().writePages(B);
    guest.qemu("postcopy_start").end("postcopy-active").switchover();
    // The destination asks for B; A was sent before it was written, and is not asked for.
    guest.save(B).flush().end();
    const { migrations } = await replayMigration(guest);
    expect(migrations[0]).toMatchObject({ outcome: "completed" });
    expect(migrations[0]!.postcopyNs).not.toBeNull();
    // Zeros of post-copy are unseen at the source.
    expect(verdictOf(migrations[0]!, "linux-6.1")).toMatchObject({
      ...{ stale: [], likely: [A], possible: [] },
    });
  });
});

describe("the kernel's probes alone", () => {
  const guest = (): MigrationGuest => new MigrationGuest();

  test("on by LOG_ALL, ended by the stop of the device; nothing is certain", async () => {
    const g = guest().logOn().sync(0).writePages(A).sync(1).writePages(B).sync(2).writePages(C);
    const { migrations } = await replayMigration(g.stopDevice().sync(3) as MigrationGuest);
    expect(migrations).toMatchObject([
      { from: "ioctl", outcome: "completed", sendTimes: "none", syncs: 4 },
    ]);
    const verdict = verdictOf(migrations[0]!, "linux-6.1");
    expect(verdict).toMatchObject({ stale: [], likely: [B, C], possible: [A] });
    // A was written before the second sync: perhaps before its first send.
    expect(verdict.verdict).toMatchObject({ best: 0, likely: 2, worst: 3 });
    expect(verdictOf(migrations[0]!, "linux-6.16")).toMatchObject({ stale: [], possible: [] });
  });

  test("counted by cause only, its rounds are taken whole from the first sync on", async () => {
    const g = guest().logOn().writePages(A).sync(0).writePages(B).sync(1).writePages(C);
    const { migrations } = await replayAll([memorySource("case", g.sync(2).ndjson())], {
      policies: [{ policy: findPolicy("linux-6.1"), alias: null }],
      staleCauses: true,
    });
    const [verdict] = migrations[0]!.verdicts;
    expect(verdict).toMatchObject({ worst: 3, pages: [] });
    expect(verdict!.causes).toEqual([{ cause: "io-logged", pages: 1 }]);
    expect(verdict!.pagesWithoutEvidence).toBe(2);
  });

  test("no sync is known: all of it may be in the first pass", async () => {
    const { migrations } = await replayMigration(guest().logOn().writePages(A).stopDevice());
    expect(verdictOf(migrations[0]!, "linux-6.1").verdict).toMatchObject({
      best: 0,
      likely: 0,
      worst: 1,
    });
  });

  test("another device's LOG_ALL off ends nothing of a migration that QEMU tells", async () => {
    const g = lossOf(guest(), A);
    g.setLogAll(false);
    const { migrations } = await replayMigration(g.bitmapSync().end());
    expect(migrations.map(({ outcome }) => outcome)).toEqual(["completed"]);
    expect(verdictOf(migrations[0]!, "linux-6.1").stale).toEqual([A]);
  });
});

describe("a destination alone", () => {
  const DST = 9009;
  const load = (g: MigrationGuest, page: number, flags = "0x8"): MigrationGuest =>
    g.qemu(
      "ram_load_loop",
      {
        rbname: "pc.ram",
        addr: `0x${(page << 12).toString(16)}`,
        flags,
        host: `0x${(Number(HVA) + (page << 12)).toString(16)}`,
      },
      DST,
    );

  test("written after it arrived: stale; before: perhaps", async () => {
    const g = new MigrationGuest().logOn();
    g.writePages(B);
    load(load(g, A), B);
    g.writePages(A).stopDevice();
    g.qemu("migrate_set_state", { new_state: "completed" }, DST);
    const { migrations } = await replayMigration(g);
    expect(migrations).toMatchObject([{ from: "ioctl", sendTimes: "destination" }]);
    const { stale, possible, verdict } = verdictOf(migrations[0]!, "linux-6.1");
    expect([stale, possible]).toEqual([[A], [B]]);
    expect(verdict.pages.find(({ gfn }) => gfn === B)!.doubts.length).toBeGreaterThan(0);
  });

  test("its states are not the source's, and its zeros count as arrivals", async () => {
    const g = new MigrationGuest().start().bitmapSync();
    load(g, A, "0x2");
    load(g, B, "0x8");
    g.qemu("migrate_set_state", { new_state: "failed" }, DST);
    g.writePages(A).switchover().end();
    const { migrations } = await replayMigration(g);
    expect(migrations.map(({ outcome }) => outcome)).toEqual(["completed"]);
    expect(verdictOf(migrations[0]!, "linux-6.1").stale).toEqual([A]);
  });
});

describe("a policy that did not run", () => {
  test("what was sent again because the vhost that ran logged it is possibly stale", async () => {
    const g = new MigrationGuest().start().bitmapSync().save(A, B).flush().writePages(A, B);
    g.bitmapSync().save(A, B, 0x15).flush().switchover().save(0x15).end();
    for (const ran of ["linux-6.16", undefined]) {
      const result = await replayAll([memorySource("case", g.ndjson())], {
        policies: ["linux-6.1", "linux-6.16"].map((name) => ({
          policy: findPolicy(name),
          alias: null,
        })),
        window: "auto",
        stalePages: true,
        ...(ran === undefined ? {} : { ran: findPolicy(ran) }),
      });
      const unpatched = verdictOf(result.migrations[0]!, "linux-6.1");
      expect(unpatched.verdict.whatIf).toBe(true);
      expect([unpatched.stale, unpatched.possible]).toEqual([[], [A, B]]);
      const patched = verdictOf(result.migrations[0]!, "linux-6.16");
      expect(patched.verdict.whatIf).toBe(false);
      expect([patched.stale, patched.possible]).toEqual([[], []]);
    }
  });
});

describe("events that are lost", () => {
  test("what was stale before the gap is possibly so, what is written after it likely", async () => {
    const g = lossOf(new MigrationGuest(), A).save(B).flush().gap(5) as MigrationGuest;
    g.bitmapSync().writePages(B).switchover().end();
    const { migrations } = await replayMigration(g);
    const { stale, likely, possible, verdict } = verdictOf(migrations[0]!, "linux-6.1");
    // How many pages were sent again as zeros is not known where events are lost.
    expect([stale, likely, possible]).toEqual([[], [B], [A]]);
    expect(verdict.pages.find(({ gfn }) => gfn === A)!.doubts).toEqual(["events-lost"]);
    expect(verdict.pages.find(({ gfn }) => gfn === B)!.doubts).toEqual(["zeros-unseen"]);
  });
});
