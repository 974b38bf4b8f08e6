/** The strips above the map, on one axis of time with it. */
import type { MachineHistory } from "../../history/index.ts";
import { Lane } from "../../history/lanes.ts";
import { FATES, OUTSIDE } from "./fates.ts";
import { lowerBound } from "./memory-map.ts";
import { css, type Palette, type Phase } from "./palette.ts";
import type { Depth } from "./series.ts";
import { type View, xOf } from "./view.ts";

/** A canvas to draw on, in a page or in a worker. */
export type Context = OffscreenCanvasRenderingContext2D;

/** Everything that strips are drawn from; times are from the origin. */
export interface StripData {
  machine: MachineHistory;
  fates: Uint8Array;
  depth: Depth;
  logOn: { from: number; to: number }[];
  phases: { phase: Phase; from: number; to: number; label: string }[];
  syncs: { ns: number; number: number }[];
  gaps: { from: number; to: number }[];
  /** The recording's own span. */
  begin: number;
  end: number;
}

export interface Strip {
  label: string;
  top: number;
  height: number;
}

const STRIP_NAMES = ["dirty log", "writes", "page sends", "in flight", "syncs", "phase"] as const;
const HEIGHTS: Record<(typeof STRIP_NAMES)[number], number> = {
  "dirty log": 18,
  writes: 46,
  "page sends": 42,
  "in flight": 32,
  syncs: 16,
  phase: 18,
};
const GAP = 5;

/** The strips of a recording: those that it has something for. */
export function layOutStrips(data: StripData): { strips: Strip[]; height: number } {
  let top = 0;
  const strips = STRIP_NAMES.filter((label) => has(data, label)).map((label) => {
    const strip = { label, top, height: HEIGHTS[label] };
    top += strip.height + GAP;
    return strip;
  });
  return { strips, height: Math.max(top - GAP, 0) };
}

function has({ machine, syncs, phases }: StripData, label: (typeof STRIP_NAMES)[number]): boolean {
  switch (label) {
    case "writes":
      return machine.table("writes").length > 0;
    case "page sends":
      return machine.table("sends").length > 0;
    case "in flight":
      return machine.table("requests").length > 0;
    case "syncs":
      return syncs.length > 0;
    case "phase":
      return phases.length > 0;
    default:
      return true;
  }
}

/** Draws all strips, `width` CSS pixels wide; `labels` where there is room for words. */
export function drawStrips(
  context: Context,
  data: StripData,
  view: View,
  width: number,
  palette: Palette,
): void {
  const { strips, height } = layOutStrips(data);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const strip of strips) {
    context.fillStyle = palette.strip;
    context.fillRect(0, strip.top, width, strip.height);
    context.save();
    context.beginPath();
    context.rect(0, strip.top, width, strip.height);
    context.clip();
    DRAW[strip.label]?.(context, data, view, width, strip, palette);
    context.restore();
  }
  drawGaps(context, data, view, width, height, palette);
}

type Draw = (
  context: Context,
  data: StripData,
  view: View,
  width: number,
  strip: Strip,
  palette: Palette,
) => void;

const DRAW: Readonly<Record<string, Draw>> = {
  "dirty log": (context, { logOn }, view, width, strip, palette) => {
    for (const { from, to } of logOn) {
      band(context, view, width, strip, from, to, palette.logOn, "on", palette.logInk);
    }
  },
  writes: (context, data, view, width, strip, palette) => {
    const writes = data.machine.table("writes");
    const bins = binned(
      writes.ns,
      view,
      width,
      FATES,
      (i) => data.fates[i]!,
      (i) => writes.pages[i]!,
    );
    const order = [
      [Lane.Stale, css(palette.lanes[Lane.Stale])],
      [Lane.Likely, css(palette.lanes[Lane.Likely])],
      [Lane.Possible, css(palette.lanes[Lane.Possible])],
      [Lane.Healed, css(palette.lanes[Lane.Healed])],
      [Lane.Logged, css(palette.lanes[Lane.Logged])],
      [OUTSIDE, css(palette.outside)],
    ] as const;
    bars(context, bins, FATES, order, strip, Math.sqrt);
  },
  "page sends": (context, data, view, width, strip, palette) => {
    const sends = data.machine.table("sends");
    const bins = binned(
      sends.ns,
      view,
      width,
      4,
      (i) => sends.kind[i]!,
      (i) => sends.pages[i]!,
    );
    // Arrivals stand for sends where only the destination was recorded; what vCPUs dirtied is no send.
    const order = [
      [0, palette.dataSend],
      [2, palette.dataSend],
      [1, palette.zeroSend],
    ] as const;
    // Thousands of pages of zeros are sent at one moment.
    bars(context, bins, 4, order, strip, Math.log1p);
  },
  "in flight": (context, { depth }, view, width, strip, palette) => {
    const most = deepest(depth, view, width);
    const peak = most.reduce((a, b) => Math.max(a, b), 0);
    context.fillStyle = palette.depth;
    for (let x = 0; x < width; x++) {
      const tall = peak === 0 ? 0 : (most[x]! / peak) * (strip.height - 2);
      if (tall > 0)
        context.fillRect(x, strip.top + strip.height - Math.max(tall, 2), 1, Math.max(tall, 2));
    }
    if (width > 200) write(context, `peak ${peak}`, 4, strip.top + 8, palette.ink, palette.strip);
  },
  syncs: (context, { syncs }, view, width, strip, palette) => {
    let free = -1;
    context.fillStyle = palette.ink;
    const visible = syncs.filter(({ ns }) => ns >= view.from && ns <= view.to);
    for (const { ns } of visible)
      context.fillRect(Math.round(xOf(view, width, ns)), strip.top, 1, strip.height);
    visible.forEach(({ ns, number }, i) => {
      const x = xOf(view, width, ns);
      const next = visible[i + 1] === undefined ? width : xOf(view, width, visible[i + 1]!.ns);
      if (x < free || next - x < 34) return;
      write(context, `${number}`, x + 4, strip.top + strip.height / 2, palette.ink);
      free = x + 34;
    });
  },
  phase: (context, { phases }, view, width, strip, palette) => {
    for (const { phase, from, to, label } of phases) {
      band(context, view, width, strip, from, to, palette.phases[phase], label, palette.phaseInk);
    }
  },
};

function band(
  context: Context,
  view: View,
  width: number,
  strip: Strip,
  from: number,
  to: number,
  colour: string,
  label: string,
  ink: string,
): void {
  const left = Math.max(0, xOf(view, width, from));
  const right = Math.min(width, xOf(view, width, to));
  if (right <= left) return;
  context.fillStyle = colour;
  context.fillRect(left, strip.top, Math.max(right - left, 1), strip.height);
  // A word that does not fit is left out, not cut.
  if (context.measureText(label).width + 8 > right - left) return;
  write(context, label, left + 4, strip.top + strip.height / 2 + 1, ink);
}

function write(context: Context, text: string, x: number, y: number, ink: string, ground?: string) {
  if (ground !== undefined) {
    context.fillStyle = ground;
    context.fillRect(x - 2, y - 7, context.measureText(text).width + 4, 14);
  }
  context.fillStyle = ink;
  context.fillText(text, x, y);
}

/** Counts a pixel and class, of rows in the order of time. */
function binned(
  ns: Float64Array,
  view: View,
  width: number,
  classes: number,
  classOf: (i: number) => number,
  weightOf: (i: number) => number = () => 1,
): Float64Array {
  const bins = new Float64Array(width * classes);
  const scale = width / (view.to - view.from);
  for (let i = lowerBound(ns, view.from); i < ns.length && ns[i]! < view.to; i++) {
    const x = Math.floor((ns[i]! - view.from) * scale);
    bins[x * classes + classOf(i)]! += weightOf(i);
  }
  return bins;
}

/**
 * Stacked bars, the first class at the bottom, as high as the highest pixel. `rise` makes heights of
 * numbers, so that a few beside a burst are still seen.
 */
function bars(
  context: Context,
  bins: Float64Array,
  classes: number,
  order: readonly (readonly [number, string])[],
  { top, height }: Strip,
  rise: (n: number) => number,
): void {
  const width = bins.length / classes;
  const total = (x: number) => order.reduce((sum, [which]) => sum + bins[x * classes + which]!, 0);
  let most = 0;
  for (let x = 0; x < width; x++) most = Math.max(most, total(x));
  if (most === 0) return;
  for (let x = 0; x < width; x++) {
    const all = total(x);
    if (all === 0) continue;
    let bottom = top + height;
    const scale = Math.max((rise(all) / rise(most)) * (height - 2), 2) / all;
    for (const [which, colour] of order) {
      const tall = bins[x * classes + which]! * scale;
      if (tall === 0) continue;
      context.fillStyle = colour;
      context.fillRect(x, bottom - tall, 1, tall);
      bottom -= tall;
    }
  }
}

/** The greatest depth inside each pixel. */
export function deepest(
  { ns, depth }: Depth,
  view: Pick<View, "from" | "to">,
  width: number,
): Float64Array {
  const most = new Float64Array(width);
  const scale = width / (view.to - view.from);
  let i = lowerBound(ns, view.from);
  let now = i > 0 ? depth[i - 1]! : 0;
  for (let x = 0; x < width; x++) {
    const until = view.from + (x + 1) / scale;
    let deep = now;
    for (; i < ns.length && ns[i]! < until; i++) {
      now = depth[i]!;
      if (now > deep) deep = now;
    }
    most[x] = deep;
  }
  return most;
}

/** Stretches of lost events, hatched across everything. */
export function drawGaps(
  context: Context,
  { gaps }: Pick<StripData, "gaps">,
  view: View,
  width: number,
  height: number,
  palette: Palette,
): void {
  context.strokeStyle = palette.faint;
  context.lineWidth = 1;
  for (const { from, to } of gaps) {
    const left = Math.max(0, xOf(view, width, from));
    const right = Math.min(width, Math.max(xOf(view, width, to), left + 4));
    if (right <= 0 || left >= width) continue;
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, height);
    context.clip();
    for (let x = left - height; x < right; x += 6) {
      context.beginPath();
      context.moveTo(x, height);
      context.lineTo(x + height, 0);
      context.stroke();
    }
    context.restore();
  }
}
