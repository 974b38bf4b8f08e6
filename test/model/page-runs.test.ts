/** Sets of pages against Set. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PageRuns } from "../../src/model/page-runs.ts";
import type { PageRun } from "../../src/model/result.ts";

const run = fc.record({ gfn: fc.nat(60), pages: fc.nat(9) });
const runs = fc.array(run, { maxLength: 12 });

function members(list: Iterable<PageRun>): number[] {
  const set = new Set<number>();
  for (const { gfn, pages } of list) for (let i = 0; i < pages; i += 1) set.add(gfn + i);
  return [...set].sort((a, b) => a - b);
}

/** Ascending, disjoint, with a gap between two runs, and counted right. */
function expectProper(set: PageRuns): void {
  let end = -1;
  let pages = 0;
  for (const one of set) {
    expect(one.pages).toBeGreaterThan(0);
    expect(one.gfn).toBeGreaterThan(end);
    end = one.gfn + one.pages;
    pages += one.pages;
  }
  expect(set.pages).toBe(pages);
}

describe("PageRuns", () => {
  test("has the pages of the runs it is made of", () => {
    fc.assert(
      fc.property(runs, (list) => {
        const set = PageRuns.from(list);
        expectProper(set);
        expect(members(set)).toEqual(members(list));
        const all = new Set(members(list));
        for (let gfn = 0; gfn < 80; gfn += 1) expect(set.has(gfn)).toBe(all.has(gfn));
      }),
    );
  });

  test("set algebra is that of Set", () => {
    fc.assert(
      fc.property(runs, runs, (left, right) => {
        const [a, b] = [PageRuns.from(left), PageRuns.from(right)];
        const [x, y] = [members(left), members(right)];
        for (const set of [a.intersect(b), a.subtract(b), a.union(b)]) expectProper(set);
        expect(members(a.intersect(b))).toEqual(x.filter((page) => y.includes(page)));
        expect(members(a.subtract(b))).toEqual(x.filter((page) => !y.includes(page)));
        expect(members(a.union(b))).toEqual(members([...left, ...right]));
      }),
    );
  });

  test("overlapping gives the part of the set in a range", () => {
    fc.assert(
      fc.property(runs, run, (list, { gfn, pages }) => {
        const part = [...PageRuns.from(list).overlapping(gfn, pages)];
        const expected = members(list).filter((page) => page >= gfn && page < gfn + pages);
        expect(members(part)).toEqual(expected);
      }),
    );
  });

  test("grows beyond its first capacity, and refuses pages out of order", () => {
    const set = new PageRuns();
    for (let gfn = 0; gfn < 1000; gfn += 2) set.append(gfn);
    expect([set.length, set.pages, set.first(2)]).toEqual([
      500,
      500,
      [
        { gfn: 0, pages: 1 },
        { gfn: 2, pages: 1 },
      ],
    ]);
    expect(() => set.append(998)).toThrow("bug");
  });
});
