/** mapped-ram migration files: one that QEMU 10.0 made, and made ones. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { compareGuestImages } from "../../src/memory/compare-guest-images.ts";
import { openMappedRam, pagesInFile } from "../../src/memory/mapped-ram.ts";
import { sentPages } from "../../src/memory/mapped-ram-image.ts";
import { openGuestImage, openSentPages } from "../../src/memory/open-guest-image.ts";
import { parseMemoryMap } from "../../src/memory/read-memory-map.ts";
import { RecordingError } from "../../src/model/place.ts";
import { pagesOf } from "../support/make-elf-dump.ts";
import { makeMappedRam } from "../support/make-mapped-ram.ts";
import { memorySource, memorySurroundings } from "../support/memory-source.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/migration");
const bytesOf = (name: string) => readFileSync(join(FIXTURES, name));
const textOf = (name: string) => ({ name, text: bytesOf(name).toString("latin1") });
const source = (bytes: Uint8Array, name = "m.mapped") => memorySource(name, bytes);
const openBytes = (bytes: Uint8Array) => openMappedRam("m.mapped", source(bytes).random!());

async function refusal(opening: Promise<unknown>): Promise<string> {
  try {
    await opening;
  } catch (error) {
    expect(error).toBeInstanceOf(RecordingError);
    return (error as Error).message;
  }
  throw new Error("it was opened");
}

describe("a file that QEMU 10.0 made", () => {
  const map = parseMemoryMap([textOf("q10-mtree.txt"), textOf("q10-ramblock.txt")]);
  const file = gunzipSync(bytesOf("q10.mapped.gz"));

  test("its blocks are those of info ramblock", async () => {
    const { machine, blocks } = await openBytes(file);
    expect(machine).toBe("pc-i440fx-10.0");
    const names = new Map(map.blocks.map(({ name, used }) => [name, used]));
    expect(new Map(blocks.map(({ name, size }) => [name, size]))).toEqual(names);
  });

  test("as many pages have data as info migrate says: 11 of 594", async () => {
    const opened = await openBytes(file);
    let data = 0;
    let all = 0;
    for (const block of opened.blocks) {
      data += (await pagesInFile(opened, block)).pages;
      all += block.size / 4096;
    }
    expect([data, all]).toEqual([11, 594]);
  });

  test("its memory equals pmemsave", async () => {
    const image = await openGuestImage(source(file), memorySurroundings, { map });
    const raw = await openGuestImage(source(bytesOf("q10.raw.gz"), "raw"), memorySurroundings);
    const { compared, differing } = await compareGuestImages(image, raw);
    expect([compared.pages, differing.pages]).toEqual([512, 0]);
  });

  test("sent pages: the loader's six, and the firmware's at both addresses", async () => {
    const opened = await openSentPages(source(bytesOf("q10.mapped.gz")), memorySurroundings);
    const sent = await sentPages(opened, map);
    const pages = [0x10, 0x11, 0x12, 0x15, 0x19, 0x2f, 0xff, 0xfffff];
    expect([...sent.data].flatMap(({ gfn, pages: n }) => (n === 1 ? [gfn] : [gfn, n]))).toEqual([
      ...[0x10, 3, 0x15, 0x19, 0x2f, 0xff, 0xfffff],
    ]);
    for (const gfn of pages) expect(sent.data.has(gfn)).toBe(true);
    expect(sent.zero.has(0x13)).toBe(true);
    expect(sent.data.intersect(sent.zero).pages).toBe(0);
    expect(sent.unmapped).toContain("/rom@etc/acpi/tables");
  });

  test("without a memory map it cannot be read", async () => {
    expect(await refusal(openGuestImage(source(file), memorySurroundings))).toMatch(
      /^m\.mapped: expected a memory map with it \(--mtree FILE/,
    );
  });
});

const VIEW = `FlatView #0
 AS "memory", root: system
 Root memory region: system
  0000000000000000-0000000000001fff (prio 0, ram): ram
  0000000000004000-0000000000005fff (prio 0, ram): ram @0000000000002000
  0000000000008000-0000000000009fff (prio 0, ram): vga
`;
const map = parseMemoryMap([{ name: "v", text: VIEW }]);
const [one, two, three] = [pagesOf(1), pagesOf(2), pagesOf(3)];

describe("made files", () => {
  test("offsets of blocks become guest pages; no bit means zeroes", async () => {
    const bytes = makeMappedRam([
      { name: "ram", pages: [one, null, null, two] },
      { name: "0000:02/vga", pages: [null, three] },
      { name: "other", pages: [one] },
    ]);
    const sent = await sentPages(await openBytes(bytes), map);
    expect([...sent.data]).toEqual([
      { gfn: 0, pages: 1 },
      { gfn: 5, pages: 1 },
      { gfn: 9, pages: 1 },
    ]);
    expect([...sent.zero]).toEqual([
      { gfn: 1, pages: 1 },
      { gfn: 4, pages: 1 },
      { gfn: 8, pages: 1 },
    ]);
    expect(sent.unmapped).toEqual(["other"]);
    const image = await openGuestImage(source(bytes), memorySurroundings, { map });
    expect(image.pages.pages).toBe(6);
    const two4 = new Uint8Array(8192);
    await image.read(two4, 4);
    expect([two4[0], two4[4095], two4[4096], two4[8191]]).toEqual([0, 0, 2, 2]);
    await image.read(two4, 8);
    expect([two4[0], two4[4096]]).toEqual([0, 3]);
  });

  test("blocks that x-ignore-shared leaves out, with and without a place in the file", async () => {
    const capabilities = ["x-ignore-shared", "mapped-ram"];
    const bytes = makeMappedRam(
      [
        { name: "vga", pages: [null, null], ignored: true },
        { name: "ram", pages: [one, two] },
      ],
      { capabilities },
    );
    const opened = await openBytes(bytes);
    expect(opened.blocks.map(({ ignored }) => ignored)).toEqual([true, false]);
    const sent = await sentPages(opened, map);
    expect(sent.data.pages).toBe(2);
    expect(sent.zero.pages).toBe(0);
  });

  test("a section of unknown length before RAM is stepped over", async () => {
    const early = Buffer.from(
      "\x04\0\0\0\x09\x05early\0\0\0\0\0\0\0\x01\x01\0\0\0\x02\x03rax",
      "latin1",
    );
    const bytes = makeMappedRam([{ name: "ram", pages: [one] }], { before: early });
    expect((await openBytes(bytes)).blocks.map(({ name }) => name)).toEqual(["ram"]);
    const command = Buffer.from([8, 0, 1, 0, 2, 9, 9]);
    const commanded = makeMappedRam([{ name: "ram", pages: [one] }], { before: command });
    expect((await openBytes(commanded)).blocks.length).toBe(1);
  });

  test("two blocks that the map cannot tell apart", async () => {
    const bytes = makeMappedRam([
      { name: "a/vga", pages: [one] },
      { name: "b/vga", pages: [two] },
    ]);
    expect(await refusal(openBytes(bytes).then((opened) => sentPages(opened, map)))).toMatch(
      /tells RAM blocks apart .*found vga, which may be a\/vga or b\/vga/,
    );
  });

  test("what cannot be read is told", async () => {
    const blocks = [{ name: "ram", pages: [one, null] }];
    const bytes = makeMappedRam(blocks);
    expect(await refusal(openBytes(makeMappedRam(blocks, { capabilities: [] })))).toMatch(
      /^m\.mapped: expected a migration file with the capability mapped-ram/,
    );
    expect(await refusal(openBytes(bytes.subarray(0, bytes.length - 9)))).toMatch(
      /found a file of \d+ bytes: it is cut off, or the migration did not complete/,
    );
    expect(await refusal(openBytes(bytes.subarray(0, 60)))).toMatch(/found the end of the file/);
    expect(await refusal(openBytes(makeMappedRam(blocks, { headerVersion: 2 })))).toMatch(
      /expected a mapped-ram header of version 1, found 2/,
    );
    expect(await refusal(openBytes(Buffer.from("QEVM\0\0\0\x02")))).toMatch(
      /of version 3, found 2/,
    );
    const empty = makeMappedRam([{ name: "ram", pages: [null, null] }]);
    expect(await refusal(openBytes(empty).then((opened) => sentPages(opened, map)))).toMatch(
      /expected a migration that completed/,
    );
    const foreign = makeMappedRam([{ name: "mem9", pages: [one] }]);
    expect(await refusal(openBytes(foreign).then((opened) => sentPages(opened, map)))).toMatch(
      /expected a RAM block that the memory map has, found only mem9/,
    );
    expect(await refusal(openSentPages(source(pagesOf(1)), memorySurroundings))).toMatch(
      /^m\.mapped: expected a migration file with the capability mapped-ram, found/,
    );
  });

  test("damage at any byte of the tables is an error or a file, never more", async () => {
    const bytes = makeMappedRam([{ name: "ram", pages: [one, null] }]);
    const tables = bytes.indexOf(1, 100) + 200;
    for (let at = 0; at < tables; at += 1) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = value;
        try {
          await sentPages(await openBytes(damaged), map);
        } catch (error) {
          expect(error, `byte ${at}`).toBeInstanceOf(RecordingError);
        }
      }
    }
  });
});
