/**
 * When multifd read the pages of the first pass. No event names a page that a channel sends. But the
 * migration thread hands out the pages of a block in ascending order, in batches of one size, and each
 * packet tells how many pages it has and when they were read; so batch after batch, each page of the
 * first pass has a window of time. migration/ram.c ram_find_and_save_block(), migration/multifd.c
 * multifd_send_pages(), multifd_send_fill_packet().
 *
 * From QEMU 9.0 on a channel takes the number of its packet itself, so a slow one may number its batch
 * later than its neighbours do. What bounds that: a channel has one batch at a time, and gets it when
 * its packet before is sent. A batch is therefore one of a few packets, and its window begins with
 * the earliest of them.
 *
 * Later passes are not seen: a page whose last write came after its window is likely stale, no more.
 */
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

/** Packets of a migration in the order of their numbers; times in ns from its start. */
export interface Packets {
  ts: Float64Array;
  channel: Uint8Array;
  /** Pages with data, and of zeros. */
  normal: Uint32Array;
  zero: Uint32Array;
  sync: Uint8Array;
  /** The numbers are in the order of the batches (QEMU before 9.0). */
  ordered: boolean;
}

/** Times of the first pass by batch, ns from the start of the migration. */
export interface BatchTimes {
  /** Pages of a batch. */
  size: number;
  /** No page of it was read before. */
  from: Float64Array;
  /** Every page of it was read by then, as far as the numbers tell. */
  until: Float64Array;
}

/** Reads `count` packets of the core at `at`. null: some are missing. */
export function readPackets(
  view: DataView,
  at: number,
  count: number,
  startNs: bigint,
): Packets | null {
  const place = (i: number): number => at + i * PACKET_SIZE;
  const number = (i: number): bigint => view.getBigUint64(place(i) + PACKET_NUMBER, true);
  const order = Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) =>
    number(a) < number(b) ? -1 : number(a) > number(b) ? 1 : a - b,
  );
  const packets: Packets = {
    ts: new Float64Array(count),
    channel: new Uint8Array(count),
    normal: new Uint32Array(count),
    zero: new Uint32Array(count),
    sync: new Uint8Array(count),
    ordered: true,
  };
  for (let i = 0; i < count; i++) {
    const p = place(order[i]!);
    if (i > 0 && number(order[i]!) !== number(order[i - 1]!) + 1n) return null;
    const flags = view.getUint32(p + PACKET_FLAGS, true);
    packets.ts[i] = Number(view.getBigUint64(p + PACKET_TS, true) - startNs);
    packets.channel[i] = view.getUint32(p + PACKET_CHANNEL, true);
    packets.normal[i] = view.getUint32(p + PACKET_NORMAL, true);
    packets.zero[i] = view.getUint32(p + PACKET_ZERO, true);
    packets.sync[i] = flags & PACKET_SYNC;
    if ((flags & PACKET_ORDERED) === 0) packets.ordered = false;
  }
  return packets;
}

/** A packet that has pages, among those in order. */
interface DataPackets {
  /** Index among all packets. */
  at: Uint32Array;
  pages: Uint32Array;
  /** The batches that it may be. */
  low: Uint32Array;
  high: Uint32Array;
  /** When its pages were read, at the earliest and at the latest. */
  from: Float64Array;
  until: Float64Array;
}

/** Those that have pages. `low` and `high` by what the channels did before and after. */
function dataPackets(packets: Packets): DataPackets {
  const count = packets.ts.length;
  const at: number[] = [];
  for (let i = 0; i < count; i++) if (packets.normal[i]! + packets.zero[i]! > 0) at.push(i);
  const n = at.length;
  const data: DataPackets = {
    at: Uint32Array.from(at),
    pages: new Uint32Array(n),
    low: new Uint32Array(n),
    high: new Uint32Array(n),
    from: new Float64Array(n),
    until: new Float64Array(n).fill(Number.POSITIVE_INFINITY),
  };
  const channels = new Set(packets.channel).size;
  /** By channel: its packet before, as data packets up to it, its time, its own data index. */
  const upTo = new Int32Array(256);
  const time = new Float64Array(256);
  const own = new Int32Array(256).fill(-1);
  let d = 0;
  for (let i = 0; i < count; i++) {
    const c = packets.channel[i]!;
    if (own[c]! >= 0) data.until[own[c]!] = packets.ts[i]!;
    own[c] = -1;
    if (d < n && at[d] === i) {
      data.pages[d] = packets.normal[i]! + packets.zero[i]!;
      data.low[d] = packets.ordered ? d : upTo[c]!;
      data.high[d] = packets.ordered ? d : d + channels - 1;
      // Pages of zeros are looked at before the packet gets its number.
      data.from[d] = packets.zero[i]! > 0 ? time[c]! : packets.ts[i]!;
      own[c] = d;
      d++;
    }
    upTo[c] = d;
    time[c] = packets.ts[i]!;
  }
  return data;
}

/**
 * Windows of the batches of blocks that go out one after another, each of so many pages that are in
 * packets. null: the packets do not fit the blocks.
 */
export function batchTimes(packets: Packets, blocks: readonly number[]): BatchTimes | null {
  const data = dataPackets(packets);
  const size = data.pages.reduce((most, pages) => Math.max(most, pages), 0);
  if (size === 0) return null;
  const expected = blocks.flatMap((pages) => sizesOf(pages, size));
  const from = new Float64Array(expected.length).fill(Number.POSITIVE_INFINITY);
  const until = new Float64Array(expected.length).fill(-1);
  for (let d = 0; d < data.at.length; d++) {
    const high = Math.min(data.high[d]!, expected.length - 1);
    for (let k = data.low[d]!; k <= high; k++) {
      if (data.pages[d] !== expected[k]) continue;
      from[k] = Math.min(from[k]!, data.from[d]!);
      until[k] = Math.max(until[k]!, data.until[d]!);
    }
  }
  for (let k = 0; k < expected.length; k++) {
    if (until[k]! < 0) return null;
    // The packet of the batch's own number, where it has the right size: mostly it is that one.
    if (data.pages[k] === expected[k]) until[k] = data.until[k]!;
  }
  return { size, from, until };
}

/**
 * The same where pages of zeros go by themselves and are not known: a page lies in no later packet
 * than if there were none. `pages`: of the largest block, which goes first.
 */
export function batchTimesAtMost(packets: Packets, pages: number): BatchTimes | null {
  const data = dataPackets(packets);
  const size = data.pages.reduce((most, count) => Math.max(most, count), 0);
  if (size === 0) return null;
  const batches = Math.ceil(pages / size);
  // Latest of the packets that may be this batch, then of those that may be it or an earlier one.
  const until = new Float64Array(batches);
  for (let d = 0; d < data.at.length; d++) {
    const low = data.low[d]!;
    if (low < batches) until[low] = Math.max(until[low]!, data.until[d]!);
  }
  for (let k = 1; k < batches; k++) until[k] = Math.max(until[k]!, until[k - 1]!);
  return { size, from: new Float64Array(batches), until };
}

/** Pages of a RAM block. */
export interface BlockRun {
  page: number;
  pages: number;
}

/**
 * The latest batch that each page of the first block may be in, where pages of zeros go by themselves and are
 * not known. Before a page go at most all that are before it; and of the `data` pages with data, those that
 * devices had written and that lie behind it (`written`, ascending) come after it.
 */
export function* latestBatches(
  pages: number,
  size: number,
  data: number,
  written: readonly BlockRun[],
): Generator<BlockRun & { batch: number }> {
  const behind = written.reduce((sum, run) => sum + run.pages, 0);
  // More of them than were sent with data: some are of zeros, and tell nothing.
  const told = behind <= data ? written : [];
  let page = 0;
  /** At most so many pages with data come before this one. */
  let before = behind <= data ? data - behind : pages;
  for (const { until, own } of stretches(pages, told)) {
    while (page < until) {
      const index = Math.min(page, before);
      // As far as no other batch begins: the number stands still, or goes up with each page.
      const stands = !own && before <= page;
      const left = stands ? until - page : size - (index % size);
      const count = Math.min(until - page, left, !own && page < before ? before - page : left);
      yield { page, pages: count, batch: Math.floor(index / size) };
      page += count;
      if (own) before += count;
    }
  }
}

/** A block in stretches: pages of `runs` (`own`), and others. */
function* stretches(
  pages: number,
  runs: readonly BlockRun[],
): Generator<{ until: number; own: boolean }> {
  for (const run of runs) {
    yield { until: run.page, own: false };
    yield { until: run.page + run.pages, own: true };
  }
  yield { until: pages, own: false };
}

/** Pages with data in packets that were sent by then, ns from the start of the migration. */
export function dataPagesUntil(packets: Packets, time: number): number {
  return packets.normal.reduce((sum, pages, i) => sum + (packets.ts[i]! <= time ? pages : 0), 0);
}

/** Full batches, and what is left of a block at its end. */
function sizesOf(pages: number, size: number): number[] {
  const full = new Array<number>(Math.floor(pages / size)).fill(size);
  return pages % size === 0 ? full : [...full, pages % size];
}
