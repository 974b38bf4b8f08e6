/** Contents of guest memory by guest-physical address, whatever file they are in. */

import type { RandomAccess } from "../bytes/source.ts";
import { PageRuns } from "../model/page-runs.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import { atByte, RecordingError } from "../model/place.ts";

/** One file's view of guest memory. */
export interface GuestImage {
  /** As the user named it. */
  readonly name: string;
  /** `ELF dump`, `raw memory from 0x0` … */
  readonly format: string;
  /** Pages that the file has whole. */
  readonly pages: PageRuns;
  /** Facts the user should know, one sentence each. */
  readonly notes: readonly string[];
  /** Fills `into`, a multiple of the page size, with pages from `gfn` on; all must be in `pages`. */
  read(into: Uint8Array, gfn: number): Promise<void>;
  close(): void;
}

/** Reads until `into` is full; false when the file ends before. */
export async function readWhole(
  access: RandomAccess,
  into: Uint8Array,
  offset: number,
): Promise<boolean> {
  let filled = 0;
  while (filled < into.length) {
    const got = access.readAt(into.subarray(filled), offset + filled);
    const count = typeof got === "number" ? got : await got;
    if (count === 0) return false;
    filled += count;
  }
  return true;
}

/** A part of guest memory and where it lies in the file. Bytes. */
export interface Segment {
  gpa: number;
  size: number;
  offset: number;
}

/**
 * An image of segments that are ascending and disjoint. A page that lies in several segments that
 * touch is whole; one that is cut is left out and counted in a note.
 */
export function segmentImage(
  name: string,
  format: string,
  access: RandomAccess,
  segments: readonly Segment[],
  notes: readonly string[],
): GuestImage {
  const { pages, cut } = wholePages(segments);
  const all = [...notes];
  if (cut > 0) {
    all.push(
      `${cut} ${cut === 1 ? "page lies" : "pages lie"} only partly in the file and count as missing`,
    );
  }
  return {
    name,
    format,
    pages,
    notes: all,
    async read(into, gfn) {
      let gpa = gfn * PAGE_BYTES;
      for (let filled = 0; filled < into.length; ) {
        const segment = segmentAt(segments, gpa);
        if (!segment) throw new Error(`bug: 0x${gpa.toString(16)} is in no segment of ${name}`);
        const within = gpa - segment.gpa;
        const count = Math.min(into.length - filled, segment.size - within);
        const part = into.subarray(filled, filled + count);
        if (!(await readWhole(access, part, segment.offset + within))) {
          const place = { file: name, at: atByte(segment.offset + within) };
          throw new RecordingError(
            place,
            `a file of ${access.size} bytes as at its opening`,
            "its end",
          );
        }
        filled += count;
        gpa += count;
      }
    },
    close: () => access.close(),
  };
}

/** Stretches of segments that touch: the pages in them, and how many are cut at their ends. */
function wholePages(segments: readonly Segment[]): { pages: PageRuns; cut: number } {
  const pages = new PageRuns();
  let cut = 0;
  for (let index = 0; index < segments.length; ) {
    const start = segments[index]!.gpa;
    let end = start;
    while (segments[index]?.gpa === end) end += segments[index++]!.size;
    const first = Math.ceil(start / PAGE_BYTES);
    const whole = Math.max(0, Math.floor(end / PAGE_BYTES) - first);
    if (whole > 0) pages.append(first, whole);
    cut += Math.ceil(end / PAGE_BYTES) - Math.floor(start / PAGE_BYTES) - whole;
  }
  return { pages, cut };
}

function segmentAt(segments: readonly Segment[], gpa: number): Segment | undefined {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.gpa <= gpa) low = middle + 1;
    else high = middle;
  }
  const segment = segments[low - 1];
  return segment && gpa < segment.gpa + segment.size ? segment : undefined;
}
