/**
 * Places the packets of multifd over guest memory: when the first pass read each page. Which page is in
 * which packet follows from the order in which QEMU sends RAM: the largest block first
 * (system/physmem.c ram_block_add()), its pages ascending. Pages of zeros are in the packets, or, with
 * `zero-page-detection=legacy` and before QEMU 9.0, go by themselves; then the destination names them.
 */
import type { Core } from "../../core/core.ts";
import type { PageRun } from "../../model/result.ts";
import {
  type BatchTimes,
  type BlockRun,
  batchTimes,
  batchTimesAtMost,
  dataPagesUntil,
  latestBatches,
  type Packets,
  readPackets,
} from "./multifd.ts";
import type { RamBlock, RamMap } from "./ram-map.ts";

const PAGE = 4096;
/**
 * Blocks that are not guest RAM lie among the small ones; the video memory of a machine has 16 MiB. Of
 * smaller blocks the order is not known.
 */
const LARGE = 32 << 20;

/** Pages of each block, by name, that arrived as zeros in the first pass: ascending runs. */
type ZeroRuns = Map<string, BlockRun[]>;

/**
 * Judges what was written in the first pass of the migration that ended. False: it cannot, for the
 * packets are not whole, or do not fit what is known of RAM. `written`: guest pages that devices had written
 * before it, ascending.
 */
export function judgeFirstPass(
  core: Core,
  ram: RamMap,
  startNs: bigint,
  written: readonly PageRun[],
): boolean {
  const { exports } = core;
  if (!exports.packetsWhole()) return false;
  const packets = readPackets(core.view, exports.packetsPtr(), exports.packetsLength(), startNs);
  if (!packets) return false;
  const all = ram.blocks(exports.migrationSource());
  const large = all.filter(({ size }) => size >= LARGE && size % PAGE === 0);
  // Of two blocks of one size it is not known which goes first.
  const same = large.findIndex(({ size }, i) => large[i + 1]?.size === size);
  const blocks = same < 0 ? large : large.slice(0, same);
  if (blocks.length === 0) return false;
  const inPackets = packets.zero.some((pages) => pages > 0);
  const zeros: ZeroRuns = inPackets ? new Map() : zeroRuns(core);
  if (inPackets || zeros.size > 0) return place(core, packets, blocks, zeros, startNs);
  const times = batchTimesAtMost(packets, blocks[0]!.size / PAGE);
  if (!times) return false;
  const own = pagesOfBlock(blocks[0]!, written);
  const data = dataPagesUntil(packets, Number(exports.firstPassEndTs() - startNs));
  new Judge(core, times, startNs).atMost(blocks[0]!, own, data);
  return true;
}

/** What the destination received as zeros; empty where it was not recorded. */
function zeroRuns(core: Core): ZeroRuns {
  const { exports, view } = core;
  const runs: ZeroRuns = new Map();
  const at = exports.zeroArrivalsPtr();
  for (let i = 0; i < exports.zeroArrivalsLength(); i++) {
    const [name, page, pages] = [0, 4, 8].map((field) => view.getUint32(at + i * 12 + field, true));
    const text = exports.stringPtr(name!);
    const block = text === 0 ? "" : core.utf8(text + 4, view.getUint32(text, true));
    const own = runs.get(block) ?? [];
    own.push({ page: page!, pages: pages! });
    runs.set(block, own);
  }
  return runs;
}

function place(
  core: Core,
  packets: Packets,
  blocks: readonly RamBlock[],
  zeros: ZeroRuns,
  startNs: bigint,
): boolean {
  const zerosOf = ({ name }: RamBlock): BlockRun[] => zeros.get(name) ?? [];
  const packed = blocks.map(
    (block) => block.size / PAGE - zerosOf(block).reduce((sum, { pages }) => sum + pages, 0),
  );
  const times = batchTimes(packets, packed);
  if (!times) return false;
  const judge = new Judge(core, times, startNs);
  let batch = 0;
  blocks.forEach((block, i) => {
    judge.block(block, zerosOf(block), batch);
    batch += Math.ceil(packed[i]! / times.size);
  });
  return true;
}

/** Pages of a block, ascending: guest pages by where the block lies in the guest. */
function pagesOfBlock(block: RamBlock, runs: readonly PageRun[]): BlockRun[] {
  const found: BlockRun[] = [];
  for (const { offset, gpa, size } of block.pieces) {
    const [first, last] = [gpa / PAGE, (gpa + size) / PAGE];
    for (const { gfn, pages } of runs) {
      const [from, to] = [Math.max(gfn, first), Math.min(gfn + pages, last)];
      if (from < to) found.push({ page: from - first + offset / PAGE, pages: to - from });
    }
  }
  // Several devices tell of one piece.
  const merged: BlockRun[] = [];
  for (const run of found.sort((a, b) => a.page - b.page)) {
    const last = merged.at(-1);
    const end = last === undefined ? 0 : last.page + last.pages;
    if (last === undefined || run.page > end) merged.push(run);
    else last.pages = Math.max(end, run.page + run.pages) - last.page;
  }
  return merged;
}

/** Hands the windows of batches to the core, as runs of guest pages. */
class Judge {
  readonly #core: Core;
  readonly #times: BatchTimes;
  readonly #startNs: bigint;

  constructor(core: Core, times: BatchTimes, startNs: bigint) {
    this.#core = core;
    this.#times = times;
    this.#startNs = startNs;
  }

  /** Pages of a block; `first`: number of its first batch. */
  block(block: RamBlock, zeros: readonly BlockRun[], first: number): void {
    let page = 0;
    let packed = 0;
    const pages = block.size / PAGE;
    const data = (until: number): void => {
      while (page < until) {
        const batch = first + Math.floor(packed / this.#times.size);
        const left = this.#times.size - (packed % this.#times.size);
        const count = Math.min(until - page, left);
        this.#pages(block, page, count, this.#times.from[batch]!, this.#times.until[batch]!);
        page += count;
        packed += count;
      }
    };
    for (const run of zeros) {
      data(run.page);
      // Looked at between the batch before and the one that it lies in.
      const batch = first + Math.floor(packed / this.#times.size);
      const from = this.#times.from[batch - 1] ?? 0;
      const until = this.#times.until[batch] ?? Number.POSITIVE_INFINITY;
      this.#pages(block, run.page, run.pages, from, until);
      page = run.page + run.pages;
    }
    data(pages);
  }

  /** Pages of the first block, where only how late each may have been sent is known: latestBatches(). */
  atMost(block: RamBlock, written: readonly BlockRun[], data: number): void {
    const { size, until } = this.#times;
    for (const run of latestBatches(block.size / PAGE, size, data, written)) {
      this.#pages(block, run.page, run.pages, 0, until[run.batch] ?? Number.POSITIVE_INFINITY);
    }
  }

  #pages({ pieces }: RamBlock, page: number, count: number, from: number, until: number): void {
    const begin = page * PAGE;
    const end = begin + count * PAGE;
    for (const { offset, gpa, size } of pieces) {
      const low = Math.max(begin, offset);
      const high = Math.min(end, offset + size);
      if (low >= high) continue;
      const first = Math.floor((gpa + low - offset) / PAGE);
      this.#core.exports.judgeFirstPass(
        first,
        (high - low) / PAGE,
        this.#ns(from),
        this.#ns(until),
      );
    }
  }

  /** Time on the recording's clock, 0 and a time that never comes as they are. */
  #ns(time: number): bigint {
    if (time === 0) return 0n;
    return time === Number.POSITIVE_INFINITY ? (1n << 63n) - 1n : this.#startNs + BigInt(time);
  }
}
