/** Where RAM lies while it moves, and the slots of KVM, whose numbers two QEMUs have alike. */
import { describe, expect, test } from "vitest";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { qemuLog } from "../../support/make-qemu-log.ts";
import { memorySource, replayAll } from "../../support/memory-source.ts";
import {
  HVA,
  MigrationGuest,
  replayMigration,
  SOURCE_TID,
  type Verdict,
  verdictOf,
} from "../../support/migration-guest.ts";
import { split } from "../../support/split-recording.ts";

const A = 0x202;
const OTHER = 0x7c0000000000n;
const MIB = 1 << 20;

async function verdict(guest: MigrationGuest): Promise<Verdict & { unplaced: number }> {
  const { migrations } = await replayMigration(guest);
  return {
    ...verdictOf(migrations[0]!, "linux-6.1"),
    unplaced: migrations[0]!.sends.unplaced,
  };
}

/** A page of RAM at another host address is sent. */
function saveAt(guest: MigrationGuest, hva: bigint): MigrationGuest {
  return guest.qemu("ram_save_page", {
    ...{ rbname: "pc.ram", offset: "0x0", host: `0x${hva.toString(16)}` },
  });
}

describe("RAM that other RAM has replaced", () => {
  const start = (): MigrationGuest => new MigrationGuest().slot();
  /** A is written, and then the page is sent that was there first. */
  const lose = (guest: MigrationGuest): MigrationGuest => {
    guest.start().bitmapSync().save(A).flush().bitmapSync().writePages(A);
    return guest.save(A).flush().bitmapSync().end();
  };

  test("its pages are none of the guest any more", async () => {
    const moved = start().slot(0x2000, { slot: 1, gpa: A << 12, hva: OTHER });
    const { stale, likely, unplaced } = await verdict(lose(moved));
    // No send of the page that is there now was recorded.
    expect([stale, likely, unplaced]).toEqual([[], [A], 2]);
  });

  test("those before and behind it are", async () => {
    const moved = start().slot(0x1000, { slot: 1, gpa: (A + 1) << 12, hva: OTHER });
    expect(await verdict(lose(moved))).toMatchObject({ stale: [], healed: [A], unplaced: 0 });
    const behind = start().slot(0x1000, { slot: 1, gpa: (A - 1) << 12, hva: OTHER });
    expect(await verdict(lose(behind))).toMatchObject({ stale: [], healed: [A], unplaced: 0 });
  });

  test("the page that is there now is sent", async () => {
    const guest = start().slot(0x1000, { slot: 1, gpa: A << 12, hva: OTHER });
    saveAt(guest.start().bitmapSync().save(0x300), OTHER).flush().bitmapSync().writePages(A);
    saveAt(guest, OTHER).flush().bitmapSync().end();
    expect(await verdict(guest)).toMatchObject({ stale: [], healed: [A], unplaced: 0 });
  });

  test("and back again", async () => {
    const moved = start().slot(0x1000, { slot: 1, gpa: A << 12, hva: OTHER });
    expect(await verdict(lose(moved.slot()))).toMatchObject({ stale: [], healed: [A] });
  });

  test("by what another thread says of RAM, both count: it may be another QEMU", async () => {
    const other = start().slot(0x1000, { slot: 1, gpa: A << 12, hva: OTHER }, SOURCE_TID + 9);
    expect(await verdict(lose(other))).toMatchObject({ stale: [], healed: [A], unplaced: 0 });
  });

  test("a slot that is taken away for a moment is still RAM", async () => {
    const { stale, healed, unplaced } = await verdict(lose(start().slot(0)));
    expect([stale, healed, unplaced]).toEqual([[], [A], 0]);
  });

  test("RAM that the guest has twice is found at both", async () => {
    const guest = start().slot(0x1000, { slot: 1, gpa: 80 * MIB, hva: HVA + BigInt(A << 12) });
    guest.start().bitmapSync().save(A).flush().bitmapSync().writePages(A, 0x5000);
    expect(await verdict(guest.save(A).flush().bitmapSync().end())).toMatchObject({
      stale: [],
      healed: [A, 0x5000],
    });
  });
});

describe("pages that vCPUs wrote", () => {
  const dirtied = (guest: MigrationGuest, offset = A): MigrationGuest =>
    guest
      .start()
      .bitmapSync()
      .save(A)
      .flush()
      .bitmapSync()
      .writePages(A)
      .cpuDirtied(offset)
      .bitmapSync()
      .end();

  test("an offset that only one slot has is that page", async () => {
    const guest = dirtied(new MigrationGuest().slot().slot(MIB, { slot: 1, gpa: 128 * MIB }));
    expect(await verdict(guest)).toMatchObject({ stale: [], possible: [], by: { cpu: [A] } });
  });

  test("one that two slots have may be either: the event does not tell the slot", async () => {
    const guest = new MigrationGuest().slot();
    dirtied(guest.slot(4 * MIB, { slot: 1, gpa: 128 * MIB, hva: OTHER }));
    expect(await verdict(guest)).toMatchObject({ stale: [], possible: [A] });
  });

  test("the slots of SMM hold the same pages", async () => {
    const guest = new MigrationGuest().slot().slot(64 * MIB, { as: 1 });
    expect(await verdict(dirtied(guest))).toMatchObject({ possible: [], by: { cpu: [A] } });
  });

  test("a slot that is gone has none", async () => {
    const guest = new MigrationGuest()
      .slot()
      .slot(4 * MIB, { slot: 1, gpa: 128 * MIB, hva: OTHER });
    dirtied(guest.slot(0, { slot: 1 }));
    expect(await verdict(guest)).toMatchObject({ possible: [], by: { cpu: [A] } });
  });

  test("another page, or none that is known", async () => {
    for (const offset of [A + 1, 0x12345678]) {
      const { stale } = await verdict(dirtied(new MigrationGuest().slot(), offset));
      expect(stale).toEqual([A]);
    }
  });

  test("the slots of another QEMU are not those of this one", async () => {
    const parts = split(dirtied(new MigrationGuest().slot()).timed(), 0n);
    const other = new MigrationGuest().slot(64 * MIB, { gpa: 512 * MIB, hva: OTHER });
    const { lines } = split(other.timed(), 500n);
    const result = await replayAll(
      [
        memorySource("host", `{"event":"recording","clock":"realtime"}\n${parts.probes}`),
        memorySource("src", qemuLog(parts.lines, "tid@time")),
        memorySource("other", qemuLog(lines, "tid@time")),
      ],
      {
        policies: [{ policy: findPolicy("linux-6.1"), alias: null }],
        window: "auto",
        stalePages: true,
      },
      { clockOffsets: new Map([["src", { offset: 0n, tolerance: 0n }]]) },
    );
    expect(verdictOf(result.migrations[0]!, "linux-6.1")).toMatchObject({
      stale: [],
      possible: [],
      by: { cpu: [A] },
    });
  });
});
