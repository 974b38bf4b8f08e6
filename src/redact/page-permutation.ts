/**
 * The permutation of guest pages. Each piece of memory is cut into runs, and the runs are laid out
 * anew in an order that the key gives. So a page moves to another page of the same piece.
 *
 * Cuts are made where no buffer and no ring lies over them, and beside these about every STRIDE
 * pages: there a descriptor of vhost is cut too, and told as two. Rings, and buffers of QEMU's own
 * devices, are never cut. A permutation of single pages would tear every descriptor apart.
 *
 * What is kept is a list of runs, at most MAX_RUNS of them, never a list of pages.
 */
import { type Prf, shuffled } from "./prf.ts";
import { leaderOf, type Piece } from "./regions.ts";
import { PAGES, type TouchedPages } from "./touched-pages.ts";

/** Runs of all pieces together. More give the replay's core more 2 MiB blocks to keep. */
const MAX_RUNS = 65536;
/** Orders that are tried for one in which every run moves; of many runs one is a matter of course. */
const ATTEMPTS = 8;
const MANY_RUNS = 4096;
/** Memory that no device touches is cut about every so many pages. */
const STRIDE = 64;

export interface PermutationOptions {
  /** Touched pages that are neighbours stay neighbours. */
  keepRuns: boolean;
}

/** Runs of one piece: `starts` ascending from 0, `moves` what is added to a page of each. */
interface Layout {
  starts: Float64Array;
  moves: Float64Array;
}

/** How many pages go elsewhere and how many touched pages stay where they are. */
export interface PermutationSummary {
  pieces: number;
  runs: number;
  moved: number;
  /** Touched pages that keep their number: they lie over a border, or nothing else fits. */
  touchedKept: number;
}

/** A bijection of page numbers that maps every piece onto itself. */
export class PagePermutation {
  readonly #pieces: readonly Piece[];
  readonly #firsts: Float64Array;
  readonly #layouts: Layout[];
  readonly summary: PermutationSummary;

  constructor(
    pieces: readonly Piece[],
    touched: TouchedPages,
    prf: Prf,
    options: PermutationOptions,
  ) {
    this.#pieces = pieces;
    this.#firsts = Float64Array.from(pieces, (piece) => piece.first);
    const classes = new Map<Piece, Piece[]>();
    for (const piece of pieces) {
      const leader = leaderOf(piece);
      classes.set(leader, [...(classes.get(leader) ?? []), piece]);
    }
    const shares = sharesOf([...classes.keys()], touched);
    const layouts = new Map<Piece, Layout>();
    let index = 0;
    for (const [leader, members] of classes) {
      const runs = shares[index]!;
      const label = `pages ${index}`;
      layouts.set(leader, layoutOf(members, touched, prf, label, runs, options.keepRuns));
      index += 1;
    }
    this.#layouts = pieces.map((piece) => layouts.get(leaderOf(piece))!);
    this.summary = this.#summarise(touched);
  }

  /** Index of the piece that holds a page, -1 when none does. */
  #pieceOf(page: number): number {
    const index = lastAtMost(this.#firsts, page);
    return index >= 0 && page < this.#pieces[index]!.end ? index : -1;
  }

  /** What is added to a page's number; 0 for a page of no piece. */
  move(page: number): number {
    const index = this.#pieceOf(page);
    if (index < 0) return 0;
    const { starts, moves } = this.#layouts[index]!;
    return moves[lastAtMost(starts, page - this.#firsts[index]!)]!;
  }

  /** First page behind `page` that may move otherwise. */
  behind(page: number): number {
    const index = this.#pieceOf(page);
    if (index < 0) {
      // Up to the next piece.
      return this.#firsts[lastAtMost(this.#firsts, page) + 1] ?? PAGES;
    }
    const first = this.#firsts[index]!;
    const { starts } = this.#layouts[index]!;
    const next = starts[lastAtMost(starts, page - first) + 1];
    return next === undefined ? this.#pieces[index]!.end : first + next;
  }

  /** The number of a page after the permutation. */
  page(page: number): number {
    return page + this.move(page);
  }

  #summarise(touched: TouchedPages): PermutationSummary {
    const summary = { pieces: this.#pieces.length, runs: 0, moved: 0, touchedKept: 0 };
    const blocks = touched.sortedBlocks();
    this.#pieces.forEach(({ first, end }, i) => {
      const { starts, moves } = this.#layouts[i]!;
      summary.runs += starts.length;
      starts.forEach((start, run) => {
        const stop = starts[run + 1] ?? end - first;
        if (moves[run] !== 0) {
          summary.moved += stop - start;
          return;
        }
        for (const _ of touched.within(first + start, first + stop, blocks))
          summary.touchedKept += 1;
      });
    });
    return summary;
  }
}

/** Index of the last value that is at most `value`, -1 when there is none. */
function lastAtMost(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** How many runs each piece may have: half by its size, half by how busy it is. */
function sharesOf(pieces: readonly Piece[], touched: TouchedPages): number[] {
  const blocks = touched.sortedBlocks();
  const busy = pieces.map(({ first, end }) => {
    let count = 0;
    for (const _ of touched.within(first, end, blocks)) count += 1;
    return count;
  });
  const all = pieces.reduce((sum, { first, end }) => sum + end - first, 0);
  const allBusy = busy.reduce((sum, count) => sum + count, 0);
  return pieces.map(({ first, end }, i) => {
    const bySize = (end - first) / Math.max(1, all);
    const byUse = busy[i]! / Math.max(1, allBusy);
    return 8 + Math.floor((MAX_RUNS / 2) * (bySize + byUse));
  });
}

/** The layout that a piece and its twins share. */
function layoutOf(
  members: readonly Piece[],
  touched: TouchedPages,
  prf: Prf,
  label: string,
  most: number,
  keepRuns: boolean,
): Layout {
  const size = members[0]!.end - members[0]!.first;
  const still: Layout = { starts: Float64Array.of(0), moves: Float64Array.of(0) };
  if (size < 2 || members.some((piece) => piece.fixed)) return still;
  const held = (page: number): boolean =>
    touched.tied(page, "firm") || (keepRuns && touched.tied(page, "loose"));
  const together = (page: number): boolean =>
    held(page) || (keepRuns && touched.has(page) && touched.has(page + 1));
  const firm = (page: number): boolean => members.some(({ first }) => together(first + page));
  const loose = (page: number): boolean =>
    members.some(({ first }) => touched.tied(first + page, "loose"));
  // What lies over a border of the piece stays, and so does what is tied to that.
  let from = 0;
  if (members.some(({ first }) => first > 0 && held(first - 1))) {
    from = 1;
    while (from < size && firm(from - 1)) from += 1;
  }
  let to = size;
  if (members.some(({ end }) => held(end - 1))) {
    to = size - 1;
    while (to > from && firm(to - 1)) to -= 1;
  }
  const cuts = cutsOf(members, touched, { from, to, most, firm, loose, prf, label });
  if (cuts.length < 2) return still;
  const lead = from > 0 ? 1 : 0;
  const tail = to < size ? 1 : 0;
  const starts = new Float64Array(lead + cuts.length + tail);
  const moves = new Float64Array(starts.length);
  starts.set(cuts, lead);
  if (tail) starts[starts.length - 1] = to;
  let least = Number.POSITIVE_INFINITY;
  const attempts = cuts.length < MANY_RUNS ? ATTEMPTS : 1;
  for (let attempt = 0; attempt < attempts && least > 0; attempt += 1) {
    const order = shuffled(prf, `${label} order ${attempt}`, cuts.length);
    const found = movesOf(order, cuts, to);
    const still = found.filter((move) => move === 0).length;
    if (still >= least) continue;
    least = still;
    moves.set(found, lead);
  }
  return { starts, moves };
}

/** What is added to the pages of each run when the runs follow each other in this order. */
function movesOf(order: Uint32Array, cuts: readonly number[], to: number): Float64Array {
  const moves = new Float64Array(cuts.length);
  let at = cuts[0]!;
  for (const run of order) {
    moves[run] = at - cuts[run]!;
    at += (cuts[run + 1] ?? to) - cuts[run]!;
  }
  return moves;
}

interface Cutting {
  from: number;
  to: number;
  most: number;
  /** Whether this page and the next must stay neighbours, or had better. */
  firm: (page: number) => boolean;
  loose: (page: number) => boolean;
  prf: Prf;
  label: string;
}

/** First pages of the runs of [from, to), ascending; `from` is the first. */
function cutsOf(members: readonly Piece[], touched: TouchedPages, cutting: Cutting): number[] {
  const { from, to, most, firm, loose, prf, label } = cutting;
  if (from >= to) return [];
  // Both ends of every touched page, where nothing lies over them; evenly thinned out when too many.
  const blocks = touched.sortedBlocks();
  const candidates = function* (): Generator<number> {
    for (const { first } of members) {
      let last = -1;
      for (const page of touched.within(first + from, first + to, blocks)) {
        for (const cut of [page - first, page - first + 1]) {
          const free = cut > from && cut < to && cut !== last && !firm(cut - 1);
          if (free && !loose(cut - 1)) yield cut;
          last = cut;
        }
      }
    }
  };
  let count = 0;
  for (const _ of candidates()) count += 1;
  const every = Math.max(1, Math.ceil(count / most));
  const cuts = new Set<number>([from]);
  count = 0;
  for (const cut of candidates()) {
    if (count % every === 0) cuts.add(cut);
    count += 1;
  }
  const stride = Math.max(STRIDE, Math.ceil((to - from) / most));
  const steps = prf.stream(`${label} cuts`, Math.ceil((to - from) / stride));
  for (const [i, step] of steps.entries()) {
    const cut = from + i * stride + (step % stride);
    if (cut > from && cut < to && !firm(cut - 1)) cuts.add(cut);
  }
  return [...cuts].sort((a, b) => a - b);
}
