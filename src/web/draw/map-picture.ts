/** The map with what lies over its pixels: breaks between blocks, single events, axes, the cursor. */
import type { MachineHistory } from "../../history/index.ts";
import { BLOCK_PAGES, type PageStates, pageOfLane } from "../../history/page-states.ts";
import { laneFinder, lowerBound, paintActivity, paintStates } from "./memory-map.ts";
import type { Palette } from "./palette.ts";
import { type Context, drawGaps, type StripData } from "./strips.ts";
import { timeTicks, type View, xOf } from "./view.ts";

/** From so many CSS pixels a lane on, single events are drawn. */
const EVENTS_FROM = 7;
/** Room for a label of the address axis, CSS pixels. */
const ADDRESS_LABEL = 46;
export const AXIS_HEIGHT = 22;

export interface MapRequest {
  view: View;
  /** CSS pixels, of the map without its axis; pixels of the screen for each. */
  width: number;
  height: number;
  ratio: number;
  mode: "states" | "activity";
  /** Lanes that are marked at their left, and a time. */
  selected: number | null;
  cursor: number | null;
}

/** Draws the map and its axis of time. */
export function drawMap(
  context: Context,
  states: PageStates,
  data: StripData,
  originNs: bigint,
  request: MapRequest,
  palette: Palette,
): void {
  const { view, width, height, ratio } = request;
  const image = new ImageData(Math.round(width * ratio), Math.round(height * ratio));
  const { machine } = data;
  if (request.mode === "states") paintStates(states, view, image, palette);
  else paintActivity(states.blocks, machine.table("writes"), view, image, palette);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, image.width, Math.round((height + AXIS_HEIGHT) * ratio));
  context.putImageData(image, 0, 0);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const lane = height / (view.last - view.first);
  drawOutside(context, data, request, palette);
  drawBreaks(context, states.blocks, request, palette);
  if (lane >= EVENTS_FROM) drawEvents(context, machine, states.blocks, request, palette);
  drawGaps(context, data, view, width, height, palette);
  drawSelected(context, request, lane, palette);
  drawTimeAxis(context, originNs, request, palette);
}

/** Before and after the recording nothing is known. */
function drawOutside(
  context: Context,
  { begin, end }: StripData,
  { view, width, height }: MapRequest,
  palette: Palette,
) {
  context.fillStyle = palette.strip;
  const left = xOf(view, width, begin);
  const right = xOf(view, width, end);
  if (left > 0) context.fillRect(0, 0, Math.min(left, width), height);
  if (right < width) context.fillRect(Math.max(0, right), 0, width - Math.max(0, right), height);
}

/** A line where addresses jump, when blocks are far enough apart to be told. */
function drawBreaks(
  context: Context,
  blocks: Uint32Array,
  { view, width, height }: MapRequest,
  palette: Palette,
) {
  const lane = height / (view.last - view.first);
  const first = Math.max(1, Math.floor(view.first / BLOCK_PAGES));
  const last = Math.min(blocks.length - 1, Math.ceil(view.last / BLOCK_PAGES));
  if ((last - first) * 6 > height) return;
  context.strokeStyle = palette.faint;
  context.setLineDash([2, 3]);
  context.lineWidth = 1;
  for (let i = first; i <= last; i++) {
    if (blocks[i] === blocks[i - 1]! + 1) continue;
    const y = Math.round((i * BLOCK_PAGES - view.first) * lane) + 0.5;
    if (y <= 1 || y >= height - 1) continue;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.stroke();
  }
  context.setLineDash([]);
}

/** Dark tick: write. Triangle: send. Square: what a vCPU dirtied. */
function drawEvents(
  context: Context,
  machine: MachineHistory,
  blocks: Uint32Array,
  request: MapRequest,
  palette: Palette,
) {
  const { view, width, height } = request;
  const tall = height / (view.last - view.first);
  const laneOf = laneFinder(blocks);
  const each = (
    table: { length: number; ns: Float64Array; page: Uint32Array; pages: Uint32Array },
    draw: (x: number, y: number, i: number) => void,
  ) => {
    for (
      let i = lowerBound(table.ns, view.from);
      i < table.length && table.ns[i]! <= view.to;
      i++
    ) {
      for (let page = table.page[i]!, end = page + table.pages[i]!; page < end; page++) {
        const lane = laneOf(page);
        if (lane < 0 || lane + 1 <= view.first || lane >= view.last) continue;
        draw(xOf(view, width, table.ns[i]!), (lane - view.first) * tall, i);
      }
    }
  };
  // Lanes are told apart by a line of the ground between them.
  context.fillStyle = palette.strip;
  for (let lane = Math.ceil(view.first); lane < view.last; lane++) {
    context.fillRect(0, Math.round((lane - view.first) * tall), width, 1);
  }
  const sends = machine.table("sends");
  const half = Math.min(tall, 30) / 2;
  each(sends, (x, y, i) => {
    const middle = y + tall / 2;
    context.fillStyle = sends.kind[i] === 3 ? palette.harvestTick : palette.sendTick;
    context.beginPath();
    if (sends.kind[i] === 3) context.rect(x - 2, middle - 2, 4, 4);
    else {
      context.moveTo(x, middle - half + 1);
      context.lineTo(x + 5, middle);
      context.lineTo(x, middle + half - 1);
    }
    context.fill();
  });
  context.fillStyle = palette.tick;
  each(machine.table("writes"), (x, y) => context.fillRect(Math.round(x), y + 1, 1.5, tall - 1));
}

function drawSelected(
  context: Context,
  { view, width, height, selected, cursor }: MapRequest,
  lane: number,
  palette: Palette,
) {
  context.strokeStyle = palette.cursor;
  context.lineWidth = 1;
  if (selected !== null && selected + 1 > view.first && selected < view.last) {
    const y = (selected - view.first) * lane;
    context.strokeRect(0.5, Math.round(y) - 0.5, width - 1, Math.max(3, Math.round(lane) + 1));
  }
  if (cursor !== null && cursor >= view.from && cursor <= view.to) {
    const x = Math.round(xOf(view, width, cursor)) + 0.5;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.stroke();
    context.setLineDash([]);
  }
}

function drawTimeAxis(
  context: Context,
  originNs: bigint,
  { view, width, height }: MapRequest,
  palette: Palette,
) {
  context.font = "11px ui-monospace, monospace";
  context.textBaseline = "top";
  context.fillStyle = palette.faint;
  for (const { ns, label } of timeTicks(view, width, originNs)) {
    const x = Math.round(xOf(view, width, ns));
    context.fillRect(x, height, 1, 5);
    const wide = context.measureText(label).width;
    if (x + 3 + wide <= width) context.fillText(label, x + 3, height + 6);
  }
}

/** Addresses for the left edge of the map: at tops of lanes, about evenly spaced. */
export function addressTicks(
  blocks: Uint32Array,
  view: View,
  height: number,
): { y: number; address: string }[] {
  const lane = height / (view.last - view.first);
  const step = Math.max(1, Math.ceil(ADDRESS_LABEL / lane));
  const ticks: { y: number; address: string }[] = [];
  const all = blocks.length * BLOCK_PAGES;
  for (let i = Math.max(0, Math.ceil(view.first)); i < Math.min(view.last, all); i += step) {
    ticks.push({
      y: (i - view.first) * lane,
      address: `0x${(pageOfLane({ blocks }, i) * 4096).toString(16)}`,
    });
  }
  return ticks;
}
