/** Conformance cases C81 to C90: QEMU and staleness. */
import { describe, expect, test } from "vitest";
import { Cause } from "../../../assembly/page-abi.ts";
import { mask } from "../../../src/vhost/causes.ts";
import { findPolicy, type Policy } from "../../../src/vhost/policy.ts";
import { memorySource, replayAll } from "../../support/memory-source.ts";
import {
  MigrationGuest,
  replayMigration,
  type Verdict,
  verdictOf,
} from "../../support/migration-guest.ts";

const VHOST_SET_MEM_TABLE = 0x4008af03;
const PAGE = 0x202;

/** The one migration of what `act` records, under the unpatched and the patched policy. */
async function migrate(
  act: (guest: MigrationGuest) => unknown,
  policies?: readonly Policy[],
  ran?: Policy,
): Promise<{ unpatched: Verdict; patched: Verdict }> {
  const guest = new MigrationGuest();
  act(guest);
  const result = await replayMigration(guest, policies, ran);
  expect(result.migrations.map(({ outcome }) => outcome)).toEqual(["completed"]);
  const [first, second] = (policies ?? [findPolicy("unpatched"), findPolicy("patched")]).map(
    ({ name }) => verdictOf(result.migrations[0]!, name),
  );
  return { unpatched: first!, patched: second ?? first! };
}

const nothing = { stale: [], possible: [], healed: [] };

describe("C81 log size", () => {
  test.each([
    ["0x7fffffff", 8192],
    ["0x17fffffff", 24576],
    ["0x9ffff", 3],
    ["0x40000000", 4097],
  ])("highest address %s is %i chunks", async (last, chunks) => {
    const guest = new MigrationGuest();
    guest.ioctl(VHOST_SET_MEM_TABLE);
    const mem = {
      event: "mem",
      ts: "0",
      cpu: 0,
      pid: guest.vmm,
      iotlb: "0xff00",
      start: "0x0",
      last,
      addr: "0x7f0000000000",
      perm: 3,
    } as const;
    guest.events.splice(1, 0, mem as never);
    guest.sync(0);
    const sizes: number[] = [];
    await replayAll([memorySource("case", guest.ndjson())], {
      onSync: ({ qemuLogBytes }) => {
        sizes.push(qemuLogBytes);
      },
    });
    expect(sizes[0]).toBe(chunks * 8);
  });
});

test("C82 a sync consumes the whole chunk, and each page is marked as itself", async () => {
  const guest = new MigrationGuest();
  guest.start().bitmapSync().writePages(0x11, 0x25).bitmapSync().bitmapSync();
  const logged: number[][] = [];
  await replayAll([memorySource("case", guest.ndjson())], {
    policies: [{ policy: findPolicy("patched"), alias: null }],
    onSync: ({ pages }) => {
      logged.push(pages(0).filter((page) => page !== 0x15));
    },
  });
  expect(logged.slice(0, 3)).toEqual([[], [0x11, 0x25], []]);
});

test("C83 sent, written without a log entry, stop: stale", async () => {
  const { unpatched, patched } = await migrate((g) =>
    g.start().bitmapSync().save(PAGE).flush().writePages(PAGE).switchover().end(),
  );
  expect(unpatched).toMatchObject({ stale: [PAGE], possible: [], healed: [] });
  expect(patched).toMatchObject({ stale: [], possible: [] });
  expect(unpatched.verdict.pages).toMatchObject([
    { gfn: PAGE, verdict: "stale", poppedBeforeSend: false, doubts: [] },
  ]);
});

test("C84 the write comes before the first send: not stale", async () => {
  const { unpatched, patched } = await migrate((g) =>
    g.start().bitmapSync().writePages(PAGE).save(PAGE).flush().switchover().end(),
  );
  expect(unpatched).toMatchObject({ stale: [], possible: [], by: { "first-send": [PAGE] } });
  expect(patched).toMatchObject(nothing);
});

test("C84 so is a write before the dirty log", async () => {
  const { unpatched } = await migrate((g) =>
    g.writePages(PAGE).start().bitmapSync().save(PAGE).flush().switchover().end(),
  );
  expect(unpatched).toMatchObject(nothing);
});

test("C85 a vCPU writes the page after the unlogged write: not stale", async () => {
  const { unpatched } = await migrate((g) =>
    g
      .slot()
      .start()
      .bitmapSync()
      .save(PAGE)
      .flush()
      .writePages(PAGE)
      .cpuDirtied(PAGE)
      .switchover()
      .end(),
  );
  expect(unpatched).toMatchObject({ stale: [], possible: [], by: { cpu: [PAGE] } });
});

test("C85 a vCPU's write to another page heals nothing", async () => {
  const { unpatched } = await migrate((g) =>
    g
      .slot()
      .start()
      .bitmapSync()
      .save(PAGE)
      .flush()
      .writePages(PAGE)
      .cpuDirtied(PAGE + 1)
      .switchover()
      .end(),
  );
  expect(unpatched.stale).toEqual([PAGE]);
});

test("C86 a vCPU's write, a sync, a send, then the unlogged write: stale", async () => {
  const { unpatched } = await migrate((g) =>
    g
      .slot()
      .start()
      .bitmapSync()
      .save(PAGE)
      .flush()
      .cpuDirtied(PAGE)
      .bitmapSync(1)
      .save(PAGE)
      .flush()
      .writePages(PAGE)
      .switchover()
      .end(),
  );
  expect(unpatched.stale).toEqual([PAGE]);
});

test("C87 the page is shared with a later logged write: not stale", async () => {
  // A policy that logs the control queue alone: its response shares the page of the data.
  const control: Policy = {
    ...findPolicy("linux-6.1"),
    name: "control-only",
    aliases: [],
    logs: findPolicy("linux-6.1").logs | mask(Cause.CtlLogged),
  };
  const { unpatched, patched } = await migrate(
    (g) => {
      g.start().bitmapSync().save(PAGE).flush().writePages(PAGE);
      g.submit(0, [[(PAGE << 12) + 8, 8]], 0, 24).used(0, 0);
      g.switchover().end();
    },
    [findPolicy("linux-6.1"), control],
  );
  expect(unpatched.stale).toEqual([PAGE]);
  expect(patched).toMatchObject({ stale: [], possible: [], by: { log: [PAGE] } });
});

describe("C88 the used ring", () => {
  const miss = (g: MigrationGuest): MigrationGuest =>
    g.start().bitmapSync().save(0x15).flush().writePages(0x300).save(0x300).flush();
  /** Logs no ring at all. */
  const none: Policy = { ...findPolicy("linux-6.1"), name: "no-ring", aliases: [], logs: 0n };

  test("missed, then the device stops: not stale", async () => {
    const { unpatched } = await migrate((g) => miss(g).switchover().end(), [none]);
    expect(unpatched).toMatchObject({ stale: [], possible: [], by: { stop: [0x15] } });
  });
  test("without a stop it is", async () => {
    const { unpatched } = await migrate((g) => miss(g).bitmapSync().end(), [none]);
    expect(unpatched.stale).toEqual([0x15]);
  });
  test("another queue's stop does not help", async () => {
    const { unpatched } = await migrate((g) => miss(g).stopDevice([1]).bitmapSync().end(), [none]);
    expect(unpatched.stale).toEqual([0x15]);
  });
});

test("C89 cancelled: what was not logged is of no concern", async () => {
  const guest = new MigrationGuest();
  guest.start().bitmapSync().save(PAGE).flush().writePages(PAGE);
  guest.end("cancelling").end("cancelled").logOn(false);
  const result = await replayMigration(guest);
  expect(result.migrations).toMatchObject([{ outcome: "cancelled", verdicts: [] }]);
});

test("C89 the same, seen from the ioctls alone", async () => {
  const guest = new MigrationGuest();
  guest.logOn().sync(0).writePages(PAGE).sync(1).writePages(PAGE).logOn(false);
  const result = await replayMigration(guest);
  expect(result.migrations).toMatchObject([{ from: "ioctl", outcome: "cancelled", verdicts: [] }]);
});

test("C90 logged before the write, a sync and a send between: likely stale, for it was in flight", async () => {
  // No vhost logs at submission. What its log would hold is made by a request of its own, which
  // this policy logs, and the write by one that it does not: popped before LOG_ALL went on.
  const { patched } = await migrate(
    (g) => {
      g.popPages(1, PAGE);
      g.start().bitmapSync().save(PAGE).flush();
      g.writePages(PAGE).bitmapSync(1).save(PAGE).flush();
      g.used(2, 1);
      g.switchover().end();
    },
    undefined,
    findPolicy("linux-6.16"),
  );
  expect(patched).toMatchObject({ stale: [], likely: [PAGE], possible: [] });
  expect(patched.verdict.pages).toMatchObject([
    { verdict: "likely-stale", poppedBeforeSend: true, doubts: ["popped-before-send"] },
  ]);
});
