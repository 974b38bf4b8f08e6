import { describe, expect, test } from "vitest";
import {
  type FormatField,
  parseEventFormat,
  parseHeaderPage,
} from "../../src/formats/format-file.ts";
import { RecordingError } from "../../src/model/place.ts";
import { formatText, headerPageText } from "../support/make-trace-dat.ts";

const AT = { file: "t.dat", at: "@0x10" };

/** The field that a declaration makes. */
function fieldOf(declaration: string, size: number, longSize: 4 | 8 = 8): FormatField {
  const text = formatText("e", 7, [[declaration, 16, size, 0]]);
  return parseEventFormat(text, "s", AT, longSize).fields.at(-1)!;
}

// From a 6.1 kernel.
const USED = `name: used
ID: 1350
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:unsigned long __probe_ip;\toffset:8;\tsize:8;\tsigned:0;
\tfield:u8 logused;\toffset:42;\tsize:1;\tsigned:0;
\tfield:u64 logaddr;\toffset:43;\tsize:8;\tsigned:0;

print fmt: "(%lx) a=%u
 name: x", REC->__probe_ip
`;

describe("an event format", () => {
  test("gives name, id, and fields at the offsets it states, aligned or not", () => {
    const event = parseEventFormat(USED, "vhx", AT);
    expect(event).toMatchObject({ system: "vhx", name: "used", id: 1350 });
    expect(
      event.fields.map(({ name, offset, size, signed }) => [name, offset, size, signed]),
    ).toEqual([
      ["common_type", 0, 2, false],
      ["common_pid", 4, 4, true],
      ["__probe_ip", 8, 8, false],
      ["logused", 42, 1, false],
      ["logaddr", 43, 8, false],
    ]);
    expect(event.printFmt).toBe('"(%lx) a=%u\n name: x", REC->__probe_ip');
  });

  test.each<[string, number, string, string, string, number]>([
    ["unsigned long __probe_ip", 8, "__probe_ip", "unsigned long", "scalar", 8],
    ["const char * name", 8, "name", "const char *", "scalar", 8],
    ["const char *name", 8, "name", "const char *", "scalar", 8],
    ["char prev_comm[16]", 16, "prev_comm", "char", "array", 1],
    ["char comm[TASK_COMM_LEN]", 16, "comm", "char", "array", 1],
    ["u64 arr[]", 32, "arr", "u64", "array", 8],
    ["unsigned long args[6]", 48, "args", "unsigned long", "array", 8],
    ["char buf[]", 0, "buf", "char", "array", 1],
    ["char buf", 0, "buf", "char", "array", 1],
    ["struct in6_addr addr[2]", 32, "addr", "struct in6_addr", "array", 16],
    ["__data_loc char[] name", 4, "name", "char", "dynamic-array", 1],
    ["__data_loc u16[] heads", 4, "heads", "u16", "dynamic-array", 2],
    ["__rel_loc __le32[] words", 4, "words", "__le32", "rel-array", 4],
  ])("declares %s", (declaration, size, name, type, kind, elementSize) => {
    expect(fieldOf(declaration, size)).toMatchObject({ name, type, kind, elementSize, offset: 16 });
  });

  test("takes the kernel's long for elements of long without a count", () => {
    expect(fieldOf("unsigned long arr[]", 16, 4).elementSize).toBe(4);
    expect(fieldOf("unsigned long arr[]", 16, 8).elementSize).toBe(8);
  });

  test("says 0 for elements of a type it does not know", () => {
    expect(fieldOf("struct unheard_of x[]", 16).elementSize).toBe(0);
  });

  test("may leave out signed, as old kernels do, and hold lines nobody knows", () => {
    const text = "name: e\nID: 1\nfuture: 3\nformat:\n\tfield:int a;\toffset:0;\tsize:4;\n";
    expect(parseEventFormat(text, "s", AT).fields).toMatchObject([{ name: "a", signed: false }]);
  });

  test.each([
    ["without a name", "ID: 1\nformat:\n"],
    ["without an ID", "name: e\nformat:\n"],
    ["with an ID beyond 16 bits", "name: e\nID: 65536\n"],
    ["with a field beyond any record", "name: e\nID: 1\n\tfield:int a;\toffset:65535;\tsize:4;\n"],
    [
      "with a size of 20 digits",
      "name: e\nID: 1\n\tfield:int a;\toffset:0;\tsize:99999999999999999999;\n",
    ],
    ["with a field without offset", "name: e\nID: 1\n\tfield:int a;\tsize:4;\n"],
    ["with a field without name", "name: e\nID: 1\n\tfield:int;\toffset:0;\tsize:4;\n"],
    [
      "with a __data_loc of 8 bytes",
      "name: e\nID: 1\n\tfield:__data_loc char[] a;\toffset:0;\tsize:8;\n",
    ],
    ["that is empty", ""],
  ])("%s is refused, at its place", (_, text) => {
    expect(() => parseEventFormat(text, "s", AT)).toThrow(RecordingError);
    expect(() => parseEventFormat(text, "s", AT)).toThrow(/^t\.dat@0x10: expected /);
  });
});

describe("header_page", () => {
  test("gives the layout of a page on 64-bit and 32-bit kernels", () => {
    expect(parseHeaderPage(headerPageText(4096, 8), AT)).toEqual({
      timestampOffset: 0,
      commitOffset: 8,
      commitSize: 8,
      dataOffset: 16,
      dataSize: 4080,
    });
    expect(parseHeaderPage(headerPageText(65536, 4), AT)).toMatchObject({
      commitSize: 4,
      dataOffset: 12,
      dataSize: 65524,
    });
  });

  test.each([
    ["without data", headerPageText().replace("char data", "char date")],
    [
      "with a commit of 3 bytes",
      headerPageText().replace("offset:8;\tsize:8", "offset:8;\tsize:3"),
    ],
    ["with data over the commit", headerPageText().replace("offset:16", "offset:12")],
    ["with data of 4 GiB", headerPageText().replace("size:4080", "size:4294967296")],
    [
      "with a timestamp of 4 bytes",
      headerPageText().replace("offset:0;\tsize:8", "offset:0;\tsize:4"),
    ],
  ])("%s is refused", (_, text) => {
    expect(() => parseHeaderPage(text, AT)).toThrow(RecordingError);
  });
});
