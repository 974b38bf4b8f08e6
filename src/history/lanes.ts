/**
 * Lanes: guest pages as rows of a map, 512 for each 2 MiB block that a device wrote, in the order of
 * addresses. A lane's segments lie together, in the order of time; before the first one it is `None`.
 */
import type { MachineHistory } from "./read-history.ts";

export enum Lane {
  None = 0,
  /** Left out of the log after the page was sent: the destination has old bytes. */
  Stale,
  /** Left out of the log, the page not sent yet. */
  Unsent,
  /** Left out of the log; whether the page was sent after that is not known. */
  Possible,
  /** Left out of the log, and covered since. */
  Healed,
  /** Written and logged, not sent since. */
  Logged,
  /** Logged and not written: sent for nothing. Only where it is asked for. */
  OverLogged,
  /** As Stale, but perhaps covered by the last send. */
  Likely,
}

/** How many states there are. */
export const LANE_STATES = Lane.Likely + 1;

/** Pages of a block: 2 MiB. */
export const BLOCK_PAGES = 512;

export interface PageStates {
  /** Numbers of the blocks that have lanes, ascending: page / 512. */
  readonly blocks: Uint32Array;
  /** Lane n's segments are from `first[n]` to `first[n + 1]`. */
  readonly first: Uint32Array;
  readonly ns: Float64Array;
  readonly state: Uint8Array;
}

/** The page of a lane. */
export function pageOfLane(states: Pick<PageStates, "blocks">, lane: number): number {
  return states.blocks[lane >>> 9]! * BLOCK_PAGES + (lane & 511);
}

/** The lane of a page; -1 when its block has none. */
export function laneOfPage(blocks: Uint32Array, page: number): number {
  const block = Math.floor(page / BLOCK_PAGES);
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (blocks[middle]! < block) low = middle + 1;
    else high = middle;
  }
  return blocks[low] === block ? low * BLOCK_PAGES + (page % BLOCK_PAGES) : -1;
}

/** Blocks that a device wrote, and those that a policy logged or left out. */
export function writtenBlocks(machine: MachineHistory): Uint32Array {
  const seen = new Set<number>();
  const add = (page: number, pages: number): void => {
    const last = Math.floor((page + pages - 1) / BLOCK_PAGES);
    for (let block = Math.floor(page / BLOCK_PAGES); block <= last; block++) seen.add(block);
  };
  for (const { length, page, pages } of [
    machine.table("writes"),
    machine.table("states"),
    machine.table("rounds"),
  ]) {
    let before = -1;
    for (let i = 0; i < length; i++) {
      if (pages[i] === 0) continue;
      const block = Math.floor(page[i]! / BLOCK_PAGES);
      if (block === before && page[i]! % BLOCK_PAGES < BLOCK_PAGES - pages[i]!) continue;
      before = block;
      add(page[i]!, pages[i]!);
    }
  }
  return Uint32Array.from(seen).sort();
}

/** Changes of lanes in the order of time, as they are found. */
export class LaneChanges {
  lane = new Uint32Array(1 << 12);
  ns = new Float64Array(1 << 12);
  state = new Uint8Array(1 << 12);
  count = 0;
  /** What each lane is now. */
  readonly now: Uint8Array;

  constructor(lanes: number) {
    this.now = new Uint8Array(lanes);
  }

  set(lane: number, ns: number, state: Lane): void {
    if (this.now[lane] === state) return;
    this.now[lane] = state;
    if (this.count === this.lane.length) this.#grow();
    this.lane[this.count] = lane;
    this.ns[this.count] = ns;
    this.state[this.count++] = state;
  }

  #grow(): void {
    const size = this.lane.length * 2;
    const [lane, ns, state] = [this.lane, this.ns, this.state];
    this.lane = new Uint32Array(size);
    this.ns = new Float64Array(size);
    this.state = new Uint8Array(size);
    this.lane.set(lane);
    this.ns.set(ns);
    this.state.set(state);
  }

  /** By lane, each in the order of time. */
  byLane(blocks: Uint32Array): PageStates {
    const first = new Uint32Array(this.now.length + 1);
    for (let i = 0; i < this.count; i++) first[this.lane[i]! + 1]!++;
    for (let lane = 0; lane < this.now.length; lane++) first[lane + 1]! += first[lane]!;
    const next = first.slice();
    const ns = new Float64Array(this.count);
    const state = new Uint8Array(this.count);
    for (let i = 0; i < this.count; i++) {
      const at = next[this.lane[i]!]!++;
      ns[at] = this.ns[i]!;
      state[at] = this.state[i]!;
    }
    return { blocks, first, ns, state };
  }
}

/** Lanes of pages in a row, or -1 where a block has none. */
export function eachLane(
  blocks: Uint32Array,
  page: number,
  pages: number,
  use: (lane: number) => void,
): void {
  let lane = laneOfPage(blocks, page);
  for (let i = 0; i < pages; i++) {
    if ((page + i) % BLOCK_PAGES === 0) lane = laneOfPage(blocks, page + i);
    if (lane >= 0) use(lane++);
  }
}
