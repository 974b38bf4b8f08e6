/** Memory maps of real QEMUs (7.2, 10.0), and damaged ones. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseMemoryMap, readMemoryMap } from "../../src/memory/read-memory-map.ts";
import { RecordingError } from "../../src/model/place.ts";
import { memorySource } from "../support/memory-source.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/migration");
const file = (name: string) => ({ name, text: readFileSync(join(FIXTURES, name), "latin1") });

const PC_192_MIB = [
  ["pc.ram", 0, 0, 0xc3000, false],
  ["pc.ram", 0xc3000, 0xc3000, 0x25000, true],
  ["pc.ram", 0xe8000, 0xe8000, 0x8000, false],
  ["pc.ram", 0xf0000, 0xf0000, 0x10000, true],
  ["pc.ram", 0x100000, 0x100000, 0xbf00000, false],
  ["pc.bios", 0, 0xfffc0000, 0x40000, true],
];
const rows = (map: ReturnType<typeof parseMemoryMap>) =>
  map.ranges.map((range) => [range.block, range.offset, range.gpa, range.size, range.readonly]);

describe("info mtree -f and info ramblock", () => {
  test.each(["7.2", "10.0"])("of QEMU %s: the view of the address space memory", (version) => {
    const map = parseMemoryMap([
      file(`info-mtree-f-${version}.txt`),
      file(`info-ramblock-${version}.txt`),
    ]);
    expect(rows(map)).toEqual(PC_192_MIB);
    expect(map.notes).toEqual([]);
    expect(map.blocks.map(({ name, total }) => [name, total])).toEqual([
      ["pc.ram", 0xc000000],
      ["/rom@etc/acpi/tables", 0x200000],
      ["pc.bios", 0x40000],
      ["pc.rom", 0x20000],
      ["/rom@etc/table-loader", 0x10000],
      ["/rom@etc/acpi/rsdp", 0x1000],
    ]);
  });

  test("the columns HVA and RO are there in 10.0 and not in 7.2", () => {
    const [old, young] = ["7.2", "10.0"].map((version) =>
      parseMemoryMap([file(`info-mtree-f-${version}.txt`), file(`info-ramblock-${version}.txt`)]),
    );
    expect(old!.blocks[0]).toMatchObject({ hva: null, readonly: null, pageSize: 4096 });
    expect(young!.blocks[0]).toMatchObject({ hva: 0x7f5003e00000, readonly: false });
    expect(young!.blocks[1]).toMatchObject({ readonly: true, used: 0x20000 });
    expect(old!.blockAtHva(0x7f5003e00000)).toBeUndefined();
    expect(young!.blockAtHva(0x7f5003e01234)).toEqual({ block: "pc.ram", offset: 0x1234 });
    expect(young!.blockAtHva(0x7f5003dfffff)).toBeUndefined();
  });

  test("a QMP transcript has the answer as a JSON string", async () => {
    const { name, text } = file("qmp-mtree.jsonl");
    const map = parseMemoryMap([{ name, text }]);
    expect(map.at(0x1ffffff)).toMatchObject({ block: "pc.ram", offset: 0x100000 });
    expect(map.at(0x2000000)).toBeUndefined();
    const compressed = memorySource("m.jsonl.gz", gzipSync(text), 1000);
    expect(rows(await readMemoryMap([compressed]))).toEqual(rows(map));
    const bare = JSON.stringify({ return: file("info-ramblock-7.2.txt").text });
    expect(
      parseMemoryMap([
        { name, text },
        { name: "r", text: bare },
      ]).blocks.length,
    ).toBe(6);
  });

  test("a monitor's prompt around the answers does no harm", () => {
    const text = `(qemu) info mtree -f\r\n${file("info-mtree-f-7.2.txt").text}(qemu) info ramblock\n${file("info-ramblock-7.2.txt").text}(qemu) quit\n`;
    const map = parseMemoryMap([{ name: "m.txt", text }]);
    expect(rows(map)).toEqual(PC_192_MIB);
    expect(map.blocks.length).toBe(6);
  });
});

const VIEW = `FlatView #0
 AS "I/O", root: io
 Root memory region: io
  0000000000000000-0000000000000007 (prio 0, i/o): dma-chan

FlatView #1
 AS "memory", root: system
 AS "cpu-memory-0", root: system, alias x
 Root memory region: system
  0000000000000000-000000007fffffff (prio 0, ram): mem0 KVM
  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram
  00000000feb00000-00000000febfffff (prio 1, ramd): 0000:01:00.0 BAR 0 mmaps[0] @0000000000001000 owner:{obj path=/x}
  00000000ffe00000-00000000ffffffff (prio 0, romd): system.flash0
  0000000100000000-00000001ffffffff (prio 0, ram): mem0 @0000000080000000
  0000000240000000-000000024fffffff (prio 0, nv-ram): nvdimm1
  0000008000000000-ffffffffffffffff (prio 0, i/o): pci-hole64

`;
const BLOCKS = `              Block Name    PSize              Offset               Used              Total
                    mem0    2 MiB  0x0000000000000000 0x0000000180000000 0x0000000180000000
   0000:00:02.0/vga.vram    4 KiB  0x0000000180080000 0x0000000001000000 0x0000000001000000
`;
const text = (name: string, content: string) => ({ name, text: content });

describe("lookups", () => {
  const map = parseMemoryMap([text("m", VIEW), text("b", BLOCKS)]);

  test("offset to address and back, across the hole below 4 GiB", () => {
    expect(map.gpaOf("mem0", 0x7ffff000)).toBe(0x7ffff000);
    expect(map.gpaOf("mem0", 0x80000000)).toBe(0x100000000);
    expect(map.blockAt(0x100001234)).toEqual({ block: "mem0", offset: 0x80001234 });
    expect(map.gpaOf("mem0", 0x180000000)).toBe(-1);
    expect(map.gpaOf("other", 0)).toBe(-1);
    expect(map.blockAt(0x80000000)).toBeUndefined();
    expect(map.guestRuns("mem0", 0x7fffe, 4)).toEqual([
      { gfn: 0x7fffe, pages: 2 },
      { gfn: 0x100000, pages: 2 },
    ]);
  });

  test("a region belongs to the block whose name ends in it", () => {
    expect(map.gpaOf("0000:00:02.0/vga.vram", 0x1000)).toBe(0xfd001000);
    expect(map.blockAt(0xfd000000)?.block).toBe("0000:00:02.0/vga.vram");
    const without = parseMemoryMap([text("m", VIEW)]);
    expect(without.gpaOf("0000:00:02.0/vga.vram", 0)).toBe(0xfd000000);
    const two = BLOCKS.replace(/^.*vga.*\n/m, "$&").concat(
      "   0000:00:03.0/vga.vram    4 KiB  0x0000000190080000 0x0000000001000000 0x0000000001000000\n",
    );
    const ambiguous = parseMemoryMap([text("m", VIEW), text("b", two)]);
    expect(ambiguous.gpaOf("0000:00:02.0/vga.vram", 0)).toBe(-1);
    expect(ambiguous.at(0xfd000000)?.block).toBe("vga.vram");
  });

  test("kinds, names with spaces, accelerators, owners", () => {
    expect(map.ranges.map(({ block, kind, offset }) => [block, kind, offset])).toEqual([
      ["mem0", "ram", 0],
      ["0000:00:02.0/vga.vram", "ram", 0],
      ["0000:01:00.0 BAR 0 mmaps[0]", "ramd", 0x1000],
      ["system.flash0", "romd", 0],
      ["mem0", "ram", 0x80000000],
      ["nvdimm1", "ram", 0],
    ]);
    expect(map.at(0xffe00000)?.readonly).toBe(true);
  });

  test("covers: bytes outside every region are found", () => {
    expect(map.covers(0x7ffffff8, 8)).toBe(true);
    expect(map.covers(0x7ffffff8, 9)).toBe(false);
    expect(map.covers(0xfffffff0, 32)).toBe(true);
    expect(map.covers(0x8000000000)).toBe(false);
  });

  test("one offset may be at several addresses", () => {
    const real = parseMemoryMap([file("q10-mtree.txt"), file("q10-ramblock.txt")]);
    expect(real.gpasOf("pc.bios", 0x10)).toEqual([0xf0010, 0xffff0010]);
    expect(real.gpasOf("pc.bios", 0x10000)).toEqual([]);
  });
});

describe("what cannot be read is told with its place", () => {
  const failing = (...files: { name: string; text: string }[]) => {
    try {
      parseMemoryMap(files);
    } catch (error) {
      expect(error).toBeInstanceOf(RecordingError);
      return (error as Error).message;
    }
    throw new Error("it was read");
  };

  test("a damaged line of the view", () => {
    const damaged = VIEW.replace("-00000000fdffffff", "-00000000fdfff");
    expect(failing(text("m", damaged))).toMatch(/^m:11: expected a line of a flat view such as/);
    // The other views are not of interest.
    const other = VIEW.replace("(prio 0, i/o): dma-chan", "(prio");
    expect(parseMemoryMap([text("m", other)]).ranges.length).toBe(6);
  });

  test("ranges out of order, addresses beyond 2^53", () => {
    const swapped = VIEW.replace("00000000fd000000-", "000000007d000000-");
    expect(failing(text("m", swapped))).toMatch(/^m:11: expected ranges in ascending order/);
    const high = VIEW.replace("00000000fd000000-", "ff000000fd000000-");
    expect(failing(text("m", high))).toMatch(/^m:11: expected an address below 2\^53/);
  });

  test("inside a transcript: the line of the file and of the answer", () => {
    const line = JSON.stringify({
      return: VIEW.replace("0, ram", ""),
    });
    expect(failing(text("m.jsonl", `{"QMP":1}\n${line}\n`))).toMatch(
      /^m\.jsonl:2 \(its line 10\): /,
    );
    expect(failing(text("m.jsonl", '{"return": "FlatView #'))).toMatch(
      /^m\.jsonl:1: expected one JSON/,
    );
  });

  test("a damaged table, no answer at all, no view", () => {
    const damaged = BLOCKS.replace("2 MiB", "2 XiB");
    expect(failing(text("m", VIEW), text("b", damaged))).toMatch(
      /^b:2: expected a line of info ramblock/,
    );
    expect(failing(text("m", "hello\n"))).toMatch(/^m: expected the answer to "info mtree -f"/);
    expect(failing(text("b", BLOCKS))).toMatch(/^b: expected also the answer to "info mtree -f"/);
    const only = VIEW.replace('"memory"', '"other"');
    expect(failing(text("m", only))).toMatch(/^m: expected the answer/);
  });

  test("long lines and many blocks end soon", () => {
    const long = VIEW.replace("vga.vram", `v${" ".repeat(200000)}`);
    expect(failing(text("m", long))).toMatch(/^m:11: /);
    const row = (i: number) =>
      `   a/b/c/${i}    4 KiB  0x0000000000000000 0x0000000180000000 0x0000000180000000\n`;
    const many = BLOCKS + Array.from({ length: 50000 }, (_, i) => row(i)).join("");
    expect(parseMemoryMap([text("m", VIEW), text("b", many)]).blocks.length).toBe(50002);
  });

  test("the last of several answers counts, and a change is told", () => {
    const later = VIEW.replace(/ {2}0000000240000000.*\n/, "");
    const map = parseMemoryMap([text("m", VIEW + later)]);
    expect(map.at(0x240000000)).toBeUndefined();
    expect(map.notes).toEqual(["the memory map changed between 2 answers; the last one counts"]);
    expect(parseMemoryMap([text("m", VIEW + VIEW)]).notes).toEqual([]);
  });
});
