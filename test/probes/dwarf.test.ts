/** Offsets from DWARF, and the probes of SPDK that need them. */
import { deflateSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { backEndLines } from "../../src/probes/back-ends.ts";
import { memberOffsets } from "../../src/probes/dwarf.ts";
import { ElfImage } from "../../src/probes/elf-image.ts";
import { SPDK_FUNCTIONS } from "../../src/probes/spdk.ts";
import { type DwarfChoice, makeDwarf, type Structures } from "../support/make-dwarf.ts";
import { type ExtraSection, makeElf } from "../support/make-elf.ts";

/** Offsets of SPDK 26.09-pre, and of another build. */
const SPDK: Structures = {
  spdk_vhost_session: { vdev: 0, negotiated_features: 56 },
  spdk_vhost_virtqueue: { vring: 0, last_avail_idx: 64, last_used_idx: 66, vring_idx: 104 },
  rte_vhost_vring: { desc: 0, size: 40 },
};
const CHOICE: DwarfChoice = { version: 5, names: "strp", offsets: "data1" };
const WANTED = new Map([["spdk_vhost_virtqueue", ["last_used_idx", "vring_idx"]]]);

const program = (extra: readonly ExtraSection[], without = ""): Uint8Array =>
  makeElf(
    SPDK_FUNCTIONS.filter((name) => name !== without).map((name) => ({ name, code: [0x90, 0xc3] })),
    extra,
  );
const sectionsOf = (extra: readonly ExtraSection[]) => (wanted: string) =>
  extra.find(({ name }) => name === wanted)?.content ?? null;
const lines = (extra: readonly ExtraSection[], without?: string): string[] =>
  backEndLines("spdk", new ElfImage(program(extra, without), "vhost"), "/vhost");

const CHOICES: DwarfChoice[] = [
  { version: 2, names: "string", offsets: "block1" },
  { version: 3, names: "strp", offsets: "block1" },
  { version: 4, names: "strp", offsets: "data1" },
  { version: 4, names: "string", offsets: "exprloc" },
  { version: 5, names: "line_strp", offsets: "udata" },
  { version: 5, names: "strp", offsets: "implicit_const" },
  { version: 5, names: "strx1", offsets: "data1" },
];

test.each(CHOICES)("DWARF $version, names as $names, offsets as $offsets", (choice) => {
  const offsets = memberOffsets(sectionsOf(makeDwarf(SPDK, choice)), "vhost", WANTED);
  expect(Object.fromEntries(offsets!.get("spdk_vhost_virtqueue")!)).toEqual({
    ...{ last_used_idx: 66, vring_idx: 104 },
  });
});

test("a program without DWARF has none; a damaged one is an error with its name", () => {
  expect(memberOffsets(() => null, "vhost", WANTED)).toBeNull();
  const sections = makeDwarf(SPDK, CHOICE);
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), fc.nat(3), (at, byte, which) => {
      const damaged = sections.map((section, i) => {
        const content = section.content.slice();
        if (i === which && content.length > 0) content[at % content.length] = byte;
        return { ...section, content };
      });
      try {
        memberOffsets(sectionsOf(damaged), "vhost", WANTED);
      } catch (error) {
        expect(error).toBeInstanceOf(RecordingError);
        expect((error as Error).message).toContain("vhost");
      }
    }),
    { numRuns: 300 },
  );
});

describe("SPDK", () => {
  test("four probes with the offsets of the build", () => {
    expect(lines(makeDwarf(SPDK, CHOICE))).toEqual([
      "p:vl/spdk_get /vhost:0x1000 vs=%di:x64 vq=%si:x64 head=%dx:u16 num=+40(%si):u16 used=+66(%si):u16 index=+104(%si):u32 feat=+56(%di):x64",
      "p:vl/spdk_desc /vhost:0x1002 vs=%di:x64 gpa=+0(%cx):x64 len=+8(%cx):u32 flags=+12(%cx):x16",
      "p:vl/spdk_used /vhost:0x1004 vs=%di:x64 vq=%si:x64 head=%dx:u16 len=%cx:u32 num=+40(%si):u16 idx=+66(%si):u16 index=+104(%si):u32 feat=+56(%di):x64",
      "p:vl/message /vhost:0x1006 vid=%di:s32 request=+0(%si):u32 size=+8(%si):u32 w0=+12(%si):x64 w1=+20(%si):x64 w2=+28(%si):x64 w3=+36(%si):x64 w4=+44(%si):x64",
    ]);
    const other = { ...SPDK, spdk_vhost_session: { negotiated_features: 24 } };
    expect(lines(makeDwarf(other, CHOICE))[0]).toContain("feat=+24(%di):x64");
  });

  test("a compressed section is unpacked where the host can", () => {
    const extra = makeDwarf(SPDK, CHOICE).map(({ name, content }) => {
      const head = new Uint8Array(24);
      const view = new DataView(head.buffer);
      view.setUint32(0, 1, true);
      view.setBigUint64(8, BigInt(content.length), true);
      const packed = Buffer.concat([head, deflateSync(content)]);
      return { name, content: packed, flags: 0x800n };
    });
    const inflate = (bytes: Uint8Array): Uint8Array => inflateSync(bytes);
    const image = new ElfImage(program(extra), "vhost", inflate);
    expect(backEndLines("spdk", image, "/vhost")[2]).toContain("idx=+66(%si):u16");
    expect(() => lines(extra)).toThrow(/\.debug_info that is not compressed, or with zlib/);
  });

  test("a debug file's DWARF counts, and what it has only the header of does not", () => {
    const nothing = makeDwarf(SPDK, CHOICE).map((section) => ({ ...section, type: 8 }));
    const image = new ElfImage(program(nothing), "vhost");
    expect(() => backEndLines("spdk", image, "/vhost")).toThrow(/no DWARF/);
    image.addDebug(new ElfImage(program(makeDwarf(SPDK, CHOICE)), "vhost.debug"));
    expect(backEndLines("spdk", image, "/vhost")).toHaveLength(4);
  });

  test.each([
    [
      "no DWARF",
      [],
      /no DWARF \(\.debug_info\) tells where the fields of struct spdk_vhost_virtqueue/,
    ],
    [
      "another structure",
      makeDwarf({ ...SPDK, spdk_vhost_virtqueue: { vring: 0, last_used_idx: 66 } }, CHOICE),
      /struct spdk_vhost_virtqueue has no member vring_idx: another SPDK/,
    ],
    [
      "a structure that no unit defines",
      makeDwarf({ spdk_vhost_session: SPDK.spdk_vhost_session! }, CHOICE),
      /struct spdk_vhost_virtqueue is in no unit of its DWARF/,
    ],
  ])("%s: a refusal that names it", (_, extra, message) => {
    expect(() => lines(extra)).toThrow(message);
  });

  test("a function that is not there is named", () => {
    expect(() => lines(makeDwarf(SPDK, CHOICE), "vhost_vq_used_ring_enqueue")).toThrow(
      /has no vhost_vq_used_ring_enqueue/,
    );
  });
});
