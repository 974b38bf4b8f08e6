/**
 * Guest memory cut at every border that any memory map of the recording has. A page moves inside
 * its piece only, so that every map stays true; pieces that are the same memory of QEMU (aliases)
 * move together.
 */
import { PAGE_BYTES } from "../model/pages.ts";
import { PAGES, type TouchedPages } from "./touched-pages.ts";

/** A range of a memory map, bytes. */
export interface MapRange {
  gpa: bigint;
  hva: bigint;
  size: bigint;
}

/** Pages [first, end). */
export interface Piece {
  first: number;
  end: number;
  /** An earlier piece that is the same memory. */
  twin: Piece | null;
  /** Maps contradict each other too often for its pages to move. */
  fixed: boolean;
}

const PAGE = BigInt(PAGE_BYTES);
const SPACE = BigInt(PAGES) * PAGE;
/** Where no map is known, pages move inside of whole GiB around those that were touched. */
const GIB_PAGES = 2 ** 18;
/** A border in one alias is a border in the others; looks at a border that this may take in all. */
const MOST_LOOKS = 2e7;

interface PageRange {
  first: number;
  end: number;
  /** Host page of `first`. */
  host: bigint;
}

/** Whole pages of the ranges; a page that a range has only a part of is its own. */
function pageRanges(ranges: readonly MapRange[]): PageRange[] {
  const found: PageRange[] = [];
  for (const { gpa, hva, size } of ranges) {
    if (size <= 0n || gpa >= SPACE) continue;
    const end = gpa + size < SPACE ? gpa + size : SPACE;
    const first = gpa / PAGE;
    found.push({
      first: Number(first),
      end: Number((end + PAGE - 1n) / PAGE),
      host: (hva - (gpa - first * PAGE)) / PAGE,
    });
  }
  return found;
}

/** First and end of every range, and of its partly covered pages. */
function bordersOf(ranges: readonly MapRange[]): Set<number> {
  const borders = new Set<number>();
  for (const { gpa, size } of ranges) {
    if (size <= 0n || gpa >= SPACE) continue;
    const end = gpa + size < SPACE ? gpa + size : SPACE;
    for (const edge of [gpa, end]) {
      borders.add(Number(edge / PAGE));
      borders.add(Number((edge + PAGE - 1n) / PAGE));
    }
  }
  return borders;
}

function hasAliases(ranges: readonly PageRange[]): boolean {
  const byHost = [...ranges].sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
  let widest: PageRange | null = null;
  for (const range of byHost) {
    if (widest && range.host < hostEnd(widest) && distance(range) !== distance(widest)) return true;
    if (!widest || hostEnd(range) > hostEnd(widest)) widest = range;
  }
  return false;
}

const hostEnd = (range: PageRange): bigint => range.host + BigInt(range.end - range.first);
const distance = (range: PageRange): bigint => range.host - BigInt(range.first);

/**
 * Carries borders over to the aliases of the same memory, until there are no new ones. False: given
 * up, for an address was seen at too many places.
 */
function carryOver(borders: Set<number>, ranges: readonly PageRange[]): boolean {
  for (let looks = 0; looks < MOST_LOOKS; looks += 2 * ranges.length * borders.size) {
    const before = borders.size;
    const hosts = new Set<bigint>();
    for (const range of ranges) {
      for (const border of borders) {
        if (border >= range.first && border <= range.end) {
          hosts.add(distance(range) + BigInt(border));
        }
      }
    }
    for (const range of ranges) {
      for (const host of hosts) {
        if (host >= range.host && host <= hostEnd(range)) {
          borders.add(Number(host - distance(range)));
        }
      }
    }
    if (borders.size === before) return true;
  }
  return false;
}

/**
 * All pieces, ascending and disjoint: of the maps, and around touched pages that no map has. `cuts`: pages
 * that are a border besides.
 */
export function piecesOf(
  ranges: readonly MapRange[],
  touched: TouchedPages,
  cuts: Iterable<number> = [],
): Piece[] {
  const mapped = pageRanges(ranges);
  const borders = bordersOf(ranges);
  for (const page of cuts) borders.add(page);
  const fixed = hasAliases(mapped) && !carryOver(borders, mapped);
  const sorted = [...borders].sort((a, b) => a - b);
  const pieces: Piece[] = [];
  let at = 0;
  for (const [i, first] of sorted.entries()) {
    addUnmapped(pieces, at, first, touched);
    const end = sorted[i + 1];
    if (end === undefined) {
      at = first;
      break;
    }
    if (mapped.some((range) => range.first <= first && range.end >= end)) {
      pieces.push({ first, end, twin: null, fixed });
    } else addUnmapped(pieces, first, end, touched);
    at = end;
  }
  addUnmapped(pieces, at, PAGES, touched);
  joinTwins(pieces, mapped);
  return pieces;
}

/** Around the touched pages of [first, end), whole GiB. */
function addUnmapped(pieces: Piece[], first: number, end: number, touched: TouchedPages): void {
  if (end <= first) return;
  let low = -1;
  let high = -1;
  for (const page of touched.within(first, end)) {
    if (low < 0) low = page;
    high = page;
  }
  if (low < 0) return;
  pieces.push({
    first: Math.max(first, Math.floor(low / GIB_PAGES) * GIB_PAGES),
    end: Math.min(end, (Math.floor(high / GIB_PAGES) + 1) * GIB_PAGES),
    twin: null,
    fixed: false,
  });
}

/** Pieces at one host address are the same memory. */
function joinTwins(pieces: readonly Piece[], ranges: readonly PageRange[]): void {
  const byHost = new Map<bigint, Piece>();
  for (const range of ranges) {
    for (const piece of pieces) {
      if (piece.first < range.first || piece.end > range.end) continue;
      const host = distance(range) + BigInt(piece.first);
      const known = byHost.get(host);
      if (!known) byHost.set(host, piece);
      else unite(known, piece);
    }
  }
}

/** The piece that stands for all its twins. */
export function leaderOf(piece: Piece): Piece {
  let leader = piece;
  while (leader.twin) leader = leader.twin;
  return leader;
}

function unite(a: Piece, b: Piece): void {
  const [first, second] = [leaderOf(a), leaderOf(b)];
  if (first === second) return;
  const [leader, other] = first.first < second.first ? [first, second] : [second, first];
  other.twin = leader;
}
