/** When packets of multifd read the batches of the first pass. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  PACKET_CHANNEL,
  PACKET_FLAGS,
  PACKET_NORMAL,
  PACKET_NUMBER,
  PACKET_ORDERED,
  PACKET_SIZE,
  PACKET_SYNC,
  PACKET_TS,
  PACKET_ZERO,
} from "../../../assembly/qemu-abi.ts";
import {
  batchTimes,
  batchTimesAtMost,
  latestBatches,
  readPackets,
} from "../../../src/replay/migration/multifd.ts";

interface Packet {
  at: number;
  number: number;
  channel: number;
  normal: number;
  zero?: number;
  sync?: boolean;
  ordered?: boolean;
}

const START = 1_000_000_000n;

function packetsOf(list: readonly Packet[]) {
  const view = new DataView(new ArrayBuffer(list.length * PACKET_SIZE));
  list.forEach(({ at, number, channel, normal, zero = 0, sync, ordered }, i) => {
    const p = i * PACKET_SIZE;
    view.setBigUint64(p + PACKET_TS, START + BigInt(at), true);
    view.setBigUint64(p + PACKET_NUMBER, BigInt(number), true);
    view.setUint32(p + PACKET_CHANNEL, channel, true);
    view.setUint32(p + PACKET_NORMAL, normal, true);
    view.setUint32(p + PACKET_ZERO, zero, true);
    view.setUint32(
      p + PACKET_FLAGS,
      (sync ? PACKET_SYNC : 0) + (ordered ? PACKET_ORDERED : 0),
      true,
    );
  });
  return readPackets(view, 0, list.length, START);
}

const windows = (list: readonly Packet[], blocks: readonly number[]) => {
  const times = batchTimes(packetsOf(list)!, blocks);
  return times && [...times.from].map((from, k) => [from, times.until[k]]);
};

describe("windows of batches", () => {
  test("of one channel: from a packet to the next", () => {
    const list = [10, 20, 30].map((at, i) => ({ at, number: i, channel: 0, normal: 128 }));
    expect(windows(list, [384])).toEqual([
      [10, 20],
      [20, 30],
      [30, Number.POSITIVE_INFINITY],
    ]);
  });

  test("pages of zeros are looked at before the packet has its number", () => {
    const list = [10, 20].map((at, i) => ({ at, number: i, channel: 0, normal: 100, zero: 28 }));
    expect(windows(list, [256])).toEqual([
      [0, 20],
      [10, Number.POSITIVE_INFINITY],
    ]);
  });

  test("of two channels: a batch may have its neighbour's number", () => {
    const list = [10, 20, 30, 40].map((at, i) => ({ at, number: i, channel: i % 2, normal: 128 }));
    const found = windows(list, [512])!;
    // Batch 1 may be packet 0: its channel was free from the beginning.
    expect(found.map(([from]) => from)).toEqual([10, 10, 20, 30]);
    expect(found.map(([, until]) => until).slice(0, 2)).toEqual([30, 40]);
  });

  test("a channel that was slow to number its batch is found by the size", () => {
    // A real one: 63 full packets, then 32 and 64 pages of small blocks, then the full one.
    const list: Packet[] = [
      { at: 10, number: 0, channel: 0, normal: 128 },
      { at: 11, number: 1, channel: 1, normal: 128 },
      { at: 20, number: 2, channel: 0, normal: 32 },
      { at: 30, number: 3, channel: 0, normal: 64 },
      { at: 40, number: 4, channel: 1, normal: 128 },
    ];
    const found = windows(list, [384])!;
    expect(found).toHaveLength(3);
    expect(found[2]![0]).toBe(11);
    expect(found[2]![1]).toBe(Number.POSITIVE_INFINITY);
  });

  test("before QEMU 9.0 the numbers are in the order of the batches", () => {
    const list = [10, 20, 30, 40].map((at, i) => ({
      ...{ at, number: i, channel: i % 2, normal: 128, ordered: true },
    }));
    expect(windows(list, [512])!.map(([from]) => from)).toEqual([10, 20, 30, 40]);
  });

  test("a packet that is missing, or blocks that do not fit, place nothing", () => {
    const list = [0, 2].map((number) => ({ at: number, number, channel: 0, normal: 128 }));
    expect(packetsOf(list)).toBeNull();
    const short = [0, 1].map((number) => ({ at: number, number, channel: 0, normal: 128 }));
    expect(windows(short, [384])).toBeNull();
    expect(windows(short, [200])).toBeNull();
    expect(windows([{ at: 1, number: 0, channel: 0, normal: 0, sync: true }], [128])).toBeNull();
  });

  /** Batches handed to free channels, which number and send them after any delay. */
  const runs = fc
    .tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.tuple(fc.nat(3), fc.nat(20), fc.integer({ min: 1, max: 20 })), {
        minLength: 4,
        maxLength: 30,
      }),
    )
    .map(([channels, delays]) => {
      const free = new Array<number>(channels).fill(0);
      let now = 0;
      const sent = delays.map(([pick, wait, write]) => {
        const able = free.flatMap((until, c) => (until <= now ? [c] : []));
        if (able.length === 0) {
          now = Math.min(...free);
          able.push(free.indexOf(now));
        }
        const channel = able[pick % able.length]!;
        now += 1;
        const numbered = now + wait;
        free[channel] = numbered + write;
        return { channel, handed: now, numbered, read: numbered + write };
      });
      const order = sent
        .map((_, i) => i)
        .sort((a, b) => sent[a]!.numbered - sent[b]!.numbered || a - b);
      return { sent, order };
    });

  test("no page is read before its window, whatever the channels did", () => {
    fc.assert(
      fc.property(runs, fc.boolean(), ({ sent, order }, zeros) => {
        const list = order.map((batch, number) => ({
          ...{ at: sent[batch]!.numbered, number, channel: sent[batch]!.channel },
          ...(zeros ? { normal: 100, zero: 28 } : { normal: 128 }),
        }));
        const times = batchTimes(packetsOf(list)!, [sent.length * 128])!;
        expect(times).not.toBeNull();
        const atMost = batchTimesAtMost(packetsOf(list)!, sent.length * 128)!;
        sent.forEach(({ handed, numbered, read }, batch) => {
          expect(times.from[batch]).toBeLessThanOrEqual(zeros ? handed : numbered);
          // A page is sent by then, where only how late it may be is known.
          expect(atMost.until[batch]).toBeGreaterThanOrEqual(read);
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe("the latest batch of a page, where zeros go by themselves", () => {
  const batches = (pages: number, data: number, written: [number, number][]): number[] => {
    const runs = written.map(([page, count]) => ({ page, pages: count }));
    return [...latestBatches(pages, 2, data, runs)].flatMap((run) =>
      new Array<number>(run.pages).fill(run.batch),
    );
  };

  test("without pages that are known: as if there were no zeros", () => {
    expect(batches(6, 3, [])).toEqual([0, 0, 1, 1, 1, 1]);
  });

  test("pages that devices had written, behind it, come after it", () => {
    // Four of ten pages have data, three of them are known: one more, before any of them.
    expect(batches(10, 4, [[6, 3]])).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 2]);
  });

  test("more of them than were sent: they tell nothing", () => {
    expect(batches(4, 1, [[0, 2]])).toEqual([0, 0, 1, 1]);
  });

  test("no page is in a later one, whichever pages are of zeros", () => {
    let tighter = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 9 }),
        (pages, size) => {
          const data = pages.filter(([has]) => has).length;
          const written = pages.flatMap(([has, known], page) =>
            has && known ? [{ page, pages: 1 }] : [],
          );
          const found = [...latestBatches(pages.length, size, data, written)];
          expect(found.reduce((sum, run) => sum + run.pages, 0)).toBe(pages.length);
          let sent = 0;
          for (const { page, pages: count, batch } of found) {
            for (let i = page; i < page + count; i++) {
              if (pages[i]![0]) expect(Math.floor(sent / size)).toBeLessThanOrEqual(batch);
              expect(batch).toBeLessThanOrEqual(Math.floor(i / size));
              if (pages[i]![0]) sent++;
              if (batch < Math.floor(i / size)) tighter++;
            }
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(tighter).toBeGreaterThan(100);
  });
});
