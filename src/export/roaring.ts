/**
 * A set of pages in the portable serialisation of Roaring bitmaps (RoaringFormatSpec, 32-bit, with run
 * containers). Runs are what a set of pages is made of here, so every container is made directly from
 * them, as a list of runs where that is shortest, else as a list of values or as bits.
 */
import type { PageRuns } from "../model/page-runs.ts";

/** Cookie of the format with run containers; the number of containers less one stands above it. */
const COOKIE = 12347;
/** Containers of at least so many bitmaps get a list of offsets. */
const OFFSETS_FROM = 4;
const CONTAINER = 1 << 16;
/** A list of values has at most so many: more are bits. */
const MOST_VALUES = 4096;
const BITS_BYTES = CONTAINER / 8;
/** Page numbers that 32 bits hold: 16 TiB of guest memory. */
export const MOST_PAGES = 2 ** 32;

/** The pages of 65,536 neighbours, as runs of {first, pages}, counted from the first of them. */
interface Container {
  key: number;
  pages: number;
  runs: [first: number, pages: number][];
}

/** The bitmap's bytes. Pages from 2^32 on have no place in it: throws RangeError. */
export function roaringOf(set: PageRuns): Uint8Array<ArrayBuffer> {
  const containers = containersOf(set);
  const bodies = containers.map(bodyOf);
  const count = containers.length;
  // The cookie with runs has its count in 16 bits, so an empty set takes the other one.
  if (count === 0) return Uint8Array.of(0x3a, 0x30, 0, 0, 0, 0, 0, 0);
  const flags = Math.ceil(count / 8);
  const withOffsets = count >= OFFSETS_FROM;
  const header = 4 + flags + 4 * count + (withOffsets ? 4 * count : 0);
  const bytes = new Uint8Array(header + bodies.reduce((sum, { body }) => sum + body.length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, COOKIE | ((count - 1) << 16), true);
  let offset = header;
  containers.forEach(({ key, pages }, i) => {
    const { body, isRuns } = bodies[i]!;
    if (isRuns) bytes[4 + (i >> 3)]! |= 1 << (i & 7);
    view.setUint16(4 + flags + 4 * i, key, true);
    view.setUint16(4 + flags + 4 * i + 2, pages - 1, true);
    if (withOffsets) view.setUint32(4 + flags + 4 * count + 4 * i, offset, true);
    bytes.set(body, offset);
    offset += body.length;
  });
  return bytes;
}

function containersOf(set: PageRuns): Container[] {
  const containers: Container[] = [];
  for (const run of set) {
    const end = run.gfn + run.pages;
    if (end > MOST_PAGES) throw new RangeError(`page ${end - 1} does not fit a bitmap of 32 bits`);
    for (let at = run.gfn; at < end; ) {
      const key = Math.floor(at / CONTAINER);
      const stop = Math.min(end, (key + 1) * CONTAINER);
      let container = containers.at(-1);
      if (container?.key !== key) {
        container = { key, pages: 0, runs: [] };
        containers.push(container);
      }
      container.pages += stop - at;
      container.runs.push([at - key * CONTAINER, stop - at]);
      at = stop;
    }
  }
  return containers;
}

function bodyOf({ pages, runs }: Container): { body: Uint8Array; isRuns: boolean } {
  const asRuns = 2 + 4 * runs.length;
  const otherwise = pages <= MOST_VALUES ? 2 * pages : BITS_BYTES;
  if (asRuns < otherwise) return { body: runBody(runs), isRuns: true };
  return { body: pages <= MOST_VALUES ? valueBody(pages, runs) : bitBody(runs), isRuns: false };
}

function runBody(runs: Container["runs"]): Uint8Array {
  const body = new Uint8Array(2 + 4 * runs.length);
  const view = new DataView(body.buffer);
  view.setUint16(0, runs.length, true);
  runs.forEach(([first, pages], i) => {
    view.setUint16(2 + 4 * i, first, true);
    view.setUint16(4 + 4 * i, pages - 1, true);
  });
  return body;
}

function valueBody(pages: number, runs: Container["runs"]): Uint8Array {
  const body = new Uint8Array(2 * pages);
  const view = new DataView(body.buffer);
  let at = 0;
  for (const [first, count] of runs) {
    for (let i = 0; i < count; i++, at += 2) view.setUint16(at, first + i, true);
  }
  return body;
}

function bitBody(runs: Container["runs"]): Uint8Array {
  const body = new Uint8Array(BITS_BYTES);
  for (const [first, count] of runs) {
    for (let page = first; page < first + count; page++) body[page >> 3]! |= 1 << (page & 7);
  }
  return body;
}
