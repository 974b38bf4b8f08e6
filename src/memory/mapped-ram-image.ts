/** Guest memory as a mapped-ram file has it: what a destination that loads the file would see. */

import { PageRuns } from "../model/page-runs.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import { RecordingError } from "../model/place.ts";
import type { PageRun } from "../model/result.ts";
import { type GuestImage, readWhole } from "./guest-image.ts";
import { type MappedBlock, type MappedRamFile, pagesInFile } from "./mapped-ram.ts";
import type { MemoryMap, RamRange } from "./memory-map.ts";

/** Pages of the guest by what the file says of them. */
export interface SentPages {
  /** In the file with data. */
  data: PageRuns;
  /** Not in it: sent last as zero pages. */
  zero: PageRuns;
  /** Names of blocks that the memory map does not show to the guest; no verdict is about them. */
  unmapped: string[];
}

/** A block with its bitmap. */
interface LoadedBlock {
  block: MappedBlock;
  /** In pages of 4 KiB from the block's start. */
  data: PageRuns;
}

async function loadBlocks(file: MappedRamFile): Promise<LoadedBlock[]> {
  const loaded: LoadedBlock[] = [];
  let pages = 0;
  for (const block of file.blocks) {
    const data = inGuestPages(await pagesInFile(file, block), block.pageSize);
    pages += data.pages;
    if (!block.ignored) loaded.push({ block, data });
  }
  if (pages === 0) {
    throw new RecordingError(
      { file: file.name, at: "" },
      "a migration that completed",
      "bitmaps without a page: QEMU writes them at the end",
    );
  }
  return loaded;
}

/** Only a page of 4 KiB or a multiple can be told in pages of 4 KiB; smaller ones are joined. */
function inGuestPages(pages: PageRuns, pageSize: number): PageRuns {
  if (pageSize === PAGE_BYTES) return pages;
  return PageRuns.from(
    [...pages].map(({ gfn, pages: count }) => {
      const first = Math.floor((gfn * pageSize) / PAGE_BYTES);
      return { gfn: first, pages: Math.ceil(((gfn + count) * pageSize) / PAGE_BYTES) - first };
    }),
  );
}

/**
 * Which block each range of the map shows. Throws RecordingError when two blocks can be meant,
 * because the map has only the ends of their names.
 */
function blocksOfRanges(
  file: MappedRamFile,
  loaded: readonly LoadedBlock[],
  map: MemoryMap,
): Map<RamRange, LoadedBlock> {
  const shown = new Map<RamRange, LoadedBlock>();
  for (const one of loaded) {
    for (const range of map.rangesOf(one.block.name)) {
      const other = shown.get(range);
      if (other) {
        throw new RecordingError(
          { file: file.name, at: "" },
          'a memory map that tells RAM blocks apart (add the answer to "info ramblock")',
          `${range.block}, which may be ${other.block.name} or ${one.block.name}`,
        );
      }
      shown.set(range, one);
    }
  }
  if (shown.size > 0) return shown;
  const names = file.blocks.map(({ name }) => name).join(", ");
  throw new RecordingError(
    { file: file.name, at: "" },
    "a RAM block that the memory map has",
    `only ${names}: is the map of this guest?`,
  );
}

/** All pages of a block, as guest pages. */
function guestPages({ block }: LoadedBlock, map: MemoryMap): PageRun[] {
  return map.guestRuns(block.name, 0, Math.floor(block.size / PAGE_BYTES));
}

/**
 * The pages of a mapped-ram file as guest pages. Throws RecordingError when a bitmap cannot be
 * read, all are empty, or the memory map has none of the blocks or cannot tell them apart.
 */
export async function sentPages(file: MappedRamFile, map: MemoryMap): Promise<SentPages> {
  const loaded = await loadBlocks(file);
  blocksOfRanges(file, loaded, map);
  const data: PageRun[] = [];
  for (const { block, data: sent } of loaded) {
    for (const run of sent) data.push(...map.guestRuns(block.name, run.gfn, run.pages));
  }
  const dataRuns = PageRuns.from(data);
  const all = PageRuns.from(loaded.flatMap((one) => guestPages(one, map)));
  const unmapped = loaded.filter((one) => guestPages(one, map).length === 0);
  return {
    data: dataRuns,
    zero: all.subtract(dataRuns),
    unmapped: unmapped.map(({ block }) => block.name),
  };
}

/**
 * A mapped-ram file as an image of guest memory. Owns the file's access from then on. Throws
 * RecordingError as `sentPages` does.
 */
export async function mappedRamImage(file: MappedRamFile, map: MemoryMap): Promise<GuestImage> {
  const loaded = await loadBlocks(file);
  const shown = blocksOfRanges(file, loaded, map);
  return {
    name: file.name,
    format: "mapped-ram migration file",
    pages: PageRuns.from(loaded.flatMap((one) => guestPages(one, map))),
    notes: [],
    async read(into, gfn) {
      for (let filled = 0; filled < into.length; ) {
        const gpa = gfn * PAGE_BYTES + filled;
        const range = map.at(gpa);
        const from = range && shown.get(range);
        if (!range || !from) throw new Error(`bug: 0x${gpa.toString(16)} is not in ${file.name}`);
        const count = Math.min(into.length - filled, range.gpa + range.size - gpa);
        const offset = range.offset + (gpa - range.gpa);
        await readBlockPages(file, from, offset, into.subarray(filled, filled + count));
        filled += count;
      }
    },
    close: () => file.access.close(),
  };
}

async function readBlockPages(
  file: MappedRamFile,
  { block, data }: LoadedBlock,
  offset: number,
  into: Uint8Array,
): Promise<void> {
  into.fill(0);
  for (const { gfn, pages } of data.overlapping(offset / PAGE_BYTES, into.length / PAGE_BYTES)) {
    const at = gfn * PAGE_BYTES;
    const part = into.subarray(at - offset, at - offset + pages * PAGE_BYTES);
    if (!(await readWhole(file.access, part, block.pagesOffset + at))) {
      throw new RecordingError(
        { file: file.name, at: "" },
        "the file as at its opening",
        "its end",
      );
    }
  }
}
