/**
 * How QEMU reads the vhost log: a chunk of 64 pages at a time, whatever the section that it syncs
 * covers of it. hw/virtio/vhost.c vhost_dev_sync_region().
 *
 * The replay attributes page by page, as if each section had its own chunks; the two differ only
 * where one chunk holds two RAM blocks, which `sharedChunks` finds.
 */

import type { BlockRange } from "../../memory/block-range.ts";
import { PAGE_BYTES } from "../../model/pages.ts";

/** VHOST_LOG_CHUNK: one unsigned long of the log, 256 KiB of guest memory. */
export const CHUNK_PAGES = 64;

/** A page marked dirty: of which block, by its number in it. It may lie outside of the block. */
export interface MarkedPage {
  block: string;
  page: number;
}

/**
 * Syncs one section [first, last] (bytes) of a block with a log. Returns the pages of the log that
 * are gone from it, and what was marked: pages outside of the section are marked relative to it.
 */
export function syncSection(
  log: Iterable<number>,
  section: { block: string; offset: number; gpa: number; size: number },
): { consumed: number[]; marked: MarkedPage[] } {
  const firstChunk = Math.floor(section.gpa / PAGE_BYTES / CHUNK_PAGES);
  const lastChunk = Math.floor((section.gpa + section.size - 1) / PAGE_BYTES / CHUNK_PAGES);
  const consumed: number[] = [];
  const marked: MarkedPage[] = [];
  for (const gfn of log) {
    const chunk = Math.floor(gfn / CHUNK_PAGES);
    if (chunk < firstChunk || chunk > lastChunk) continue;
    consumed.push(gfn);
    marked.push({
      block: section.block,
      page: (section.offset + gfn * PAGE_BYTES - section.gpa) / PAGE_BYTES,
    });
  }
  return { consumed, marked };
}

/** A chunk whose bits are all given to one of its blocks. */
export interface SharedChunk {
  gpa: number;
  blocks: [string, string];
}

/** Chunks in which two RAM blocks, or two places of one block, lie. */
export function sharedChunks(ranges: readonly BlockRange[]): SharedChunk[] {
  const sorted = [...ranges].sort((a, b) => a.gpa - b.gpa);
  const bytes = CHUNK_PAGES * PAGE_BYTES;
  const shared: SharedChunk[] = [];
  for (let i = 0; i + 1 < sorted.length; i++) {
    const [low, high] = [sorted[i]!, sorted[i + 1]!];
    const chunk = Math.floor(high.gpa / bytes);
    if (Math.floor((low.gpa + low.size - 1) / bytes) !== chunk) continue;
    // The same arithmetic on both sides marks the right page (low and high RAM of a PC).
    if (low.block === high.block && low.gpa - low.offset === high.gpa - high.offset) continue;
    shared.push({ gpa: chunk * bytes, blocks: [low.block, high.block] });
  }
  return shared;
}
