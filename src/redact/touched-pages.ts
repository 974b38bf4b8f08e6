/**
 * Guest pages that devices touch, and which neighbours one buffer or ring lies over. A bit each per
 * page, for the 2 MiB blocks where anything lies: 192 bytes a block.
 */
import { UsageError } from "../model/place.ts";

const BLOCK_PAGES = 512;
const WORDS = BLOCK_PAGES / 32;
/** 512 GiB of guest memory in which devices were busy; about 80 MiB here. */
const MAX_BLOCKS = 1 << 18;
/** 16 TiB: the guest-physical space of the replay (GPA_BITS of assembly/abi.ts). */
export const PAGES = 2 ** 32;

function setBits(words: Uint32Array, base: number, from: number, to: number): void {
  for (let at = from; at <= to; ) {
    const end = Math.min(to, at | 31);
    words[base + (at >>> 5)]! |= (0xffffffff >>> (31 - (end - at))) << (at & 31);
    at = end + 1;
  }
}

/**
 * How strongly pages of one piece hold together. A ring, or a buffer of a device of QEMU's own, must
 * stay in one piece; a descriptor of vhost can be told as two.
 */
export type Tie = "firm" | "loose";

/** Which pages were touched, and which of them belong together. */
export class TouchedPages {
  /** Of a block: WORDS of touched pages, then of firm and of loose ties to the next page. */
  readonly #blocks = new Map<number, Uint32Array>();
  #last = -1;
  #lastWords: Uint32Array | null = null;

  #block(block: number): Uint32Array {
    if (block === this.#last) return this.#lastWords!;
    let words = this.#blocks.get(block);
    if (!words) {
      if (this.#blocks.size >= MAX_BLOCKS) {
        throw new UsageError(
          "redact: devices touch more than 512 GiB of guest memory in this recording; redact parts of it",
        );
      }
      words = new Uint32Array(3 * WORDS);
      this.#blocks.set(block, words);
    }
    this.#last = block;
    this.#lastWords = words;
    return words;
  }

  /** One piece of memory over the pages `first` to `last`. */
  add(first: number, last: number, tie: Tie): void {
    const end = Math.min(last, PAGES - 1);
    // What goes on behind the end of the space is tied to its end.
    const tied = last >= PAGES ? end : end - 1;
    for (let page = first; page <= end; ) {
      const block = Math.floor(page / BLOCK_PAGES);
      const start = block * BLOCK_PAGES;
      const stop = Math.min(end, start + BLOCK_PAGES - 1);
      const words = this.#block(block);
      setBits(words, 0, page - start, stop - start);
      const link = Math.min(tied, stop);
      const base = tie === "firm" ? WORDS : 2 * WORDS;
      if (link >= page) setBits(words, base, page - start, link - start);
      page = stop + 1;
    }
  }

  /** Whether a page was touched. */
  has(page: number): boolean {
    return this.#bit(page, 0);
  }

  /** Whether a page and the next one are tied so. */
  tied(page: number, tie: Tie): boolean {
    return this.#bit(page, tie === "firm" ? WORDS : 2 * WORDS);
  }

  #bit(page: number, base: number): boolean {
    const block = Math.floor(page / BLOCK_PAGES);
    const words = block === this.#last ? this.#lastWords : this.#blocks.get(block);
    if (!words) return false;
    const at = page - block * BLOCK_PAGES;
    return ((words[base + (at >>> 5)]! >>> (at & 31)) & 1) !== 0;
  }

  /** Touched pages of [first, end), ascending. */
  *within(first: number, end: number, blocks = this.sortedBlocks()): Generator<number> {
    let low = 0;
    let high = blocks.length;
    const from = Math.floor(first / BLOCK_PAGES);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (blocks[middle]! < from) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < blocks.length; i += 1) {
      const start = blocks[i]! * BLOCK_PAGES;
      if (start >= end) return;
      const words = this.#blocks.get(blocks[i]!)!;
      for (let word = 0; word < WORDS; word += 1) {
        for (let bits = words[word]!; bits !== 0; bits &= bits - 1) {
          const page = start + word * 32 + (31 - Math.clz32(bits & -bits));
          if (page >= first && page < end) yield page;
        }
      }
    }
  }

  /** Numbers of the blocks where anything lies, ascending: for `within`, when it is called often. */
  sortedBlocks(): Float64Array {
    return Float64Array.from(this.#blocks.keys()).sort();
  }
}
