/** Uprobes for a back end: what is read off a program, and what it says when that does not work. */
import { describe, expect, test } from "vitest";
import { backEndLines } from "../../src/probes/back-ends.ts";
import { ElfImage } from "../../src/probes/elf-image.ts";
import { measureDevice } from "../../src/probes/libvhost-user.ts";
import { makeElf } from "../support/make-elf.ts";

const FEATURES = 1392;
const disp = (value: number): number[] => [
  ...[value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff],
];
/** testb $bit, FEATURES+3(%rbp) and (%rdi). */
const testFeature = (bit: number, register = 0x85): number[] => [
  ...[0xf6, register, ...disp(FEATURES + 3), bit],
];
/** movzwl disp8(%rbx), %eax. */
const word = (at: number): number[] => [0x0f, 0xb7, 0x43, at];
const NOP = 0x90;
const pad = (code: number[], size: number): number[] => [
  ...[...code, ...Array.from({ length: size - code.length }, () => NOP)],
];
/** mov disp32(%rdi), %rdi; cmp disp32(%rbx), %rax: log_table and log_size. */
const LOG = [
  ...[...testFeature(0x04, 0x87), 0x48, 0x8b, 0xbf, ...disp(FEATURES - 8)],
  ...[0x48, 0x3b, 0x83, ...disp(FEATURES - 16)],
];

interface Parts {
  pop?: number[];
  fill?: number[];
  log?: number[];
  without?: string;
}

/** A program with the instructions that matter; each function has 64 bytes. */
function program({ pop, fill, log, without }: Parts = {}): Uint8Array {
  const code: [string, number[]][] = [
    ["vu_queue_pop", pop ?? [...word(80), ...testFeature(0x20)]],
    ["vu_gpa_to_va", []],
    // jmp vu_log_write, which is the fifth.
    ["vu_queue_fill", fill ?? [...word(84), 0xe9, ...disp(2 * 64 - 9)]],
    ["vu_get_queue", [0x48, 0x8b, 0x87, ...disp(1288)]],
    ["", log ?? LOG],
  ];
  return makeElf(
    code
      .filter(([name]) => name !== without)
      .map(([name, bytes]) => ({ name, code: pad(bytes, 64) })),
  );
}

describe("libvhost-user, stripped", () => {
  test("fields of VuDev are read off the instructions that use them", () => {
    expect(measureDevice(new ElfImage(program(), "qsd"))).toEqual({
      ...{ features: FEATURES, logTable: 1384, logSize: 1376, queues: 1288 },
    });
  });

  test("four lines with offsets in the file", () => {
    const lines = backEndLines("libvhost-user", new ElfImage(program(), "qsd"), "/usr/bin/qsd");
    expect(lines.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      "p:vl/vu_pop_entry /usr/bin/qsd:0x1000",
      "p:vl/vu_gpa /usr/bin/qsd:0x1040",
      "r:vl/vu_pop /usr/bin/qsd:0x1000",
      "p:vl/vu_fill /usr/bin/qsd:0x1080",
    ]);
    expect(lines[0]).toContain("feat=+1392(%di):x64 told=\\1:u8 logbase=+1384(%di):x64");
  });

  test("a log that vu_log_write() does not show is left out, not guessed", () => {
    const image = new ElfImage(program({ log: testFeature(0x04, 0x87) }), "qsd");
    expect(measureDevice(image)).toMatchObject({ logTable: null, logSize: null });
    expect(backEndLines("libvhost-user", image, "/qsd").join()).not.toContain("told");
  });

  test.each([
    ["no test of a feature", { pop: word(80) }, /EVENT_IDX/],
    ["another VuVirtq", { pop: [...word(96), ...testFeature(0x20)] }, /another layout/],
    ["another used_idx", { fill: [...word(88), 0xe9, ...disp(119)] }, /another layout/],
    ["no symbol", { without: "vu_queue_fill" }, /has no vu_queue_fill \(not among its/],
  ])("%s: a refusal that names it", (_, parts, message) => {
    const image = new ElfImage(program(parts), "qsd");
    expect(() => backEndLines("libvhost-user", image, "/qsd")).toThrow(message);
  });
});

test("SPDK and DPDK: what is missing is named", () => {
  const image = new ElfImage(program(), "qsd");
  expect(() => backEndLines("spdk", image, "/qsd")).toThrow(/no vhost_vq_get_desc/);
  expect(() => backEndLines("dpdk", image, "/qsd")).toThrow(
    /inlined into rte_vhost_enqueue_burst\(\).*missing is a recipe/,
  );
});

test("what is no program for x86-64 is refused with its name", () => {
  expect(() => new ElfImage(new Uint8Array(100), "x")).toThrow(/an ELF file/);
  const arm = program();
  arm[18] = 183;
  expect(() => new ElfImage(arm, "x")).toThrow(/x86-64/);
});
