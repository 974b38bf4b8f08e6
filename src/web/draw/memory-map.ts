/**
 * Guest memory over time, as pixels: rows are pages (lanes), columns are time. The state that is worst
 * decides the hue of a pixel, the share of its pages that are in it the strength.
 */
import { BLOCK_PAGES, LANE_STATES, Lane, type PageStates } from "../../history/lanes.ts";
import { type Palette, type Rgb, SEVERITY } from "./palette.ts";
import type { View } from "./view.ts";

/** A pixel in which only one of many pages is something still shows it so strongly. */
const LEAST = 0.45;

/** Pixels of a picture, 4 bytes each. */
export interface Pixels {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Lanes of pixel row `y`: [first, end). At least one. */
export function lanesOfRow(view: View, height: number, y: number): [number, number] {
  const lanes = (view.last - view.first) / height;
  const first = Math.floor(view.first + y * lanes);
  return [first, Math.max(first + 1, Math.floor(view.first + (y + 1) * lanes))];
}

/** States of pages. One pass over the visible segments, then one over the pixels. */
export function paintStates(states: PageStates, view: View, into: Pixels, palette: Palette): void {
  const { width, height } = into;
  const scale = width / (view.to - view.from);
  const all = states.blocks.length * BLOCK_PAGES;
  // A pixel more on each side: what begins at the view's very end, and what ends behind it.
  const steps = new Int32Array((width + 2) * LANE_STATES);
  const { first: firsts, ns, state: kinds } = states;
  let before = -1;
  let beforeEnd = -1;
  for (let y = 0; y < height; y++) {
    const [first, end] = lanesOfRow(view, height, y);
    if (first === before && end === beforeEnd) {
      copyRow(into, y - 1, y);
      continue;
    }
    before = first;
    beforeEnd = end;
    steps.fill(0);
    const last = Math.min(end, all);
    for (let lane = Math.max(0, first); lane < last; lane++) {
      const stop = firsts[lane + 1]!;
      for (let i = firsts[lane]!; i < stop; i++) {
        const state = kinds[i]!;
        const begin = ns[i]!;
        if (state === Lane.None || begin > view.to) continue;
        const from = begin > view.from ? ((begin - view.from) * scale) | 0 : 0;
        steps[from * LANE_STATES + state]!++;
        // What lasts to the end leaves no mark there.
        if (i + 1 === stop) continue;
        const until = ns[i + 1]!;
        if (until < view.from) {
          steps[from * LANE_STATES + state]!--;
          continue;
        }
        const to = until < view.to ? ((until - view.from) * scale) | 0 : width;
        steps[(to > from ? to : from + 1) * LANE_STATES + state]!--;
      }
    }
    paintRow(into, y, steps, end - first, palette);
  }
  thicken(into, palette.lanes[Lane.None]);
}

function paintRow(
  { data, width }: Pixels,
  y: number,
  steps: Int32Array,
  lanes: number,
  palette: Palette,
) {
  const counts = new Int32Array(LANE_STATES);
  const ground = palette.lanes[Lane.None];
  const most = Math.log1p(lanes);
  const row = y * width * 4;
  put(data, row, ground, ground, 0);
  for (let x = 0; x < width; x++) {
    let changed = false;
    for (let state = 1; state < LANE_STATES; state++) {
      const step = steps[x * LANE_STATES + state]!;
      if (step === 0) continue;
      counts[state]! += step;
      changed = true;
    }
    const at = row + x * 4;
    if (changed) {
      const worst = worstOf(counts);
      const share = Math.min(1, Math.log1p(counts[worst]!) / most);
      const strength = worst === Lane.None ? 0 : LEAST + (1 - LEAST) * share;
      put(data, at, ground, palette.lanes[worst], strength);
    } else if (x > 0) data.copyWithin(at, at - 4, at);
  }
}

function worstOf(counts: Int32Array): Lane {
  for (const state of SEVERITY) if (counts[state]! > 0) return state;
  return Lane.None;
}

/** How often a device wrote, per pixel. */
export function paintActivity(
  blocks: Uint32Array,
  writes: { length: number; ns: Float64Array; page: Uint32Array; pages: Uint32Array },
  view: View,
  into: Pixels,
  palette: Palette,
): void {
  const { data, width, height } = into;
  const counts = new Float32Array(width * height);
  const scale = width / (view.to - view.from);
  const rows = height / (view.last - view.first);
  const laneOf = laneFinder(blocks);
  let most = 0;
  for (let i = lowerBound(writes.ns, view.from); i < writes.length; i++) {
    if (writes.ns[i]! >= view.to) break;
    const x = Math.floor((writes.ns[i]! - view.from) * scale);
    for (let page = writes.page[i]!, end = page + writes.pages[i]!; page < end; page++) {
      const lane = laneOf(page);
      if (lane < view.first || lane >= view.last) continue;
      const top = Math.floor((lane - view.first) * rows);
      const bottom = Math.max(top + 1, Math.floor((lane + 1 - view.first) * rows));
      for (let y = Math.max(0, top); y < Math.min(height, bottom); y++) {
        const count = ++counts[y * width + x]!;
        if (count > most) most = count;
      }
    }
  }
  const ground = palette.lanes[Lane.None];
  const strongest = Math.log1p(most);
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    const strength = count === 0 ? 0 : LEAST + (1 - LEAST) * (Math.log1p(count) / strongest);
    put(data, i * 4, ground, palette.activity, strength);
  }
  thicken(into, ground);
}

/** Finds the lane of a page, -1 when its block has none; pages that follow each other mostly share one. */
export function laneFinder(blocks: Uint32Array): (page: number) => number {
  const table = new Map<number, number>();
  blocks.forEach((block, i) => {
    table.set(block, i * BLOCK_PAGES);
  });
  let before = -1;
  let base = -1;
  return (page) => {
    // Page numbers have 32 bits.
    const block = page >>> 9;
    if (block !== before) {
      before = block;
      base = table.get(block) ?? -1;
    }
    return base < 0 ? -1 : base + (page & 511);
  };
}

/** The first position whose number is at least `value`, in ascending numbers. */
export function lowerBound(numbers: Float64Array, value: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A row that stands alone gets a second one: one pale line of pixels is not seen. */
function thicken({ data, width, height }: Pixels, ground: Rgb): void {
  const words = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const none = (255 << 24) | (ground[2] << 16) | (ground[1] << 8) | ground[0];
  const empty = none >>> 0;
  for (let y = height - 2; y >= 0; y--) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      if (words[at] === empty || words[at + width] !== empty) continue;
      if (y > 0 && words[at - width] !== empty) continue;
      words[at + width] = words[at]!;
    }
  }
}

function copyRow({ data, width }: Pixels, from: number, to: number): void {
  data.copyWithin(to * width * 4, from * width * 4, (from + 1) * width * 4);
}

function put(
  data: Uint8ClampedArray,
  at: number,
  ground: Rgb,
  colour: Rgb,
  strength: number,
): void {
  data[at] = ground[0] + (colour[0] - ground[0]) * strength;
  data[at + 1] = ground[1] + (colour[1] - ground[1]) * strength;
  data[at + 2] = ground[2] + (colour[2] - ground[2]) * strength;
  data[at + 3] = 255;
}
