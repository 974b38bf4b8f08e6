/**
 * Where the guest sees which part of which RAM block: what turns the offsets of a migration stream
 * and of `ram_save_page` into guest-physical addresses, and back. All numbers are bytes below 2^53.
 */
import { PAGE_BYTES } from "../model/pages.ts";
import type { PageRun } from "../model/result.ts";
import type { FlatRange, RangeKind } from "./mtree-text.ts";
import type { RamBlock } from "./ramblock-text.ts";

/** A part of a RAM block in guest-physical memory. */
export interface RamRange {
  /** Name of the RAM block where it is known, else of the memory region. */
  block: string;
  /** In the block. */
  offset: number;
  gpa: number;
  size: number;
  kind: RangeKind;
  /** `rom` and `romd`: the guest's writes do not reach it. */
  readonly: boolean;
}

/** A map of guest memory. Immutable; lookups take the logarithm of the number of ranges. */
export class MemoryMap {
  /** Ascending by guest-physical address, disjoint. */
  readonly ranges: readonly RamRange[];
  /** Of `info ramblock`; empty when that was not given. */
  readonly blocks: readonly RamBlock[];
  /** Facts the user should know, one sentence each. */
  readonly notes: readonly string[];
  readonly #byRegion = new Map<string, RamRange[]>();
  readonly #byHva: readonly RamBlock[];

  /**
   * `ranges` must be ascending and disjoint, as a flat view is. A region belongs to the RAM block
   * of its name, or to the only one whose name ends in `/` and it: QEMU puts a device's path before
   * the name (`0000:00:02.0/vga.vram`).
   */
  constructor(
    ranges: readonly FlatRange[],
    blocks: readonly RamBlock[] = [],
    notes: string[] = [],
  ) {
    this.blocks = blocks;
    this.notes = notes;
    const named = blocksByRegion(blocks);
    this.ranges = ranges.map((range) => ({
      block: named.get(range.region) ?? range.region,
      offset: range.offset,
      gpa: range.gpa,
      size: range.size,
      kind: range.kind,
      readonly: range.kind === "rom" || range.kind === "romd",
    }));
    for (const range of this.ranges) {
      const same = this.#byRegion.get(range.block);
      if (same) same.push(range);
      else this.#byRegion.set(range.block, [range]);
    }
    for (const same of this.#byRegion.values()) same.sort((a, b) => a.offset - b.offset);
    this.#byHva = blocks.filter(({ hva }) => hva !== null).sort((a, b) => a.hva! - b.hva!);
  }

  /** The range an address lies in; undefined outside of all. */
  at(gpa: number): RamRange | undefined {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ranges[middle]!.gpa <= gpa) low = middle + 1;
      else high = middle;
    }
    const range = this.ranges[low - 1];
    return range && gpa < range.gpa + range.size ? range : undefined;
  }

  /** Whether every one of `len` bytes lies in some range, which may be several that touch. */
  covers(gpa: number, len = 1): boolean {
    for (let at = gpa; at < gpa + len; ) {
      const range = this.at(at);
      if (!range) return false;
      at = range.gpa + range.size;
    }
    return true;
  }

  /** Block and offset of an address; undefined outside of all ranges. */
  blockAt(gpa: number): { block: string; offset: number } | undefined {
    const range = this.at(gpa);
    return range && { block: range.block, offset: range.offset + (gpa - range.gpa) };
  }

  /** Ranges of a block by its name (idstr) or its region's, ascending by offset. */
  rangesOf(block: string): readonly RamRange[] {
    const known = this.#byRegion.get(block);
    if (known) return known;
    // A region's name without its block's is unambiguous only where no table says otherwise.
    const slash = block.lastIndexOf("/");
    if (slash < 0 || this.blocks.some(({ name }) => name === block)) return [];
    return this.blocks.length === 0 ? (this.#byRegion.get(block.slice(slash + 1)) ?? []) : [];
  }

  /** The first address at which an offset of a block appears, or -1. */
  gpaOf(block: string, offset: number): number {
    for (const range of this.rangesOf(block)) {
      if (offset < range.offset) break;
      if (offset < range.offset + range.size) return range.gpa + (offset - range.offset);
    }
    return -1;
  }

  /** All addresses at which an offset of a block appears: more than one where it is aliased. */
  gpasOf(block: string, offset: number): number[] {
    return this.rangesOf(block)
      .filter((range) => offset >= range.offset && offset < range.offset + range.size)
      .map((range) => range.gpa + (offset - range.offset))
      .sort((a, b) => a - b);
  }

  /**
   * Pages of 4 KiB of a block as runs of guest pages, in the order of the ranges; parts that the
   * guest does not see are left out. For a bitmap of a block: one call a run, none a page.
   */
  guestRuns(block: string, firstPage: number, pages: number): PageRun[] {
    const from = firstPage * PAGE_BYTES;
    const to = from + pages * PAGE_BYTES;
    const runs: PageRun[] = [];
    for (const range of this.rangesOf(block)) {
      const start = Math.max(from, range.offset);
      const end = Math.min(to, range.offset + range.size);
      if (start >= end) continue;
      const gpa = range.gpa + (start - range.offset);
      const gfn = Math.floor(gpa / PAGE_BYTES);
      runs.push({ gfn, pages: Math.ceil((gpa + (end - start)) / PAGE_BYTES) - gfn });
    }
    return runs;
  }

  /** The block and offset of a host virtual address; undefined without the column HVA. */
  blockAtHva(hva: number): { block: string; offset: number } | undefined {
    const found = this.#byHva.findLast((block) => block.hva! <= hva);
    if (!found || hva >= found.hva! + found.used) return undefined;
    return { block: found.name, offset: hva - found.hva! };
  }
}

/** Bytes of RAMBlock.idstr, the closing zero included. */
const IDSTR_BYTES = 256;

/** Block names by the names their regions can have; null where more than one can be meant. */
function blocksByRegion(blocks: readonly RamBlock[]): Map<string, string | null> {
  const named = new Map<string, string | null>();
  for (const { name } of blocks) {
    if (name.length >= IDSTR_BYTES) continue;
    for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) {
      const tail = name.slice(at + 1);
      named.set(tail, named.has(tail) ? null : name);
    }
  }
  for (const { name } of blocks) named.set(name, name);
  return named;
}
