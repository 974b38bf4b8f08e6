/** Two images of guest memory, page by page, a few MiB at a time. */

import { PageRuns } from "../model/page-runs.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import type { GuestImage } from "./guest-image.ts";

/** What two images have in common and what not. */
export interface GuestComparison {
  /** Pages that both have. */
  compared: PageRuns;
  /** Of these, the ones with different bytes. */
  differing: PageRuns;
  onlyInFirst: PageRuns;
  onlyInSecond: PageRuns;
  /** Pages below the highest one that neither has. */
  holes: PageRuns;
}

export interface ComparisonOptions {
  /** Whether two arrays of one length have the same bytes: memcmp() where the platform has it. */
  equal?: (a: Uint8Array, b: Uint8Array) => boolean;
  /** Called now and then with the number of pages done. */
  onProgress?: (pages: number) => void;
  signal?: AbortSignal;
}

/** Bytes read at once from each image. */
const CHUNK = 1 << 20;

/**
 * Compares every page that both images have. Memory: 2 MiB, and the sets. Throws what the images'
 * `read` throws, and the signal's reason after an abort.
 */
export async function compareGuestImages(
  first: GuestImage,
  second: GuestImage,
  options: ComparisonOptions = {},
): Promise<GuestComparison> {
  const equal = options.equal ?? sameBytes;
  const compared = first.pages.intersect(second.pages);
  const differing = new PageRuns();
  const [a, b] = [new Uint8Array(CHUNK), new Uint8Array(CHUNK)];
  let done = 0;
  for (let run = 0; run < compared.length; run += 1) {
    const end = compared.end(run);
    for (let gfn = compared.start(run); gfn < end; ) {
      options.signal?.throwIfAborted();
      const pages = Math.min(CHUNK / PAGE_BYTES, end - gfn);
      const bytes = pages * PAGE_BYTES;
      const [x, y] = [a.subarray(0, bytes), b.subarray(0, bytes)];
      await first.read(x, gfn);
      await second.read(y, gfn);
      if (!equal(x, y)) addDiffering(differing, x, y, gfn, equal);
      gfn += pages;
      done += pages;
      options.onProgress?.(done);
    }
  }
  const either = first.pages.union(second.pages);
  const all = new PageRuns();
  if (either.length > 0) all.append(0, either.end(either.length - 1));
  return {
    compared,
    differing,
    onlyInFirst: first.pages.subtract(second.pages),
    onlyInSecond: second.pages.subtract(first.pages),
    holes: all.subtract(either),
  };
}

function addDiffering(
  differing: PageRuns,
  a: Uint8Array,
  b: Uint8Array,
  gfn: number,
  equal: (a: Uint8Array, b: Uint8Array) => boolean,
): void {
  for (let at = 0; at < a.length; at += PAGE_BYTES) {
    const end = at + PAGE_BYTES;
    if (!equal(a.subarray(at, end), b.subarray(at, end))) differing.append(gfn + at / PAGE_BYTES);
  }
}

/** For surroundings without memcmp(). Whole words, since pages and chunks are aligned. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const x = new Uint32Array(a.buffer, a.byteOffset, a.length / 4);
  const y = new Uint32Array(b.buffer, b.byteOffset, b.length / 4);
  for (let at = 0; at < x.length; at += 1) if (x[at] !== y[at]) return false;
  return true;
}
