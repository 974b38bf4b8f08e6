/** A page is certainly stale only where no event is missing that could have healed it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { unwrap } from "../../../src/bytes/decompress.ts";
import type { Source } from "../../../src/bytes/source.ts";
import { parseClockPairs } from "../../../src/join/clock-pair.ts";
import type { MigrationVerdict } from "../../../src/model/migration-result.ts";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { hidings, surerThan } from "../../support/hidings.ts";
import { memorySource, replayMachines } from "../../support/memory-source.ts";
import { MigrationGuest, replayMigration } from "../../support/migration-guest.ts";

const PAGE = 0x202;
const LATER = 0x203;

/** A migration in which a page is written behind its last send, then what `act` records, then another one. */
async function migrate(act: (guest: MigrationGuest) => unknown): Promise<MigrationVerdict> {
  const guest = new MigrationGuest();
  guest.start().bitmapSync().save(PAGE, LATER).flush().writePages(PAGE);
  act(guest);
  guest.writePages(LATER).switchover().end();
  const result = await replayMigration(guest, [findPolicy("unpatched")]);
  return result.migrations[0]!.verdicts[0]!;
}

describe("a page that is written behind its last send", () => {
  test("is certainly stale in a recording that lacks nothing", async () => {
    const { best, likely, stale, pages } = await migrate(() => {});
    expect({ best, likely, stale }).toEqual({
      ...{ best: 2, likely: 2 },
      stale: [{ gfn: PAGE, pages: 2 }],
    });
    expect(pages.map(({ doubts }) => doubts)).toEqual([[], []]);
  });

  test.each<[string, (guest: MigrationGuest) => unknown]>([
    [
      "a request's pop is missing",
      (guest) => {
        const before = guest.events.length;
        guest.writePages(0x300);
        const pop = guest.events.findIndex(({ event }, i) => i >= before && event === "pop");
        guest.events.splice(pop, 1);
      },
    ],
    [
      "a completion is missing",
      (guest) => {
        guest.writePages(0x300);
        guest.events.splice(
          guest.events.findLastIndex(({ event }) => event === "used"),
          1,
        );
      },
    ],
    [
      "an ioctl's entry is missing",
      (guest) => {
        guest.setLogAll(true);
        guest.events.splice(
          guest.events.findLastIndex(({ event }) => event === "ioctl"),
          1,
        );
      },
    ],
  ])("is likely stale where %s, and why is said", async (_, hide) => {
    const verdict = await migrate(hide);
    expect(verdict).toMatchObject({ best: 0, stale: [] });
    expect(verdict.likelyStale).toContainEqual({ gfn: PAGE, pages: 2 });
    expect(verdict.likely).toBe(verdict.likelyStale.reduce((sum, { pages }) => sum + pages, 0));
    for (const gfn of [PAGE, LATER]) {
      expect(verdict.pages.find((page) => page.gfn === gfn)).toMatchObject({
        ...{ verdict: "likely-stale", doubts: ["events-lost"] },
      });
    }
  });
});

async function textOf(source: Source): Promise<string> {
  const stream = (await unwrap(source)).stream();
  const into = new Uint8Array(1 << 16);
  let text = "";
  for (let n = await stream.read(into); n > 0; n = await stream.read(into)) {
    text += Buffer.from(into.subarray(0, n)).toString("latin1");
  }
  stream.close();
  return text;
}

describe("a real recording on three files", async () => {
  const folder = join(import.meta.dirname, "../../../traces/migration/qemu-11.1");
  const file = (name: string) => memorySource(name, readFileSync(join(folder, `${name}.xz`)));
  const names = ["trace.txt", "src.log", "dst.log"];
  const texts = await Promise.all(names.map((name) => textOf(file(name))));
  const clockPairs = parseClockPairs(readFileSync(join(folder, "clock.txt"), "utf8"), "clock.txt");
  const policies = ["linux-6.1", "linux-6.16"].map((name) => ({
    policy: findPolicy(name),
    alias: null,
  }));
  const read = (all: readonly string[]) =>
    replayMachines(
      all.map((text, i) => memorySource(names[i]!, text)),
      { policies, window: "auto", runLimit: Number.POSITIVE_INFINITY, stalePages: true },
      { clockPairs },
    );
  const whole = await read(texts);

  test("of which a tenth is left out: no page that was none is certainly stale", async () => {
    // The tenth in which logging is switched on: what follows seems to have no log under any policy.
    const without = hidings(texts[0]!).find(({ what }) => what === "tenth 8")!.text;
    const [before, after] = [whole, await read(texts.with(0, without))].map(({ machines }) =>
      machines[0]!.migrations[0]!.verdicts.map(({ best, likely }) => ({ best, likely })),
    );
    expect(before!.map(({ best }) => best)).toEqual([392, 0]);
    expect(after!.map(({ best }) => best)).toEqual([0, 0]);
    expect(after![0]!.likely).toBeGreaterThan(300);
  });

  test("of which any event, CPU, tenth or end is left out: no verdict of a page gets surer", async () => {
    const surer: string[] = [];
    for (const i of [0, 1]) {
      for (const { what, text } of hidings(texts[i]!)) {
        const less = await read(texts.with(i, text)).catch((error: Error) => error);
        // A source without some of its sends is none that the destination is of, and that is said.
        if (less instanceof Error) expect(less.message).toMatch(/destination of a migration/);
        else surer.push(...surerThan(whole, less).map((one) => `${names[i]}, ${what}: ${one}`));
      }
    }
    expect(surer).toEqual([]);
  });
});
