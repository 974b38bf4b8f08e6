/** What `redact` renames, piece by piece, and whole recordings of made guests. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyedFunction } from "../../src/commands/redact.ts";
import { DEFAULT_SYNC_MARKER, matchSync } from "../../src/core/round.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { KernelObjects, kernelAddresses, threadNumbers } from "../../src/redact/addresses.ts";
import { firstDifference, ReplayDigest, renamingOf, SAME } from "../../src/redact/digest.ts";
import { Mapping } from "../../src/redact/mapping.ts";
import { PagePermutation } from "../../src/redact/page-permutation.ts";
import { feistel, type Prf } from "../../src/redact/prf.ts";
import { EventRedactor } from "../../src/redact/redact-event.ts";
import { type MapRange, piecesOf } from "../../src/redact/regions.ts";
import { Survey } from "../../src/redact/survey.ts";
import { TouchedPages } from "../../src/redact/touched-pages.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { Guest, VHOST_SET_FEATURES, VHOST_SET_VRING_ADDR } from "../support/guest.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";

const prfOf = (key: string): Prf => keyedFunction(Buffer.from(key));
const prf = prfOf("a key of this test");
const keys = fc.string({ minLength: 1, maxLength: 8 }).map(prfOf);

const CHOICES = { keepRuns: false, keepTimes: false };

/** Ranges and buffers of a small guest, in pages. */
const layouts = fc.record({
  ranges: fc.array(
    fc.record({ first: fc.nat(400), pages: fc.integer({ min: 1, max: 300 }), host: fc.nat(600) }),
    { maxLength: 6 },
  ),
  buffers: fc.array(
    fc.record({
      first: fc.nat(800),
      pages: fc.integer({ min: 1, max: 12 }),
      tie: fc.constantFrom("firm" as const, "loose" as const),
    }),
    { maxLength: 40 },
  ),
  keepRuns: fc.boolean(),
});

const toRange = ({
  first,
  pages,
  host,
}: {
  first: number;
  pages: number;
  host: number;
}): MapRange => ({
  gpa: BigInt(first) * 4096n,
  hva: 0x7f0000000000n + BigInt(host) * 4096n,
  size: BigInt(pages) * 4096n,
});

function permutationOf(layout: typeof layouts extends fc.Arbitrary<infer T> ? T : never, key: Prf) {
  const touched = new TouchedPages();
  for (const { first, pages, tie } of layout.buffers) touched.add(first, first + pages - 1, tie);
  const pieces = piecesOf(layout.ranges.map(toRange), touched);
  return new PagePermutation(pieces, touched, key, { keepRuns: layout.keepRuns });
}

describe("keyed permutations", () => {
  test("a Feistel network hits every value once", () => {
    fc.assert(
      fc.property(keys, (key) => {
        const permute = feistel(key, "t", 4);
        const values = Array.from({ length: 256 }, (_, i) => permute(i));
        expect([...new Set(values)].sort((a, b) => a - b)).toEqual([...Array(256).keys()]);
      }),
      { numRuns: 20 },
    );
  });

  test("threads get other numbers, each its own, and 0 stays", () => {
    const number = threadNumbers(prf);
    const pids = Array.from({ length: 3000 }, (_, i) => i * 7);
    const numbers = pids.map(number);
    expect(new Set(numbers).size).toBe(pids.length);
    expect(numbers[0]).toBe(0);
    expect(numbers.slice(1).every((n) => n > 0 && n < 2 ** 22)).toBe(true);
  });
});

describe("pages", () => {
  test("move to other pages of the same regions, each to its own", () => {
    fc.assert(
      fc.property(layouts, keys, (layout, key) => {
        const pages = permutationOf(layout, key);
        const regionsOf = (page: number) =>
          layout.ranges
            .map(({ first, pages: n }) => (page >= first && page < first + n ? 1 : 0))
            .join("");
        const seen = new Set<number>();
        const strayed: number[] = [];
        for (let page = 0; page < 1200; page += 1) {
          const to = pages.page(page);
          seen.add(to);
          // Where no map is, a page may go anywhere around.
          if (regionsOf(to) !== regionsOf(page)) strayed.push(page);
        }
        expect(seen.size).toBe(1200);
        expect(strayed).toEqual([]);
      }),
    );
  });

  test("that a ring lies over stay neighbours; with --keep-runs all touched ones do", () => {
    fc.assert(
      fc.property(layouts, keys, (layout, key) => {
        const pages = permutationOf(layout, key);
        for (const { first, pages: n, tie } of layout.buffers) {
          if (tie === "loose" && !layout.keepRuns) continue;
          for (let page = first; page + 1 < first + n; page += 1) {
            expect(pages.move(page + 1)).toBe(pages.move(page));
          }
        }
      }),
    );
  });

  test("of QEMU's memory move alike wherever the guest sees it", () => {
    fc.assert(
      fc.property(layouts, keys, (layout, key) => {
        const pages = permutationOf(layout, key);
        const moves = new Map<number, number>();
        for (const { first, pages: n, host } of layout.ranges) {
          for (let i = 0; i < n; i += 1) {
            const move = pages.move(first + i);
            expect(moves.get(host + i) ?? move).toBe(move);
            moves.set(host + i, move);
          }
        }
      }),
    );
  });

  test("stay where an address was seen one page apart, for then all of them are one", () => {
    const at = (first: number, host: number) => toRange({ first, host, pages: 300 });
    const touched = new TouchedPages();
    const pieces = piecesOf([at(0, 0), at(0, 1)], touched);
    const pages = new PagePermutation(pieces, touched, prf, CHOICES);
    expect(Array.from({ length: 300 }, (_, page) => pages.move(page))).toEqual(Array(300).fill(0));
  });

  test("of a guest of 1 TiB move, and no list of them is kept", () => {
    const touched = new TouchedPages();
    for (let i = 0; i < 100_000; i += 1) touched.add(i * 2600, i * 2600 + (i % 3), "loose");
    const range = { gpa: 0n, hva: 1n << 45n, size: 1n << 40n };
    const pages = new PagePermutation(piecesOf([range], touched), touched, prf, CHOICES);
    expect(pages.summary.runs).toBeLessThan(140_000);
    expect(pages.summary.touchedKept).toBeLessThan(100);
    expect(pages.page(2600)).not.toBe(2600);
  });
});

describe("kernel addresses", () => {
  test("keep their distance inside a device and lose everything else", () => {
    const hex = fc.bigInt({ min: 0xffff888000000000n, max: 0xffff889fffffffffn });
    fc.assert(
      fc.property(fc.uniqueArray(hex, { minLength: 1, maxLength: 8 }), keys, (devices, key) => {
        const objects = new KernelObjects();
        for (const vs of devices) objects.add(vs, vs + 4095n);
        const map = kernelAddresses(objects, key);
        const all = devices.flatMap((vs) => [vs, vs + 0xe8n, vs + 4095n]);
        for (const vs of devices) expect(map(vs + 0xe8n) - map(vs)).toBe(0xe8n);
        expect(new Set(all.map(map)).size).toBe(new Set(all).size);
        // Devices that were no neighbours are none now: the driver is found by this distance.
        for (const a of devices) {
          for (const b of devices) {
            const near = (x: bigint, y: bigint) => x >= y && x - y < 4096n;
            expect(near(map(a), map(b))).toBe(near(a, b));
          }
        }
        expect(map(0n)).toBe(0n);
      }),
    );
  });
});

/** A recording of a guest, redacted: events and the mapping. */
function redacted(events: readonly NormalisedEvent[], key: Prf, keepRuns = false) {
  const survey = new Survey();
  for (const event of events) survey.event(event, 0, 0, 0n);
  const map = new Mapping(survey, key, { keepRuns, keepTimes: false });
  const redactor = new EventRedactor(map, 0, map.shift(0), (text) =>
    matchSync(DEFAULT_SYNC_MARKER, text, 0),
  );
  return { map, events: events.flatMap((event) => redactor.redact(event)) };
}

const text = (events: readonly NormalisedEvent[]): string =>
  `${events.map((event) => JSON.stringify(event)).join("\n")}\n`;

/** Pages of every round and policy, and a digest, of one replay. */
async function replayed(events: readonly NormalisedEvent[], digest: ReplayDigest) {
  const rounds: { logged: number[]; lost: number[] }[][] = [];
  const result = await replayAll([memorySource("m.ndjson", text(events))], {
    window: "auto",
    policies: POLICIES.map((name) => ({ policy: findPolicy(name), alias: null })),
    stalePages: true,
    onSync(view) {
      digest.round(view);
      const pagesOf = (index: number, set: "logged" | "lost") =>
        view
          .runs(index, set)
          .flatMap(({ gfn, pages }) => Array.from({ length: pages }, (_, i) => gfn + i));
      rounds.push(
        POLICIES.map((_, index) => ({
          logged: pagesOf(index, "logged"),
          lost: pagesOf(index, "lost"),
        })),
      );
    },
    onRequest: (request) => digest.request(request),
  });
  digest.result(result);
  return { rounds, result };
}

const POLICIES = ["linux-6.1", "linux-6.16", "libvhost-user"];

const buffers = fc.array(
  fc.tuple(
    fc.integer({ min: 0x100000, max: 0x800000 }),
    fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.constant(400_000)),
  ),
  { minLength: 1, maxLength: 4 },
);
const steps = fc.array(
  fc.oneof(
    fc.record({ what: fc.constant("request" as const), writes: buffers, reads: buffers }),
    fc.record({ what: fc.constant("sync" as const) }),
    fc.record({ what: fc.constant("submit" as const), writes: buffers }),
  ),
  { minLength: 1, maxLength: 25 },
);

function guestOf(actions: typeof steps extends fc.Arbitrary<infer T> ? T : never): Guest {
  const guest = new Guest({ used: 0x15f80, eventIdx: true });
  let head = 0;
  let syncs = 0;
  for (const action of actions) {
    if (action.what === "sync") guest.sync(syncs++, "secret-name");
    else if (action.what === "submit") guest.submit(200 + (head++ % 50), action.writes);
    else guest.request({ head: head++ % 100, reads: action.reads, writes: action.writes });
  }
  return guest;
}

describe("a redacted recording", () => {
  test("has the same pages under other numbers, whatever the guest did", async () => {
    await fc.assert(
      fc.asyncProperty(steps, keys, fc.boolean(), async (actions, key, keepRuns) => {
        const { events } = guestOf(actions);
        const copy = redacted(events, key, keepRuns);
        const before = new ReplayDigest(renamingOf(copy.map), POLICIES);
        const after = new ReplayDigest(SAME, POLICIES);
        const original = await replayed(events, before);
        const again = await replayed(copy.events, after);
        const renamed = (pages: number[]) =>
          pages.map((page) => copy.map.page(page)).sort((a, b) => a - b);
        expect(again.rounds).toEqual(
          original.rounds.map((round) =>
            round.map(({ logged, lost }) => ({ logged: renamed(logged), lost: renamed(lost) })),
          ),
        );
        expect(again.result.written).toBe(original.result.written);
        expect(firstDifference(before, after)).toBeNull();
      }),
      { numRuns: 15 },
    );
  });

  test.each([
    ["a descriptor is missing", (events: NormalisedEvent[]) => drop(events, "desc")],
    ["a completion is missing", (events: NormalisedEvent[]) => drop(events, "used")],
    ["a sync is missing", (events: NormalisedEvent[]) => drop(events, "marker")],
    [
      "one page is another",
      (events: NormalisedEvent[]) =>
        events.map((event) =>
          event.event === "desc" && event.acc === 2 ? { ...event, gpa: "0x7777000" } : event,
        ),
    ],
  ])("is refused when %s", async (_, damage) => {
    const { events } = new Guest()
      .request({ writes: [[0x200000, 9000]] })
      .request({ writes: [[0x300000, 100]], head: 1 })
      .sync(0, "a");
    const copy = redacted(events, prf);
    const before = new ReplayDigest(renamingOf(copy.map), POLICIES);
    const after = new ReplayDigest(SAME, POLICIES);
    await replayed(events, before);
    await replayed(damage(copy.events), after);
    expect(firstDifference(before, after)).toMatch(/in the original|redacted/);
  });

  test("keeps of an ioctl what the replay reads, and nothing else", () => {
    const ioctl = (cmd: number, a0: string): NormalisedEvent => ({
      ...{ event: "ioctl", ts: "5", cpu: 1, pid: 77, file: "0xffff888100002222", cmd },
      ...{ vs: "0xffff888100001000", arg: "0x7ffd00001111", a0 },
      ...{ a1: "0x7f0000001000", a2: "0x7f0000002000", a3: "0x7f0000003000", a4: "0x15f80" },
    });
    const wwpn = "0x302e3038612e616e";
    const { events, map } = redacted(
      [
        ioctl(VHOST_SET_FEATURES, "0x104000000"),
        ioctl(VHOST_SET_VRING_ADDR, "0x100000002"),
        ioctl(0x40e8af40, wwpn),
        ioctl(0x12345678, "0x99"),
      ],
      prf,
    );
    const kept = events.map((event) => {
      const { file, cmd, arg, a0, a1, a2, a3, a4 } = event as unknown as Record<string, string>;
      return [cmd, file, arg, a0, a1, a2, a3, a4];
    });
    const none = "0x0";
    const used = `0x${map.gpa(0x15f80n).toString(16)}`;
    expect(kept).toEqual([
      [VHOST_SET_FEATURES, none, none, "0x104000000", none, none, none, none],
      [VHOST_SET_VRING_ADDR, none, none, "0x100000002", none, none, none, used],
      [0x40e8af40, none, none, none, none, none, none, none],
      [0, none, none, none, none, none, none, none],
    ]);
    expect(used.endsWith("f80")).toBe(true);
    expect(used).not.toBe("0x15f80");
  });

  test("has no text but syncs, and their names only where they are common words", () => {
    const marker = (words: string): NormalisedEvent => ({
      ...{ event: "marker", ts: "1", cpu: 0, pid: 1, text: words },
    });
    const { events } = redacted(
      ["dirty_sync_begin 3 after-boot", "dirty_sync_begin 4 acme-db-7", "customer acme", "x"].map(
        marker,
      ),
      prf,
    );
    const texts = events.map((event) => (event as { text: string }).text);
    expect(texts[0]).toBe("dirty_sync_begin 3 after-boot");
    expect(texts[1]).toMatch(/^dirty_sync_begin 4 name-[0-9a-f]{10}$/);
    expect(texts.length).toBe(2);
  });

  test("repeats with the same key and differs with another", () => {
    const { events } = new Guest().request({ writes: [[0x200000, 9000]] });
    expect(redacted(events, prfOf("k")).events).toEqual(redacted(events, prfOf("k")).events);
    expect(redacted(events, prfOf("k")).events).not.toEqual(redacted(events, prfOf("l")).events);
  });
});

function drop(events: NormalisedEvent[], kind: string): NormalisedEvent[] {
  const at = events.findIndex(
    (event) =>
      event.event === kind && (kind !== "desc" || (event.event === "desc" && event.acc === 2)),
  );
  expect(at).toBeGreaterThanOrEqual(0);
  return events.filter((_, i) => i !== at);
}
