/** Bitmaps of ours as CRoaring (compiled to Wasm) reads them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { DeserializationFormat, RoaringBitmap32, roaringLibraryInitialize } from "roaring-wasm";
import { beforeAll, expect, test } from "vitest";
import { roaringOf } from "../../src/export/roaring.ts";
import { PageRuns } from "../../src/model/page-runs.ts";
import { parquetRows, run, scratchFolder, sumOf } from "../support/exported.ts";
import { errorsOf } from "../support/schemas.ts";

beforeAll(() => roaringLibraryInitialize());

function readBack(bytes: Uint8Array): number[] {
  const bitmap = RoaringBitmap32.deserialize(DeserializationFormat.portable, bytes);
  const pages = bitmap.toArray();
  bitmap.dispose();
  return [...pages];
}

const pagesOf = (set: PageRuns): number[] =>
  set.toArray().flatMap(({ gfn, pages }) => Array.from({ length: pages }, (_, i) => gfn + i));

test("any set is read back as it was, whatever its containers are", () => {
  const run = fc.record({
    gfn: fc.oneof(fc.nat({ max: 300_000 }), fc.integer({ min: 0, max: 2 ** 32 - 70_000 })),
    pages: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 70_000 })),
  });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 40 }), (runs) => {
      const set = PageRuns.from(runs);
      expect(readBack(roaringOf(set))).toEqual(pagesOf(set));
    }),
    { numRuns: 60 },
  );
});

test("each kind of container: a list, bits, runs, a full one, and the last page of 16 TiB", () => {
  const everyOther = (count: number, from: number): PageRuns => {
    const set = new PageRuns();
    for (let i = 0; i < count; i++) set.append(from + 2 * i);
    return set;
  };
  for (const set of [
    new PageRuns(),
    everyOther(4096, 0),
    everyOther(4097, 65536),
    everyOther(20_000, 3 * 65536),
    PageRuns.from([{ gfn: 65536, pages: 65536 }]),
    PageRuns.from([{ gfn: 65000, pages: 200_000 }]),
    PageRuns.from([{ gfn: 2 ** 32 - 1, pages: 1 }]),
  ]) {
    expect(readBack(roaringOf(set))).toEqual(pagesOf(set));
  }
  expect(() => roaringOf(PageRuns.from([{ gfn: 2 ** 32 - 1, pages: 2 }]))).toThrow(RangeError);
});

test("export --roaring writes the sets of the table pages, and says what each file is", async () => {
  const folder = scratchFolder();
  const path = "traces/migration/6.1";
  const places = ["--roaring", join(folder, "r"), "--parquet", join(folder, "p")];
  expect(run(["export", path, "--quiet", ...places]).status).toBe(1);
  const index = JSON.parse(readFileSync(join(folder, "r/index.json"), "utf8"));
  expect(errorsOf("page-sets", index)).toEqual([]);
  const pages = await parquetRows(join(folder, "p/pages.parquet"));
  const machines = await parquetRows(join(folder, "p/machines.parquet"));
  expect(index.sets.length).toBe(16);
  for (const { file, migration, policy, set, pages: count } of index.sets) {
    const found = readBack(readFileSync(join(folder, "r", file)));
    expect(found.length, file).toBe(count);
    const rows = pages.filter(
      (row) => row.migration === migration && row.policy === policy && row.page_set === set,
    );
    const listed = rows.flatMap(({ gfn, pages: run }) =>
      Array.from({ length: Number(run) }, (_, i) => Number(gfn) + i),
    );
    if (set === "written") expect(found.length).toBe(machines[0]!.written);
    else expect(found, file).toEqual(listed.toSorted((a, b) => a - b));
  }
  expect(sumOf(index.sets, "pages", { set: "stale", migration: 0, policy: "linux-6.1.146" })).toBe(
    1929,
  );
});
