/**
 * Where the RAM of each recorded QEMU lies: host-virtual ranges to guest-physical ones, from the
 * events that say so, from `info mtree -f`, or from a vhost memory table. Page sends name a RAM
 * block and a host address; the core looks the address up in the ranges given here.
 */

import { EventKind } from "../../../assembly/event-abi.ts";
import type { Core } from "../../core/core.ts";
import { EventArguments } from "../../core/qemu-record.ts";
import type { BlockRange } from "../../memory/block-range.ts";
import { PageRuns } from "../../model/page-runs.ts";
import { PAGE_BYTES } from "../../model/pages.ts";
import type { PageRun } from "../../model/result.ts";
import type { MemoryRegion } from "../memory-table.ts";

interface Range {
  hva: bigint;
  size: bigint;
  gpa: bigint;
  /** Number of the RAM block that it is of; 0 when the range was told without one. */
  block: number;
  /** The thread that told it last; null for what no event of QEMU told. */
  teller: number | null;
}

/** How the pages of a RAM block were placed. */
export type Placed = "events" | "mtree" | "mem-table" | "assumed" | "nowhere";

const PAGE = BigInt(PAGE_BYTES);
/**
 * Of each QEMU. KVM had 509 slots and vhost has as many regions; every event that places memory is
 * compared with all of them.
 */
const MAX_RANGES = 512;
/**
 * Without any map the RAM of a PC below this offset lies at the same address: pc_q35_init() and
 * pc_init1() split it at 2 GiB at the lowest (hw/i386).
 */
const SAME_ADDRESS = 0x80000000n;
const PC_RAM = "pc.ram";

/** A RAM block as far as the guest has it: pieces by offset, and its length. */
export interface RamBlock {
  name: string;
  size: number;
  pieces: { offset: number; gpa: number; size: number }[];
}

/** The maps of all inputs. */
export class RamMap {
  readonly #core: Core;
  readonly #ranges = new Map<number, Range[]>();
  /** By input: sections of RAM as vhost got them, with the names of their blocks. */
  readonly #sections = new Map<number, Map<string, { hva: bigint; gpa: bigint; size: bigint }>>();
  /** The map that the user gave. */
  readonly mtree: readonly BlockRange[];
  /** Events that placed more memory than is kept. */
  refused = 0;
  /** By input and block. */
  readonly placed = new Map<string, Placed>();

  constructor(core: Core, mtree: readonly BlockRange[]) {
    this.#core = core;
    this.mtree = mtree;
  }

  /** An event that places memory: kvm_set_user_memory, vhost_region_add_section, vhost_user_*. */
  event(kind: EventKind, at: number, space: number, teller: number): void {
    const args = new EventArguments(this.#core, at);
    if (kind === EventKind.QSlot) {
      // The address spaces above 0 are SMM's; before QEMU 9 they stood in the upper half of `slot`.
      const slot = args.number("slot");
      const addressSpace = args.number("as") || slot >> 16;
      const gpa = args.bits("guest_phys_addr");
      const size = args.bits("memory_size");
      const number = (addressSpace << 16) | (slot & 0xffff);
      // A size of 0 takes the slot away; the ranges stay until other RAM has their place (#add).
      this.#core.exports.setSlot(space, number, Number(gpa / PAGE), Number(size / PAGE));
      if (addressSpace !== 0 || size === 0n) return;
      this.#add(space, { hva: args.bits("userspace_addr"), size, gpa, block: 0, teller });
    } else if (kind === EventKind.QRegion) {
      const [hva, size, gpa] = [args.bits("host"), args.bits("size"), args.bits("gpa")];
      this.#name(space, args.text("name"), { hva, gpa, size });
      this.#add(space, { hva, size, gpa, block: 0, teller });
    } else {
      const [hva, size] = [args.bits("userspace_addr"), args.bits("memory_size")];
      this.#add(space, { hva, size, gpa: args.bits("guest_phys_addr"), block: 0, teller });
    }
  }

  #name(space: number, name: string, section: { hva: bigint; gpa: bigint; size: bigint }): void {
    const sections = this.#sections.get(space) ?? new Map();
    if (sections.size >= MAX_RANGES) return;
    sections.set(`${name} ${section.hva} ${section.gpa} ${section.size}`, section);
    this.#sections.set(space, sections);
  }

  /** RAM blocks of a QEMU whose names and places are known, the largest first. */
  blocks(space: number): RamBlock[] {
    const blocks = new Map<string, RamBlock>();
    const add = (name: string, offset: number, gpa: number, size: number): void => {
      const block = blocks.get(name) ?? { name, size: 0, pieces: [] };
      block.size = Math.max(block.size, offset + size);
      block.pieces.push({ offset, gpa, size });
      blocks.set(name, block);
    };
    for (const { block, offset, gpa, size } of this.mtree) add(block, offset, gpa, size);
    if (blocks.size === 0) {
      const sections = [...(this.#sections.get(space) ?? [])];
      const base = new Map<string, bigint>();
      for (const [key, { hva }] of sections) {
        const name = blockName(key);
        const known = base.get(name);
        if (known === undefined || hva < known) base.set(name, hva);
      }
      for (const [key, { hva, gpa, size }] of sections) {
        const name = blockName(key);
        add(name, Number(hva - base.get(name)!), Number(gpa), Number(size));
      }
    }
    return [...blocks.values()].sort((a, b) => b.size - a.size);
  }

  /**
   * Sections of one piece of RAM come and go as the map changes, and overlap: they are joined, so
   * that an address is found once, unless the guest has it twice. No event says that a section is
   * gone, and a slot is taken away for a moment while it changes; so RAM stays where it was until
   * the same thread says that other RAM lies there. (Two QEMUs of one ring are two threads.)
   */
  #add(space: number, range: Range): void {
    if (range.size === 0n) return;
    const { exports } = this.#core;
    const before = this.#ranges.get(space) ?? [];
    const ranges = before.flatMap((other) =>
      replaces(range, other) ? without(other, range) : [other],
    );
    const touching = ranges.filter((other) => touches(range, other));
    const apart = ranges.filter((other) => !touches(range, other));
    if (apart.length >= MAX_RANGES) {
      this.refused++;
      return;
    }
    const known = touching.some((other) => inside(range, other));
    const joined = [...apart, joinAll([range, ...touching])];
    this.#ranges.set(space, joined);
    // Mostly they are told once more as they are.
    if (
      known &&
      joined.length === before.length &&
      ranges.every((other) => before.includes(other))
    ) {
      return;
    }
    exports.clearRanges(space);
    for (const { hva, size, gpa, block } of joined) {
      exports.addRange(space, block, hva, size, gpa);
    }
  }

  /**
   * The first send (or arrival) of a RAM block: finds where it lies and tells the core. `tables`:
   * memory tables of vhost devices, whose addresses are QEMU's too.
   */
  place(
    at: number,
    kind: EventKind,
    space: number,
    tables: readonly (readonly MemoryRegion[])[],
  ): void {
    const args = new EventArguments(this.#core, at);
    const block = args.text("rbname");
    const number = args.textNumber("rbname");
    const offset = args.bits(kind === EventKind.QSave ? "offset" : "addr");
    const host = args.bits("host");
    const base = host - offset;
    this.#core.exports.addRamBlock(space, number);
    this.#core.exports.setRamBase(space, number, base);
    this.placed.set(`${space} ${block}`, this.#find(space, { block, number, base, host }, tables));
  }

  #find(
    space: number,
    { block, number, base, host }: { block: string; number: number; base: bigint; host: bigint },
    tables: readonly (readonly MemoryRegion[])[],
  ): Placed {
    const own = this.mtree.filter((range) => range.block === block);
    for (const { offset, gpa, size } of own) {
      const hva = base + BigInt(offset);
      this.#add(space, { hva, size: BigInt(size), gpa: BigInt(gpa), block: number, teller: null });
    }
    if (own.length > 0) return "mtree";
    if (this.mtree.length > 0) return "nowhere";
    const known = (this.#ranges.get(space) ?? []).filter((range) => range.block === 0);
    if (known.length > 0) return known.some((range) => holds(range, host)) ? "events" : "nowhere";
    const table = tables.find((regions) => regions.some((region) => holds(toRange(region), host)));
    if (table) {
      for (const region of table) this.#add(space, toRange(region));
      return "mem-table";
    }
    if (tables.some((regions) => regions.length > 0) || block !== PC_RAM) return "nowhere";
    this.#add(space, { hva: base, size: SAME_ADDRESS, gpa: 0n, block: number, teller: null });
    return "assumed";
  }

  /**
   * How many of these pages lie outside of the guest's RAM as far as it is known: by `info mtree -f`,
   * the events of QEMU and the memory tables of vhost. 0 when no map is known.
   */
  outside(runs: readonly PageRun[], tables: readonly (readonly MemoryRegion[])[]): number {
    const known: PageRun[] = [];
    const add = (gpa: number, size: number): void => {
      // A page that a region covers in part counts as inside.
      const gfn = Math.floor(gpa / PAGE_BYTES);
      known.push({ gfn, pages: Math.ceil((gpa + size) / PAGE_BYTES) - gfn });
    };
    for (const { gpa, size } of this.mtree) add(gpa, size);
    for (const { gpa, size, block } of [...this.#ranges.values()].flat()) {
      if (block === 0) add(Number(gpa), Number(size));
    }
    for (const { first, last } of tables.flat()) add(Number(first), Number(last - first + 1n));
    if (known.length === 0) return 0;
    return PageRuns.from(runs).subtract(PageRuns.from(known)).pages;
  }
}

/** The block's name in a key of `#sections`: names hold spaces, the numbers do not. */
function blockName(key: string): string {
  return key.split(" ").slice(0, -3).join(" ");
}

function toRange(region: MemoryRegion): Range {
  const { hva, first, last } = region;
  return { hva, size: last - first + 1n, gpa: first, block: 0, teller: null };
}

function holds(range: Range, host: bigint): boolean {
  return host >= range.hva && host < range.hva + range.size;
}

/** Whether two ranges overlap or follow each other, with the same distance between the addresses. */
function touches(a: Range, b: Range): boolean {
  if (a.block !== b.block) return false;
  return a.hva - a.gpa === b.hva - b.gpa && a.gpa <= b.gpa + b.size && b.gpa <= a.gpa + a.size;
}

/** Whether the guest has other RAM now where it had this. */
function replaces(now: Range, before: Range): boolean {
  if (now.teller === null || now.teller !== before.teller || before.block !== 0) return false;
  return now.size > 0n && now.hva - now.gpa !== before.hva - before.gpa;
}

/** What is left of a range outside of another one's place in the guest. */
function without(range: Range, taken: Range): Range[] {
  const end = range.gpa + range.size;
  if (taken.gpa >= end || taken.gpa + taken.size <= range.gpa) return [range];
  const to = taken.gpa + taken.size;
  const left: Range[] = [];
  if (taken.gpa > range.gpa) left.push({ ...range, size: taken.gpa - range.gpa });
  if (to < end) left.push({ ...range, hva: range.hva + (to - range.gpa), gpa: to, size: end - to });
  return left;
}

function joinAll(ranges: readonly Range[]): Range {
  const first = ranges.reduce((low, range) => (range.gpa < low.gpa ? range : low));
  const end = ranges.reduce((high, { gpa, size }) => (gpa + size > high ? gpa + size : high), 0n);
  // The one that is told now comes first.
  return { ...first, size: end - first.gpa, teller: ranges[0]!.teller ?? first.teller };
}

/** Whether one range is part of another, with the same distance between the addresses. */
function inside(part: Range, whole: Range): boolean {
  return (
    part.hva - part.gpa === whole.hva - whole.gpa &&
    part.gpa >= whole.gpa &&
    part.gpa + part.size <= whole.gpa + whole.size
  );
}
