/**
 * Text of QEMU's monitor command `info mtree -f`: the flat views of all address spaces. Follows
 * mtree_print_flatview() (system/memory.c). Lines look like
 *
 *     FlatView #2
 *      AS "memory", root: system
 *      Root memory region: system
 *       00000000000c3000-00000000000e7fff (prio 0, rom): pc.ram @00000000000c3000
 *
 * The last number is the offset in the region, left out when it is 0. Behind it may stand the
 * accelerator (` KVM`) and the owner (`-o`).
 */

import { atLine, type Place, quoteFound, RecordingError } from "../model/place.ts";
import { withoutReturns } from "../model/text-ends.ts";

/** `ramd` is a device's memory mapped as RAM (a BAR), `romd` a flash in read mode. */
export type RangeKind = "ram" | "rom" | "ramd" | "romd";

/** One line of a flat view that is memory. Bytes. */
export interface FlatRange {
  gpa: number;
  size: number;
  kind: RangeKind;
  nonvolatile: boolean;
  /** Name of the memory region, which for most is the end of the RAM block's name. */
  region: string;
  offset: number;
}

/** The address space a CPU's and a device's guest-physical addresses are in. */
const MEMORY = "memory";
const RANGE =
  /^ {2,}([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, (nv-)?([a-z/]+)\): (.*?)(?: @([0-9a-f]{16}))?(?: (?:KVM|HVF|NVMM|WHPX|MSHV|tcg|kvm|hvf))?(?: (?:owner|parent|orphan).*)?$/;
const KINDS: ReadonlySet<string> = new Set(["ram", "rom", "ramd", "romd"]);
/** Where a line's number lies in what it was found in. */
export type PlaceOfLine = (line: number) => Place;

/**
 * The flat views of the address space "memory" in a text, in order: one for each time the command
 * was run. Lines outside of flat views (the monitor's prompt) are ignored. Throws RecordingError
 * for a line of such a view that cannot be read, for ranges out of order, and for an address
 * beyond 2^53.
 */
export function parseFlatViews(text: string, placeOf: PlaceOfLine): FlatRange[][] {
  const views: FlatRange[][] = [];
  let view: FlatRange[] | null = null;
  let inMemory = false;
  let number = 0;
  for (const raw of text.split("\n")) {
    number += 1;
    const line = withoutReturns(raw);
    if (/^FlatView #\d+$/.test(line)) {
      view = [];
      inMemory = false;
    } else if (view === null) continue;
    else if (/^ AS ".*", root: /.test(line)) inMemory ||= line.startsWith(` AS "${MEMORY}", `);
    else if (/^ Root memory region: /.test(line)) {
      if (inMemory) views.push(view);
    } else if (line.trim() === "" || !line.startsWith("  ")) view = null;
    else if (line.startsWith("  Dispatch")) view = null;
    else if (inMemory && line !== "  No rendered FlatView") {
      addRange(view, line, placeOf(number));
    }
  }
  return views;
}

/** Longer than any line of the two commands. */
export const LONGEST_LINE = 1024;

function addRange(view: FlatRange[], line: string, place: Place): void {
  const match = line.length > LONGEST_LINE ? null : RANGE.exec(line);
  if (!match) {
    throw new RecordingError(
      place,
      "a line of a flat view such as 0000000000100000-000000000bffffff (prio 0, ram): pc.ram",
      quoteFound(line),
    );
  }
  const [, first, last, nonvolatile, kind, region, offset] = match;
  // First, because what is no memory may end at the last byte of 64 bits.
  if (!KINDS.has(kind!)) return;
  // The line gives the last byte.
  const gpa = address(first!, place);
  const end = address(last!, place) + 1;
  const before = view.at(-1);
  if (end <= gpa || (before && gpa < before.gpa + before.size)) {
    throw new RecordingError(place, "ranges in ascending order", quoteFound(line));
  }
  view.push({
    gpa,
    size: end - gpa,
    kind: kind as RangeKind,
    nonvolatile: nonvolatile !== undefined,
    region: region!,
    offset: offset === undefined ? 0 : address(offset, place),
  });
}

function address(hex: string, place: Place): number {
  const value = Number.parseInt(hex, 16);
  if (!(value < Number.MAX_SAFE_INTEGER)) {
    throw new RecordingError(place, "an address below 2^53", `0x${hex}`);
  }
  return value;
}

/** Lines of a file of its own. */
export function fileLines(file: string): PlaceOfLine {
  return (line) => ({ file, at: atLine(line) });
}
