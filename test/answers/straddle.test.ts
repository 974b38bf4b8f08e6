/** Requests of a back end that straddle a sync are told from pages that are really wrong. */
import { expect, test } from "vitest";
import { startStraddles } from "../../src/answers/straddle.ts";

const image = (...pages: number[]): Uint8Array => {
  const bytes = new Uint8Array(8);
  for (const page of pages) bytes[page >> 3]! |= 1 << (page & 7);
  return bytes;
};

/** Whether each sync is told as one that requests straddle. */
function told(...syncs: [predicted: number[], observed: number[]][]): boolean[] {
  const straddles = startStraddles();
  const found: boolean[] = [];
  syncs.forEach(([predicted, observed], at) => {
    straddles.add(image(...predicted), image(...observed), (moved) => {
      found[at] = moved;
    });
  });
  straddles.finish();
  return found;
}

test("logged one sync before the completion is seen: both syncs", () => {
  expect(told([[1], [1]], [[1], [1, 9]], [[1, 9], [1]], [[1], [1]])).toEqual([
    ...[false, true, true, false],
  ]);
});

test("logged one sync behind the probe at the entry", () => {
  expect(told([[1, 9], [1]], [[1], [1, 9]])).toEqual([true, true]);
});

test("a page of the ring that both rounds have follows the request", () => {
  expect(told([[], [2, 9]], [[2, 9], []])).toEqual([true, true]);
});

test("a page that no neighbour has is a difference", () => {
  expect(told([[1], [1, 9]], [[1], [1]])).toEqual([false, false]);
  expect(told([[1, 30], [1]], [[1], [1, 9]])).toEqual([false, false]);
});

test("two syncs away is too far", () => {
  expect(told([[9], []], [[], []], [[], [9]])).toEqual([false, false, false]);
});
