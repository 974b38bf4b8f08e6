/** Post-copy: what the destination receives once the source is stopped, also as zeros. */
import { describe, expect, test } from "vitest";
import type { Source } from "../../../src/bytes/source.ts";
import type { MigrationResult } from "../../../src/model/migration-result.ts";
import { findPolicy } from "../../../src/vhost/policy.ts";
import type { TraceLine } from "../../support/make-qemu-log.ts";
import { simpletrace } from "../../support/make-simpletrace.ts";
import { memorySource, recordingOf, replayOne } from "../../support/memory-source.ts";
import { MigrationGuest, replayMigration, verdictOf } from "../../support/migration-guest.ts";

const [A, B, C] = [0x202, 0x303, 0x404] as const;
const BASE = 0x7e0000000000n;
const address = (page: number): bigint => BASE + (BigInt(page) << 12n);

/** What a destination's QEMU traces. */
class Destination {
  readonly lines: TraceLine[] = [];

  #add(name: string, ...args: (string | number | bigint)[]): this {
    const ns = 9_000_000_000_000n + BigInt(this.lines.length) * 1000n;
    this.lines.push({ ns, tid: 9, name, args });
    return this;
  }

  /** ram_load_loop(): before the switch. */
  precopy(page: number, flags = 8): this {
    return this.#add("ram_load_loop", "pc.ram", BigInt(page) << 12n, flags, address(page));
  }

  /** ram_load_postcopy_loop(). */
  load(page: number, zero = false, channel = 0): this {
    return this.#add("ram_load_postcopy_loop", channel, BigInt(page) << 12n, zero ? 0x22 : 0x28);
  }

  place(page: number): this {
    return this.#add("postcopy_place_page", address(page));
  }

  placeZero(page: number): this {
    return this.#add("postcopy_place_page_zero", address(page));
  }

  source(): Source {
    return memorySource("dst", simpletrace(this.lines, { pid: 77 }));
  }
}

/** A and B sent, both written unlogged, and the switch; then `sends` with data. */
const source = (...sends: number[]): Source => {
  const guest = new MigrationGuest().slot().start().bitmapSync().save(A, B).flush();
  guest.writePages(A, B).qemu("postcopy_start").end("postcopy-active").switchover();
  return memorySource(
    "src",
    guest
      .save(...sends)
      .end()
      .ndjson(),
  );
};

async function migrate(...sources: Source[]): Promise<MigrationResult> {
  const { migrations } = await replayOne(await recordingOf(...sources), {
    policies: [{ policy: findPolicy("linux-6.1"), alias: null }],
    window: "auto",
    stalePages: true,
  });
  return migrations[0]!;
}

const precopied = (): Destination => new Destination().precopy(A).precopy(B);

describe("pages of zeros in post-copy", () => {
  test("heal the page, whenever they come: the source is stopped; the others are certain", async () => {
    const destination = precopied().load(C).place(C).load(A, true).placeZero(A).source();
    const migration = await migrate(source(C), destination);
    expect(migration).toMatchObject({ zeroResendsAtMost: 0, sends: { data: 3, zero: 1 } });
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({
      ...{ stale: [B], likely: [], possible: [], by: { resend: [A] } },
    });
  });

  test("of a host page that also has data: each of its pages by itself", async () => {
    const huge = precopied()
      .load(A, true)
      .load(A + 1)
      .load(A + 2, true)
      .place(A);
    const migration = await migrate(source(A + 1), huge.source());
    expect(migration).toMatchObject({ zeroResendsAtMost: 0, sends: { data: 3, zero: 2 } });
    expect(verdictOf(migration, "linux-6.1").stale).toEqual([B]);
  });

  test("two channels, whose pages come between each other's", async () => {
    const mixed = precopied().load(C).load(A, true, 1).placeZero(A).place(C);
    const migration = await migrate(source(C), mixed.source());
    expect(verdictOf(migration, "linux-6.1").stale).toEqual([B]);
  });

  test("that were not placed: nothing is certain, for any page may be one of them", async () => {
    const lacking = precopied().load(C).place(C).load(A, true).source();
    const migration = await migrate(source(C), lacking);
    expect(migration.zeroResendsAtMost).toBeNull();
    expect(verdictOf(migration, "linux-6.1")).toMatchObject({ stale: [], likely: [A, B] });
  });

  test("are not looked for in what came before the switch", async () => {
    // 1024 pages have a hash, 100 more come in post-copy: the destination is not another one.
    const many = Array.from({ length: 1024 }, (_, i) => 0x1000 + i);
    const late = Array.from({ length: 1100 }, (_, i) => 0x2000 + i);
    const guest = new MigrationGuest()
      .slot()
      .start()
      .bitmapSync()
      .save(...many)
      .flush();
    guest.writePages(0x1000).qemu("postcopy_start").end("postcopy-active").switchover();
    const destination = new Destination();
    for (const page of many) destination.precopy(page);
    for (const page of late) destination.load(page).place(page);
    const sent = memorySource(
      "src",
      guest
        .save(...late)
        .end()
        .ndjson(),
    );
    const result = await replayOne(await recordingOf(sent, destination.source()), {
      policies: [{ policy: findPolicy("linux-6.1"), alias: null }],
      window: "auto",
    });
    expect(result.limits.map(({ code }) => code)).not.toContain("destination-differs");
    expect(verdictOf(result.migrations[0]!, "linux-6.1").stale).toEqual([0x1000]);
  });
});

test("a destination alone: what it receives in post-copy arrived after the last write", async () => {
  const DST = 9009;
  const hex = (value: bigint): string => `0x${value.toString(16)}`;
  const guest = new MigrationGuest().logOn();
  const event = (name: string, args: Record<string, string | number>): unknown =>
    guest.qemu(name, args, DST);
  const host = 0x7f0000000000n;
  for (const page of [A, B]) {
    const addr = BigInt(page) << 12n;
    event("ram_load_loop", {
      rbname: "pc.ram",
      addr: hex(addr),
      flags: "0x8",
      host: hex(host + addr),
    });
  }
  guest.writePages(A, B).stopDevice();
  const addr = BigInt(A) << 12n;
  event("ram_load_postcopy_loop", { channel: 0, addr: hex(addr), flags: "0x28" });
  event("postcopy_place_page", { host_addr: hex(host + addr) });
  const { migrations } = await replayMigration(guest);
  expect(migrations).toMatchObject([{ from: "ioctl", sendTimes: "destination" }]);
  // It may have been sent before the write as far as an arrival tells; B certainly was.
  const { stale, possible } = verdictOf(migrations[0]!, "linux-6.1");
  expect([stale, possible]).toEqual([[B], [A]]);
});
