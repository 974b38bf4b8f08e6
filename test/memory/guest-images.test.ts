/** Images of guest memory: ELF dumps of real QEMUs and made ones, raw memory, and comparing them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { compareGuestImages } from "../../src/memory/compare-guest-images.ts";
import type { GuestImage } from "../../src/memory/guest-image.ts";
import { type ImageOptions, openGuestImage } from "../../src/memory/open-guest-image.ts";
import { eachPage } from "../../src/model/page-runs.ts";
import { RecordingError } from "../../src/model/place.ts";
import { fileSource } from "../../src/node/index.ts";
import { sameBytes } from "../../src/node/same-bytes.ts";
import { makeElfDump, pagesOf } from "../support/make-elf-dump.ts";
import { memorySource, memorySurroundings } from "../support/memory-source.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/migration");

function open(bytes: Uint8Array, options: ImageOptions = {}, name = "a.elf"): Promise<GuestImage> {
  return openGuestImage(memorySource(name, bytes), memorySurroundings, options);
}
const openFile = (name: string, options: ImageOptions = {}) =>
  openGuestImage(fileSource(join(FIXTURES, name)), memorySurroundings, options);

async function pageOf(image: GuestImage, gfn: number): Promise<Uint8Array> {
  const page = new Uint8Array(4096);
  await image.read(page, gfn);
  return page;
}

async function refusal(opening: Promise<unknown>): Promise<string> {
  try {
    await opening;
  } catch (error) {
    expect(error).toBeInstanceOf(RecordingError);
    return (error as Error).message;
  }
  throw new Error("it was opened");
}

describe("ELF dumps", () => {
  test.each([
    { bits: 64, bigEndian: false },
    { bits: 64, bigEndian: true },
    { bits: 32, bigEndian: false },
    { bits: 32, bigEndian: true },
  ] as const)("are read by physical address: %j", async (options) => {
    const high = options.bits === 64 ? 0x100000000 : 0x80000000;
    const image = await open(
      makeElfDump(
        [
          { paddr: high, bytes: pagesOf(3, 4) },
          { paddr: 0x1000, bytes: pagesOf(1, 2) },
        ],
        options,
      ),
    );
    expect([...image.pages]).toEqual([
      { gfn: 1, pages: 2 },
      { gfn: high / 4096, pages: 2 },
    ]);
    expect((await pageOf(image, 2))[4095]).toBe(2);
    expect((await pageOf(image, high / 4096))[0]).toBe(3);
    expect(image.format).toContain(`ELF${options.bits}, ${options.bigEndian ? "big" : "little"}`);
  });

  test("more than 65534 headers: their number is in section header 0", async () => {
    const bytes = Uint8Array.of(1);
    const segments = Array.from({ length: 70000 }, (_, index) => ({
      paddr: index * 0x3000,
      bytes,
    }));
    segments.push({ paddr: 70000 * 0x3000, bytes: pagesOf(9) as Uint8Array<ArrayBuffer> });
    const image = await open(makeElfDump(segments, { extended: true }));
    expect([...image.pages]).toEqual([{ gfn: 210000, pages: 1 }]);
    expect(image.notes).toEqual(["70000 pages lie only partly in the file and count as missing"]);
    expect((await pageOf(image, 210000))[7]).toBe(9);
  });

  test("a page across two segments is whole, a cut one is missing", async () => {
    const page = pagesOf(5, 6);
    const image = await open(
      makeElfDump([
        { paddr: 0x1000, bytes: page.subarray(0, 4096 + 100) },
        { paddr: 0x2064, bytes: page.subarray(4096 + 100) },
        { paddr: 0x5800, bytes: pagesOf(7) },
      ]),
    );
    expect([...image.pages]).toEqual([{ gfn: 1, pages: 2 }]);
    expect([...(await pageOf(image, 2))]).toEqual([...page.subarray(4096)]);
    expect(image.notes[0]).toMatch(/^2 pages lie only partly/);
  });

  test("memory of a segment that is not in the file is missing", async () => {
    const image = await open(makeElfDump([{ paddr: 0, bytes: pagesOf(1), memsz: 0x3000 }]));
    expect(image.pages.pages).toBe(1);
    expect(image.notes[0]).toMatch(/^8192 bytes of its segments are not in the file/);
  });

  test("one part of memory in several headers (dumps with paging) is one part", async () => {
    const bytes = pagesOf(1, 2, 3);
    const first = makeElfDump([
      { paddr: 0x1000, bytes },
      { paddr: 0x2000, bytes: pagesOf(8), offset: 0 },
    ]);
    const base = first.length - bytes.length;
    const alias = makeElfDump([
      { paddr: 0x1000, bytes },
      { paddr: 0x2000, bytes: pagesOf(8), offset: base + 4096 },
    ]);
    const image = await open(alias);
    expect([...image.pages]).toEqual([{ gfn: 1, pages: 3 }]);
    expect((await pageOf(image, 2))[0]).toBe(2);
    expect(await refusal(open(first))).toMatch(
      /^a\.elf@0xb0: expected each address in one segment, found 0x2000 in two/,
    );
  });

  test("what is cut off or foreign is refused in one line", async () => {
    const whole = makeElfDump([{ paddr: 0x1000, bytes: pagesOf(1, 2) }]);
    expect(await refusal(open(whole.subarray(0, whole.length - 1)))).toMatch(
      /^a\.elf@0x78: expected memory from 0x1000 up to byte 8368 of the file, found a file of 8367/,
    );
    expect(await refusal(open(whole.subarray(0, 100)))).toMatch(/expected the program headers/);
    expect(await refusal(open(whole.subarray(0, 40)))).toMatch(/expected the ELF header/);
    expect(await refusal(open(whole.subarray(0, 10)))).toMatch(/^a\.elf: expected an ELF file/);
    expect(await refusal(open(makeElfDump([], { type: 3 })))).toMatch(
      /^a\.elf@0x10: expected an ELF core file \(ET_CORE\), found e_type 3/,
    );
    const far = makeElfDump([{ paddr: 2n ** 60n, bytes: pagesOf(1) }]);
    expect(await refusal(open(far))).toMatch(
      /expected a number below 2\^53, found 0x1000000000000000/,
    );
  });

  test("damage at any byte of the headers is an error or an image, never more", async () => {
    const whole = makeElfDump([{ paddr: 0x1000, bytes: pagesOf(1, 2) }], { extended: true });
    for (let at = 4; at < whole.length - 8192; at += 1) {
      for (const value of [0, 0x7f, 0xff]) {
        const damaged = whole.slice();
        damaged[at] = value;
        try {
          const image = await open(damaged);
          for (const { gfn } of image.pages.first(2)) await pageOf(image, gfn);
        } catch (error) {
          expect(error, `byte ${at}`).toBeInstanceOf(RecordingError);
        }
      }
    }
  });

  test("kdump-compressed dumps and recordings are told as such", async () => {
    for (const magic of ["makedumpfile\0\0\0\0", "KDUMP   ", "DISKDUMP"]) {
      const bytes = Buffer.concat([Buffer.from(magic), new Uint8Array(4096 - magic.length)]);
      expect(await refusal(open(bytes, {}, "a"))).toMatch(
        /^a: expected an ELF dump \(dump-guest-memory without -z, .*found a kdump-compressed one/,
      );
    }
    const json = Buffer.from('{"event":"sync"}\n'.padEnd(4096, "\n"));
    expect(await refusal(open(json, {}, "a"))).toBe("a: expected guest memory, found text");
    expect(await refusal(open(new Uint8Array(4097), {}, "a"))).toMatch(
      /found 4097 bytes of something/,
    );
    expect(await refusal(open(new Uint8Array(0), {}, "a"))).toMatch(
      /found 0 bytes of something else/,
    );
  });
});

describe("dumps that QEMU made", () => {
  test.each(["q72", "q10"])("%s: dump-guest-memory equals pmemsave", async (version) => {
    const dump = await openFile(`${version}.elf.gz`);
    // 2 MiB from 0 and the firmware below 4 GiB.
    expect([...dump.pages]).toEqual([
      { gfn: 0, pages: 512 },
      { gfn: 0xffff0, pages: 16 },
    ]);
    const raw = await openFile("q10.raw.gz");
    const { compared, differing, onlyInFirst, holes } = await compareGuestImages(dump, raw);
    expect(compared.pages).toBe(512);
    expect(differing.pages).toBe(0);
    expect(onlyInFirst.pages).toBe(16);
    expect(holes.pages).toBe(0xffff0 - 512);
    // Written there by -device loader.
    const text = new TextDecoder().decode((await pageOf(dump, 0x15)).subarray(0, 14));
    expect(text).toBe("page 00000015 ");
  });

  test("RAM of both sides of a migration differs as the recording's own comparison says", async () => {
    const file = join(import.meta.dirname, "../../traces/migration/6.1/differ.txt");
    const listed = readFileSync(file, "utf8").match(/^0x\w+/gm) ?? [];
    const { compared, differing } = await compareGuestImages(
      await openFile("6.1-ram-src.bin.gz"),
      await openFile("6.1-ram-dst.bin.gz"),
      { equal: sameBytes },
    );
    expect(compared.pages).toBe(8192);
    expect([...eachPage([...differing])]).toEqual(listed.map(Number));
    expect(differing.pages).toBe(1899);
  });
});

describe("comparing", () => {
  const raw = (bytes: Uint8Array, base = 0) => open(bytes, { base }, "raw");

  test("finds each differing page, pages of one side, and holes, with both ways to compare", async () => {
    const a = await open(
      makeElfDump([
        { paddr: 0, bytes: pagesOf(1, 2, 3, 4) },
        { paddr: 0x10000, bytes: pagesOf(5, 6) },
      ]),
    );
    const other = pagesOf(2, 9, 4, 5, 9);
    other[4096 * 3 - 1] = 7;
    const b = await open(
      makeElfDump([
        { paddr: 0x1000, bytes: other.subarray(0, 3 * 4096) },
        { paddr: 0x10000, bytes: other.subarray(3 * 4096) },
        { paddr: 0x20000, bytes: pagesOf(0) },
      ]),
    );
    for (const equal of [undefined, sameBytes]) {
      const found = await compareGuestImages(a, b, equal ? { equal } : {});
      expect([...found.compared]).toEqual([
        { gfn: 1, pages: 3 },
        { gfn: 16, pages: 2 },
      ]);
      expect([...found.differing]).toEqual([
        { gfn: 2, pages: 2 },
        { gfn: 17, pages: 1 },
      ]);
      expect([...found.onlyInFirst]).toEqual([{ gfn: 0, pages: 1 }]);
      expect([...found.onlyInSecond]).toEqual([{ gfn: 32, pages: 1 }]);
      expect([...found.holes]).toEqual([
        { gfn: 4, pages: 12 },
        { gfn: 18, pages: 14 },
      ]);
    }
  });

  test("beyond one chunk: 700 pages, every seventh differs in one bit", async () => {
    const bytes = new Uint8Array(700 * 4096);
    const changed = bytes.slice();
    for (let page = 0; page < 700; page += 7) changed[page * 4096 + (page % 4096)]! ^= 1;
    const progress: number[] = [];
    const { differing } = await compareGuestImages(await raw(bytes), await raw(changed), {
      onProgress: (pages) => progress.push(pages),
    });
    expect([...differing].map(({ gfn }) => gfn)).toEqual(
      Array.from({ length: 100 }, (_, index) => index * 7),
    );
    expect(progress).toEqual([256, 512, 700]);
  });

  test("raw memory lies where the user says; compressed files are the same", async () => {
    const image = await raw(gzipSync(pagesOf(1, 2)), 0x100000000);
    expect([...image.pages]).toEqual([{ gfn: 0x100000, pages: 2 }]);
    expect((await pageOf(image, 0x100001))[0]).toBe(2);
    const { compared } = await compareGuestImages(image, await raw(pagesOf(1, 2)));
    expect(compared.pages).toBe(0);
  });

  test("stops when told to", async () => {
    const image = await raw(pagesOf(1));
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(compareGuestImages(image, image, { signal })).rejects.toThrow("enough");
  });
});
