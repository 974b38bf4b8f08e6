/**
 * The Wasm core, loaded: the only file that knows of WebAssembly and of its memory. One instance
 * serves one replay and is then dropped with all its memory.
 */
import { instantiate } from "#core";
import { ABI } from "../../assembly/abi.ts";
import { EVIDENCE_SIZE, RowSet } from "../../assembly/page-abi.ts";
import { holdingLoop } from "../bytes/hold-loop.ts";
import { UsageError } from "../model/place.ts";
import type { PageRun } from "../model/result.ts";

/** The exports, with the types that the compiler of the core generated. */
export type CoreExports = Awaited<ReturnType<typeof instantiate>>;

/** A compiled core; make it once with `compileCore`. */
export type CoreModule = WebAssembly.Module;

/** Compiles the bytes of `core.wasm`. */
export function compileCore(bytes: BufferSource): Promise<CoreModule> {
  return holdingLoop(WebAssembly.compile(bytes));
}

/** Memory for guest pages is exhausted: the recording touches more of the guest than fits 4 GiB. */
export class OutOfMemory extends UsageError {
  constructor() {
    super("the recording touches more guest memory than the bitmaps of one replay can hold");
    this.name = "OutOfMemory";
  }
}

const EXPORT_BLOCKS = 1024;
const RUN_BATCH = 1024;

/** An instance with typed access to its memory. */
export class Core {
  readonly exports: CoreExports;
  readonly #scratch: number;
  #bytes: Uint8Array;
  #view: DataView;

  private constructor(exports: CoreExports) {
    this.exports = exports;
    this.#bytes = new Uint8Array(exports.memory.buffer);
    this.#view = new DataView(exports.memory.buffer);
    this.#scratch = exports.allocate(EXPORT_BLOCKS * 64);
  }

  /** A fresh instance with room for `rows` rows. Throws OutOfMemory. */
  static async create(module: CoreModule, rows: number): Promise<Core> {
    const exports = await instantiate(module, {});
    if (exports.abi() !== ABI) throw new Error(`bug: core has ABI ${exports.abi()}, not ${ABI}`);
    if (!exports.prepare(rows)) throw new OutOfMemory();
    return new Core(exports);
  }

  /** Linear memory as bytes. Growth of the memory detaches it: fetch it anew after each call. */
  get bytes(): Uint8Array {
    this.#refresh();
    return this.#bytes;
  }

  /** Linear memory as a DataView, same caution. */
  get view(): DataView {
    this.#refresh();
    return this.#view;
  }

  #refresh(): void {
    if (this.#bytes.buffer !== this.exports.memory.buffer) {
      this.#bytes = new Uint8Array(this.exports.memory.buffer);
      this.#view = new DataView(this.exports.memory.buffer);
    }
  }

  /** A u64 as a number: exact up to 2^53, which a count of events never passes. */
  u64(at: number): number {
    const view = this.view;
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x100000000;
  }

  /** Latin-1 text: one byte a character, as a command's name may hold anything. */
  text(at: number, length: number): string {
    const bytes = this.bytes.subarray(at, at + length);
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  }

  /** UTF-8 text, for what users wrote. */
  utf8(at: number, length: number): string {
    return new TextDecoder().decode(this.bytes.subarray(at, at + length));
  }

  /** Takes memory for the host and writes bytes there; 8 bytes more than asked are zero. */
  put(bytes: Uint8Array): number {
    const at = this.exports.allocate(bytes.length + 8);
    if (at === 0) throw new OutOfMemory();
    this.bytes.set(bytes, at);
    return at;
  }

  /** Runs of pages of a row's set, ascending; `limit` at most, and how many there are beyond it. */
  runs(row: number, set: RowSet, limit: number): { runs: PageRun[]; more: number } {
    const runs: PageRun[] = [];
    let more = 0;
    let from = 0;
    while (true) {
      const n = this.exports.setRuns(row, set, from, RUN_BATCH, this.#scratch);
      const view = this.view;
      for (let i = 0; i < n; i++) {
        const gfn = view.getUint32(this.#scratch + i * 8, true);
        const pages = view.getUint32(this.#scratch + i * 8 + 4, true);
        if (runs.length < limit) runs.push({ gfn, pages });
        else more++;
        from = gfn + pages;
      }
      if (n < RUN_BATCH || from > 0xffffffff) return { runs, more };
    }
  }

  /** The same, handed over one by one: for sets of any size. */
  eachRun(row: number, set: RowSet, use: (gfn: number, pages: number) => void): void {
    let from = 0;
    while (true) {
      const n = this.exports.setRuns(row, set, from, RUN_BATCH, this.#scratch);
      const words = new Uint32Array(this.exports.memory.buffer, this.#scratch, n * 2);
      for (let i = 0; i < n; i++) use(words[i * 2]!, words[i * 2 + 1]!);
      if (n > 0) from = words[n * 2 - 2]! + words[n * 2 - 1]!;
      if (n < RUN_BATCH || from > 0xffffffff) return;
    }
  }

  /** Number of pages of a row's set. */
  count(row: number, set: RowSet): number {
    let from = 0;
    let pages = 0;
    while (true) {
      const n = this.exports.setRuns(row, set, from, RUN_BATCH, this.#scratch);
      const view = this.view;
      for (let i = 0; i < n; i++) {
        const at = this.#scratch + i * 8;
        pages += view.getUint32(at + 4, true);
        from = view.getUint32(at, true) + view.getUint32(at + 4, true);
      }
      if (n < RUN_BATCH || from > 0xffffffff) return pages;
    }
  }

  /**
   * A row's set as a raw log image: bit n = page n, least significant bit first, `size` bytes.
   * `beyond` counts the pages that do not fit.
   */
  image(row: number, set: RowSet, size: number): { image: Uint8Array; beyond: number } {
    const image = new Uint8Array(size);
    const ever = set >= RowSet.EverWritten;
    let beyond = 0;
    let block = this.exports.nextBlock(0, ever);
    while (block < 1 << 23) {
      this.exports.exportSet(row, set, block, 1, this.#scratch);
      const at = block * 64;
      const bytes = this.bytes.subarray(this.#scratch, this.#scratch + 64);
      const fits = Math.max(0, Math.min(64, size - at));
      image.set(bytes.subarray(0, fits), Math.min(at, size));
      for (let i = fits; i < 64; i++) beyond += popcount8(bytes[i]!);
      block = this.exports.nextBlock(block + 1, ever);
    }
    return { image, beyond };
  }

  /** The highest page of a row's set, -1 when it is empty. */
  highest(row: number, set: RowSet): number {
    let highest = -1;
    const ever = set >= RowSet.EverWritten;
    let block = this.exports.nextBlock(0, ever);
    while (block < 1 << 23) {
      this.exports.exportSet(row, set, block, 1, this.#scratch);
      const bytes = this.bytes;
      for (let i = 63; i >= 0; i--) {
        const byte = bytes[this.#scratch + i]!;
        if (byte === 0) continue;
        highest = block * 512 + i * 8 + (31 - Math.clz32(byte));
        break;
      }
      block = this.exports.nextBlock(block + 1, ever);
    }
    return highest;
  }
}

/** Size of an EVIDENCE record, for readers of lists of them. */
export const evidenceSize = EVIDENCE_SIZE;

function popcount8(byte: number): number {
  let bits = byte - ((byte >> 1) & 0x55);
  bits = (bits & 0x33) + ((bits >> 2) & 0x33);
  return (bits + (bits >> 4)) & 0x0f;
}
