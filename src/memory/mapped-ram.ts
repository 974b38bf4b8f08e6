/**
 * Migration files with the capability mapped-ram (QEMU 9.0 and later, `migrate file:…`): every page
 * of a RAM block has its place in the file, and a bitmap says which pages were written there.
 * Follows migration/savevm.c (sections) and mapped_ram_setup_ramblock() of migration/ram.c.
 *
 * A bit is set when the page was sent with data, and cleared when it was sent again as a zero page
 * (save_zero_page()). The file thus holds what the destination would have: the page where the bit
 * is set, zeroes elsewhere. QEMU writes the bitmaps at the end of a migration that completes.
 */

import type { RandomAccess } from "../bytes/source.ts";
import { PageRuns } from "../model/page-runs.ts";
import { RecordingError } from "../model/place.ts";
import { readWhole } from "./guest-image.ts";
import { findRamSection, StreamCursor } from "./stream-sections.ts";

/** One RAM block of the file. Bytes; offsets are of the file. */
export interface MappedBlock {
  /** RAMBlock idstr. */
  name: string;
  size: number;
  /** Of a bit in the bitmap: the target's page size. */
  pageSize: number;
  bitmapOffset: number;
  pagesOffset: number;
  /** With x-ignore-shared: the block is not in the file at all. */
  ignored: boolean;
}

/** An opened file. */
export interface MappedRamFile {
  name: string;
  access: RandomAccess;
  /** Machine type, as in the stream's configuration; empty when it has none. */
  machine: string;
  blocks: readonly MappedBlock[];
}

const RAM_SAVE_FLAG_MEM_SIZE = 0x04;
/** Flags are below TARGET_PAGE_SIZE, the total above. */
const FLAG_BITS = 0xfff;
const HEADER_VERSION = 1;
const MOST_BLOCKS = 4096;
const MOST_BITMAP_BYTES = 2 ** 29;

/**
 * Reads the block table. Does not own `access`. Throws RecordingError for what is no migration
 * stream, for a stream without mapped-ram, and for tables that point outside of the file.
 */
export async function openMappedRam(name: string, access: RandomAccess): Promise<MappedRamFile> {
  const cursor = new StreamCursor(name, access);
  const { machine, capabilities } = await findRamSection(cursor);
  if (!capabilities.includes("mapped-ram")) {
    throw new RecordingError(
      { file: name, at: "" },
      "a migration file with the capability mapped-ram (QEMU 9.0 and later)",
      "a stream without it, which has no bitmap of sent pages",
    );
  }
  const total = await cursor.u64("size of RAM");
  if (total % (FLAG_BITS + 1) !== RAM_SAVE_FLAG_MEM_SIZE) {
    throw cursor.error("RAM_SAVE_FLAG_MEM_SIZE", `0x${total.toString(16)}`);
  }
  const ignoresShared = capabilities.includes("x-ignore-shared");
  const blocks: MappedBlock[] = [];
  for (let left = total - RAM_SAVE_FLAG_MEM_SIZE; left > 0; ) {
    if (blocks.length === MOST_BLOCKS) throw cursor.error(`at most ${MOST_BLOCKS} RAM blocks`);
    const block = await readBlock(cursor, ignoresShared);
    if (block.size > left) throw cursor.error("RAM blocks that add up to the size of RAM");
    blocks.push(block);
    left -= block.size;
    if (!block.ignored) cursor.at = block.pagesOffset + block.size;
  }
  return { name, access, machine, blocks };
}

async function readBlock(cursor: StreamCursor, ignoresShared: boolean): Promise<MappedBlock> {
  const name = await cursor.text(await cursor.u8("length of a RAM block's name"));
  const size = await cursor.u64("length of a RAM block");
  if (ignoresShared) await cursor.u64("address of a RAM block");
  const version = await cursor.u32("version of a mapped-ram header");
  if (version !== HEADER_VERSION) {
    throw cursor.error(`a mapped-ram header of version ${HEADER_VERSION}`, `${version}`);
  }
  const pageSize = await cursor.u64("page size");
  const bitmapOffset = await cursor.u64("offset of a bitmap");
  const pagesOffset = await cursor.u64("offset of pages");
  // QEMU 10.2 and later leave both 0 for a block that it does not save.
  const ignored = ignoresShared && bitmapOffset === 0 && pagesOffset === 0;
  const block = { name, size, pageSize, bitmapOffset, pagesOffset, ignored };
  if (pageSize < 1024 || pageSize > 2 ** 16 || (pageSize & (pageSize - 1)) !== 0) {
    throw cursor.error("a page size that is a power of two from 1 to 64 KiB", `${pageSize}`);
  }
  if (ignored) return block;
  if (bitmapBytes(block) > MOST_BITMAP_BYTES) throw cursor.error("a RAM block below 16 TiB");
  if (bitmapOffset < cursor.at || pagesOffset < bitmapOffset + bitmapBytes(block)) {
    throw cursor.error("pages behind a bitmap behind their header", `bitmap at ${bitmapOffset}`);
  }
  if (pagesOffset + size > cursor.access.size) {
    throw cursor.error(
      `pages of ${JSON.stringify(name)} up to byte ${pagesOffset + size}`,
      `a file of ${cursor.access.size} bytes: it is cut off, or the migration did not complete`,
    );
  }
  return block;
}

/** BITS_TO_LONGS(pages) * sizeof(unsigned long) of a 64-bit host. */
function bitmapBytes(block: { size: number; pageSize: number }): number {
  return Math.ceil(Math.floor(block.size / block.pageSize) / 64) * 8;
}

/**
 * The pages of a block that are in the file with data, numbered from the block's start, in pages
 * of `block.pageSize`. The bitmap is an array of the host's longs as they lie in memory; it is read
 * as little endian. Empty for an ignored block. Memory: 1 MiB, and the set.
 */
export async function pagesInFile(file: MappedRamFile, block: MappedBlock): Promise<PageRuns> {
  const set = new PageRuns();
  if (block.ignored) return set;
  const pages = Math.floor(block.size / block.pageSize);
  const total = bitmapBytes(block);
  const chunk = new Uint8Array(Math.min(total, 1 << 20));
  for (let done = 0; done < total; done += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, total - done));
    if (!(await readWhole(file.access, part, block.bitmapOffset + done))) {
      throw new RecordingError(
        { file: file.name, at: "" },
        "the file as at its opening",
        "its end",
      );
    }
    addBits(set, part, done * 8, pages);
  }
  return set;
}

function addBits(set: PageRuns, bytes: Uint8Array, first: number, pages: number): void {
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === 0) continue;
    const base = first + at * 8;
    if (byte === 0xff && base + 8 <= pages) set.append(base, 8);
    else {
      for (let bit = 0; bit < 8; bit += 1) {
        if ((byte >>> bit) & 1 && base + bit < pages) set.append(base + bit);
      }
    }
  }
}
