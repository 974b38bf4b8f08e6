/** Everything that is renamed, in one value: what an event goes through. */

import { NO_ADDRESS } from "../core/queue-record.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import { kernelAddresses, threadNumbers, userAddresses } from "./addresses.ts";
import { PagePermutation, type PermutationOptions } from "./page-permutation.ts";
import type { Prf } from "./prf.ts";
import { piecesOf } from "./regions.ts";
import { pageOf, rangeAt, type Survey } from "./survey.ts";
import { PAGES } from "./touched-pages.ts";
import { type Words, wordsOf } from "./words.ts";

const PAGE = BigInt(PAGE_BYTES);
const U64 = (value: bigint): bigint => BigInt.asUintN(64, value);
/** Seconds into the recording's clock at which a redacted recording begins: 1 to 2^20. */
const NS = 1_000_000_000n;

export interface MappingOptions extends PermutationOptions {
  /** Times stay as they are. */
  keepTimes: boolean;
}

/** The renaming of one set of recordings under one key. */
export class Mapping {
  readonly pages: PagePermutation;
  readonly words: Words;
  readonly kernel: (address: bigint) => bigint;
  readonly user: (space: number, address: bigint) => bigint;
  readonly pid: (pid: number) => number;
  readonly #keepTimes: boolean;
  readonly #prf: Prf;
  readonly #survey: Survey;
  readonly #blocks: Map<string, { file: number; base: bigint }>;
  /** Added to every host address of guest RAM. */
  readonly #hostShift: bigint;

  constructor(survey: Survey, prf: Prf, options: MappingOptions) {
    this.#prf = prf;
    this.#survey = survey;
    this.#blocks = survey.blocks();
    this.pages = new PagePermutation(
      piecesOf(survey.ranges, survey.touched, survey.borders),
      survey.touched,
      prf,
      options,
    );
    this.words = wordsOf(prf);
    this.kernel = kernelAddresses(survey.objects, prf);
    this.user = userAddresses(prf);
    this.pid = threadNumbers(prf);
    this.#keepTimes = options.keepTimes;
    const pages = (1n << 20n) + (prf("host", "") & ((1n << 33n) - 1n));
    // mmap() places RAM near the top of user space: down from there, up from anywhere else.
    const low = survey.ranges.reduce((least, { hva }) => (hva < least ? hva : least), NO_ADDRESS);
    this.#hostShift = low > 1n << 46n && low < 1n << 47n ? -pages * PAGE : pages * PAGE;
  }

  /** Added to every time on this clock, ns. */
  shift(clock: number): bigint {
    const first = this.#survey.firstNs.get(clock);
    if (this.#keepTimes || first === undefined) return 0n;
    return NS + (this.#prf("time", `${clock}`) % (NS << 20n)) - first;
  }

  /** A page's number after the redaction; pages behind 16 TiB stay behind. */
  page(page: number): number {
    if (page < PAGES) return this.pages.page(page);
    return PAGES + Number(this.#prf("page", `${page}`) % BigInt(2 ** 50));
  }

  /** A guest-physical address; ~0 is none and stays. */
  gpa(gpa: bigint): bigint {
    if (gpa === NO_ADDRESS) return gpa;
    return BigInt(this.page(pageOf(gpa))) * PAGE + (gpa % PAGE);
  }

  /** A piece of guest memory as the pieces that it becomes, in order. */
  pieces(gpa: bigint, len: bigint): { gpa: bigint; len: bigint }[] {
    const end = gpa + len;
    const whole = pageOf(end > gpa ? end - 1n : gpa) >= PAGES;
    const pieces: { gpa: bigint; len: bigint }[] = [];
    for (let at = gpa; pieces.length === 0 || at < end; ) {
      const page = pageOf(at);
      const to = this.gpa(at);
      const behind = whole ? end : BigInt(this.pages.behind(page)) * PAGE;
      const next = behind < end ? behind : end;
      const before = pieces.at(-1);
      if (before && before.gpa + before.len === to) before.len += next - at;
      else pieces.push({ gpa: to, len: next - at });
      at = next;
    }
    return pieces;
  }

  /** Where a region begins in QEMU: regions stay, only QEMU itself moves. */
  host(address: bigint): bigint {
    return address === 0n ? 0n : U64(address + this.#hostShift);
  }

  /** By how much a page of a RAM block moves, in bytes. */
  #blockMove(name: string, offset: bigint): bigint {
    const block = this.#blocks.get(name);
    if (!block) return 0n;
    const host = U64(block.base + offset);
    const range = rangeAt(this.#survey.ranges, block.file, host);
    if (!range) return 0n;
    const page = pageOf(range.gpa + host - range.hva);
    return page < PAGES ? BigInt(this.pages.move(page)) * PAGE : 0n;
  }

  /** Offset in a RAM block and host address of a page that is sent or received. */
  ramPage(name: string, offset: bigint, host: bigint): { offset: bigint; host: bigint } {
    const move = this.#blockMove(name, offset);
    return { offset: U64(offset + move), host: U64(this.host(host) + move) };
  }

  /** Low 32 bits of a SCSI tag. */
  tag(space: number, tag: bigint): bigint {
    return this.#prf("tag", `${space} ${tag}`) & 0xffff_ffffn;
  }
}
