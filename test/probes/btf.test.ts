import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { Btf, BtfKind } from "../../src/probes/btf/btf.ts";
import {
  architectureOf,
  argumentRegister,
  signatureOf,
} from "../../src/probes/btf/calling-convention.ts";
import { elfSection } from "../../src/probes/btf/elf-section.ts";
import { bzImagePayload, scanForBtf } from "../../src/probes/btf/kernel-image.ts";
import { memberOf, sizeOf } from "../../src/probes/btf/layout.ts";
import { array, func, int, makeBtf, pointer, proto, struct, typedef } from "../support/make-btf.ts";

// Ids: 1 int, 2 u64, 3 void *, 4 u16[3], 5 u16, 6 anonymous union, 7 device, 8 typedef, 9 flags.
const TYPES = [
  int("int", 4),
  int("u64", 8),
  pointer(0),
  array(5, 3),
  int("u16", 2),
  struct(
    "",
    8,
    [
      ["low", 1, 0],
      ["wide", 2, 0],
    ],
    { union: true },
  ),
  struct("device", 40, [
    ["ctx", 3, 0],
    ["three", 4, 64],
    ["", 6, 128],
    ["mine", 8, 192],
  ]),
  typedef("mine_t", 2),
  struct(
    "flags",
    8,
    [
      ["whole", 1, 0],
      ["one", 1, (1 << 24) | 32],
      ["odd", 1, 33],
    ],
    { packed: true },
  ),
];
const BYTES = makeBtf(TYPES);
const BTF = new Btf(BYTES, "k");

describe("a structure", () => {
  test("gives offset and size of a member, through arrays, typedefs and anonymous unions", () => {
    expect(memberOf(BTF, "device", "ctx")).toEqual({ offset: 0, size: 8 });
    expect(memberOf(BTF, "device", "three")).toEqual({ offset: 8, size: 6 });
    expect(memberOf(BTF, "device", "low")).toEqual({ offset: 16, size: 4 });
    expect(memberOf(BTF, "device", "wide")).toEqual({ offset: 16, size: 8 });
    expect(memberOf(BTF, "device", "mine")).toEqual({ offset: 24, size: 8 });
  });

  test("refuses bit-fields, and names what is not there", () => {
    expect(memberOf(BTF, "flags", "whole")).toEqual({ offset: 0, size: 4 });
    expect(memberOf(BTF, "flags", "one")).toBe("flags.one is a bit-field");
    expect(memberOf(BTF, "flags", "odd")).toBe("flags.odd is a bit-field");
    expect(memberOf(BTF, "device", "nope")).toMatch(/no member nope/);
    expect(memberOf(BTF, "nope", "x")).toMatch(/no struct nope/);
  });

  test("that holds itself ends the search", () => {
    const loop = new Btf(makeBtf([struct("loop", 8, [["", 1, 0]]), typedef("t", 2)]), "k");
    expect(memberOf(loop, "loop", "x")).toMatch(/no member x/);
    expect(sizeOf(loop, 2)).toBe(null);
  });
});

describe("a split blob", () => {
  const module = new Btf(
    makeBtf(
      [
        struct("own", 16, [
          ["device", 7, 0],
          ["count", 10, 64],
        ]),
        int("u8", 1),
      ],
      {
        stringBytes: BTF.stringEnd,
      },
    ),
    "m",
    BTF,
  );

  test("goes on with ids and strings where its base ends", () => {
    expect(module.firstId).toBe(10);
    expect(module.nameOf(10)).toBe("own");
    expect(module.nameOf(7)).toBe("device");
    expect(memberOf(module, "device", "mine")).toEqual({ offset: 24, size: 8 });
  });

  test("does not find in itself what its base defines", () => {
    expect(module.find("device", [BtfKind.Struct])).toBe(null);
    expect(module.find("own", [BtfKind.Struct])).toBe(10);
  });

  test("with another kernel's base is refused, not misread", () => {
    const other = new Btf(makeBtf([int("int", 4)]), "other");
    const stray = new Btf(
      makeBtf([struct("own", 8, [["a", 9, 0]])], { stringBytes: BTF.stringEnd }),
      "m",
      other,
    );
    expect(() => stray.nameOf(2)).toThrow(RecordingError);
    expect(() => stray.kind(9)).toThrow(/m@0x0: expected type ids below 3, found 9/);
  });
});

describe("a function's parameter arrives in", () => {
  const big = struct("big", 24, []);
  const btf = new Btf(
    makeBtf([
      int("int", 4),
      pointer(0),
      big,
      proto(
        1,
        "abcdefgh".split("").map((name) => [name, name === "b" ? 2 : 1]),
      ),
      func("eight", 4),
      proto(0, [
        ["x", 1],
        ["by_value", 3],
        ["y", 1],
      ]),
      func("value", 6),
      proto(3, [["x", 1]]),
      func("returns", 8),
    ]),
    "k",
  );
  const at = (name: string, index: number, machine: "x86_64" | "arm64") => {
    const signature = signatureOf(btf, name);
    return signature && argumentRegister(btf, signature, index, machine);
  };

  test("the registers of the two calling conventions, then on the stack", () => {
    const x86 = [0, 1, 2, 3, 4, 5].map((index) => at("eight", index, "x86_64"));
    const names = ["%di", "%si", "%dx", "%cx", "%r8", "%r9"];
    expect(x86).toEqual(names.map((register) => ({ register })));
    expect(at("eight", 6, "x86_64")).toBe("parameter 7 is on the stack");
    expect(at("eight", 7, "arm64")).toEqual({ register: "%x7" });
  });

  test("no register that can be told behind a structure by value, or before one returned", () => {
    expect(at("value", 0, "x86_64")).toEqual({ register: "%di" });
    expect(at("value", 2, "x86_64")).toMatch(/parameter 2 is passed by value/);
    expect(at("returns", 0, "arm64")).toMatch(/returns a structure/);
  });

  test("nothing where there is no such function", () => {
    expect(signatureOf(btf, "eigh")).toBe(null);
    expect(signatureOf(btf, "eightt")).toBe(null);
  });
});

describe("damaged BTF", () => {
  const damaged = (at: number, value: number): Uint8Array => {
    const copy = BYTES.slice();
    copy[at] = value;
    return copy;
  };

  test.each([
    ["an empty file", new Uint8Array(0), "k@0x0: expected BTF, found an empty file"],
    ["another file", new Uint8Array(64).fill(7), "k@0x0: expected BTF (magic 0xeb9f), found 0x707"],
    ["another version", damaged(2, 9), "k@0x2: expected BTF version 1, found version 9"],
    ["a long header", damaged(7, 1), "expected a header length within the file"],
    ["types beyond the end", damaged(15, 1), "expected a section within"],
    ["an unknown kind", damaged(31, 31), "expected a kind of BTF type up to 19, found 31"],
  ])("%s is one clear line", (_, bytes, message) => {
    expect(() => new Btf(bytes, "k")).toThrow(RecordingError);
    expect(() => new Btf(bytes, "k")).toThrow(message);
  });

  test("of the other byte order is told as such", () => {
    const bytes = damaged(0, 0xeb);
    bytes[1] = 0x9f;
    expect(() => new Btf(bytes, "k")).toThrow("expected little-endian BTF, found big-endian BTF");
  });

  test("cut at any byte, or with any byte changed, is refused or read, and never runs away", () => {
    const use = (bytes: Uint8Array): void => {
      try {
        const btf = new Btf(bytes, "k");
        for (let id = 1; id < btf.endId; id++) {
          btf.nameOf(id);
          sizeOf(btf, id);
        }
        memberOf(btf, "device", "mine");
        memberOf(btf, "flags", "one");
        signatureOf(btf, "device");
      } catch (error) {
        if (!(error instanceof RecordingError)) throw error;
      }
    };
    for (let length = 0; length < BYTES.length; length++) use(BYTES.slice(0, length));
    for (let at = 0; at < BYTES.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) use(damaged(at, value));
    }
  });
});

describe("containers", () => {
  test("an image without section headers is scanned for the largest blob that fits", () => {
    const image = new Uint8Array(4096).fill(0x9f);
    image.set(makeBtf([int("int", 4)]), 100);
    image.set(BYTES, 1000);
    // A header whose sections lie outside is none.
    image.set(BYTES.subarray(0, 40), 4090 - 40);
    expect(scanForBtf(image)).toEqual(BYTES);
    expect(scanForBtf(new Uint8Array(100))).toBe(null);
  });

  test("what is no bzImage has no payload", () => {
    expect(bzImagePayload(new Uint8Array(100))).toBe(null);
    expect(bzImagePayload(new Uint8Array(4096))).toBe(null);
  });

  test("a section of an ELF file is found by its name, and a broken table refused", () => {
    const file = makeElf([".BTF", ".text"]);
    expect(elfSection(file, "m.ko", ".BTF")).toEqual(new TextEncoder().encode("content of .BTF"));
    expect(elfSection(file, "m.ko", ".BTF.base")).toBe(null);
    for (let length = 0; length < file.length; length++) {
      try {
        elfSection(file.slice(0, length), "m.ko", ".BTF");
      } catch (error) {
        expect(error).toBeInstanceOf(RecordingError);
      }
    }
  });
});

/** A relocatable file with nothing but named sections. */
function makeElf(names: string[]): Uint8Array {
  const bytes = new Uint8Array(2048);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setBigUint64(40, 1024n, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, names.length + 2, true);
  view.setUint16(62, 1, true);
  let at = 64;
  const put = (index: number, name: number, content: string): void => {
    const data = new TextEncoder().encode(content);
    bytes.set(data, at);
    view.setUint32(1024 + 64 * index, name, true);
    view.setBigUint64(1024 + 64 * index + 24, BigInt(at), true);
    view.setBigUint64(1024 + 64 * index + 32, BigInt(data.length), true);
    at += data.length;
  };
  const table = `\0${names.map((name) => `${name}\0`).join("")}`;
  put(1, 0, table);
  names.forEach((name, index) => {
    put(index + 2, table.indexOf(`\0${name}\0`) + 1, `content of ${name}`);
  });
  return bytes;
}

describe.runIf(existsSync("/sys/kernel/btf/vmlinux"))("this machine's kernel", () => {
  const btf = () => new Btf(readFileSync("/sys/kernel/btf/vmlinux"), "vmlinux");

  test("has the structures whose layout the language fixes", () => {
    expect(memberOf(btf(), "list_head", "prev")).toEqual({ offset: 8, size: 8 });
    expect(memberOf(btf(), "hlist_node", "pprev")).toEqual({ offset: 8, size: 8 });
  });

  test("tells its machine", () => {
    const machines: Record<string, string> = { x64: "x86_64", arm64: "arm64" };
    expect(architectureOf(btf())).toBe(machines[process.arch]);
  });
});
