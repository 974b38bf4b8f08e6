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
const CHUNK_PAGES = 64;

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
