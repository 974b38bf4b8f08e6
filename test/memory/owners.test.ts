/** Files of page owners: CSV, NDJSON, overlaps. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ownerText } from "../../src/memory/owners/owners.ts";
import { readOwners } from "../../src/memory/owners/read-owners.ts";
import { PageRuns } from "../../src/model/page-runs.ts";
import { RecordingError } from "../../src/model/place.ts";
import { ownersText } from "../../src/report/text/owners-text.ts";
import { memorySource } from "../support/memory-source.ts";

const owners = (text: string, wanted?: PageRuns, chunk?: number) =>
  readOwners(memorySource("o.csv", Buffer.from(text), chunk), wanted);

async function refusal(text: string): Promise<string> {
  try {
    await owners(text);
  } catch (error) {
    expect(error).toBeInstanceOf(RecordingError);
    return (error as Error).message;
  }
  throw new Error("it was read");
}

const CSV = `gfn,owner,kind
0x100-0x1ff,"systemd, pid 1",swap cache
512,"a ""quoted""\r\nname",anon
0x201,,slab
`;

describe("reading", () => {
  test.each([1, 3, Number.POSITIVE_INFINITY])("CSV, %d bytes a read", async (chunk) => {
    const table = await owners(CSV, undefined, chunk);
    expect(table.at(0xff)).toBeUndefined();
    expect(table.at(0x100)).toEqual({ owner: "systemd, pid 1", kind: "swap cache" });
    expect(table.at(0x1ff)?.kind).toBe("swap cache");
    expect(table.at(0x200)).toEqual({
      owner: 'a "quoted"\r\nname'.replace("\r", "\r"),
      kind: "anon",
    });
    expect(table.at(0x201)).toEqual({ owner: "", kind: "slab" });
    expect(table.at(0x202)).toBeUndefined();
    expect(table.length).toBe(3);
  });

  test("columns in another order, more of them, a byte order mark, CR LF, no last line feed", async () => {
    const table = await owners(
      "\uFEFFKind,pid,GFN,owner\r\nanon,1,0x7,init\r\n\r\nfile,2,8,/bin/sh",
    );
    expect(table.at(7)).toEqual({ owner: "init", kind: "anon" });
    expect(table.at(8)).toEqual({ owner: "/bin/sh", kind: "file" });
  });

  test("NDJSON", async () => {
    const table = await owners(
      '{"gfn":"0x10-0x11","owner":"a","kind":"anon"}\n\n{"gfn":18,"kind":"slab","more":1}\n{"gfn":"19","owner":"b"}',
      undefined,
      5,
    );
    expect([0x10, 0x11, 18, 19].map((gfn) => table.at(gfn))).toEqual([
      { owner: "a", kind: "anon" },
      { owner: "a", kind: "anon" },
      { owner: "", kind: "slab" },
      { owner: "b", kind: "" },
    ]);
  });

  test("only what is wanted is kept", async () => {
    const wanted = PageRuns.from([
      { gfn: 0x180, pages: 4 },
      { gfn: 0x201, pages: 9 },
    ]);
    const table = await owners(CSV, wanted);
    expect(table.length).toBe(2);
    expect(table.at(0x100)).toBeUndefined();
    expect(table.at(0x183)?.owner).toBe("systemd, pid 1");
  });

  test("pages of one owner in a row are one run", async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `${index},me,anon`);
    expect((await owners(`gfn,owner,kind\n${lines.join("\n")}\n`)).length).toBe(1);
  });

  test("where lines overlap the last one counts, whatever their order", async () => {
    const line = fc.record({
      gfn: fc.nat(30),
      pages: fc.integer({ min: 1, max: 12 }),
      who: fc.nat(3),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 12 }), async (lines) => {
        const text = lines.map(({ gfn, pages, who }) => `${gfn}-${gfn + pages - 1},o${who},k`);
        const table = await owners(`gfn,owner,kind\n${text.join("\n")}`);
        for (let gfn = 0; gfn < 50; gfn += 1) {
          const last = lines.findLast((one) => gfn >= one.gfn && gfn < one.gfn + one.pages);
          expect(table.at(gfn)?.owner).toBe(last && `o${last.who}`);
        }
      }),
    );
    const overlapping = await owners("gfn,owner,kind\n0-9,a,k\n4-5,b,k\n20,a,k\n20,a,k\n");
    expect(overlapping.overlapping).toBe(1);
  });

  test("many overlapping lines take no long time", async () => {
    const lines = Array.from({ length: 100000 }, (_, index) => `${index}-200000,o${index % 7},k`);
    const table = await owners(`gfn,owner,kind\n${lines.join("\n")}`);
    expect(table.at(150000)?.owner).toBe(`o${99999 % 7}`);
  });
});

describe("what cannot be read is told with its line", () => {
  test.each([
    [
      "",
      /^o\.csv:1: expected a header row gfn,owner,kind or one JSON object a line, found an empty/,
    ],
    ["gfn,owner\n1,2\n", /^o\.csv:1: expected a header row .*found "gfn,owner"/],
    ["gfn,owner,kind\n1,a,b\nzz,a,b\n", /^o\.csv:3: expected a page number .*found "zz"/],
    ["gfn,owner,kind\n9-8,a,b\n", /^o\.csv:2: expected a page number/],
    ["gfn,owner,kind\n0xfffffffffff,a,b\n", /^o\.csv:2: .*below 16 TiB/],
    ["gfn,owner,kind\n1,a\n", /^o\.csv:2: expected a field for gfn, owner and kind/],
    ['gfn,owner,kind\n1,"a\nb\nc', /^o\.csv:2: expected a closing " for the field/],
    ['gfn,owner,kind\n1,"a\nb",k\n2,"c"d,k\n', /^o\.csv:4: expected a comma behind a closing "/],
    ['gfn,owner,kind\n1,a"b,k\n', /^o\.csv:2: expected no " inside a field without quotes/],
    ['{"gfn":1}\n{"gfn":}\n', /^o\.csv:2: expected one JSON object a line/],
    ['{"gfn":1}\n{"owner":"a"}\n', /^o\.csv:2: expected an object such as/],
    ['{"gfn":1.5}\n', /^o\.csv:1: expected a page number/],
    ['{"gfn":1}\n[]\n', /^o\.csv:2: expected an object such as/],
    ['{"gfn":1}\nnull\n', /^o\.csv:2: expected an object such as/],
    [`gfn,owner,kind\n1,"${"x".repeat(70000)}`, /^o\.csv:2: expected a record of at most/],
    [`{"gfn":1}\n{"gfn":${" ".repeat(600000)}1}`, /^o\.csv:2: expected a line of at most/],
  ])("%j", async (text, message) => {
    expect(await refusal(text)).toMatch(message);
  });
});

describe("summaries", () => {
  test("most pages first, and pages of nobody", async () => {
    const table = await owners(CSV);
    const asked = PageRuns.from([
      { gfn: 0xfe, pages: 4 },
      { gfn: 0x1ff, pages: 4 },
    ]);
    expect(table.summarise(asked)).toEqual({
      owned: [
        { owner: "systemd, pid 1", kind: "swap cache", pages: 3 },
        { owner: "", kind: "slab", pages: 1 },
        { owner: 'a "quoted"\r\nname', kind: "anon", pages: 1 },
      ],
      unknown: 3,
    });
    expect(ownersText(table.summarise(asked))).toEqual([
      "  3  swap cache page of systemd, pid 1",
      "  1  slab page",
      '  1  anon page of a "quoted"\\x0d\\x0aname',
      "  3  of an owner that the file does not name",
    ]);
    expect(ownersText(table.summarise(asked), 1)[1]).toBe("  2  of 2 more owners");
  });

  test("texts", () => {
    expect(ownerText({ owner: "", kind: "" })).toBe("page");
    expect(ownerText({ owner: "sh, pid 7", kind: "" })).toBe("page of sh, pid 7");
  });
});
