/** The page in which two memories always differ: KVM's wall clock. */
import { describe, expect, test } from "vitest";
import type { GuestImage } from "../../src/memory/guest-image.ts";
import { findWallClock } from "../../src/memory/kvm-wall-clock.ts";
import { PageRuns } from "../../src/model/page-runs.ts";

/** Three pages of equal bytes but for these words at an offset of the second. */
function image(at: number, ...words: number[]): GuestImage {
  const memory = new Uint8Array(3 * 4096).fill(7);
  const view = new DataView(memory.buffer);
  words.forEach((word, i) => {
    view.setUint32(4096 + at + 4 * i, word, true);
  });
  return {
    ...{ name: "memory", format: "raw", notes: [], pages: PageRuns.from([{ gfn: 0, pages: 3 }]) },
    read: async (into, gfn) => into.set(memory.subarray(gfn * 4096, gfn * 4096 + into.length)),
    close: () => {},
  };
}

const BOOT = 1_795_710_650;
const differing = PageRuns.from([{ gfn: 0, pages: 3 }]);
const find = (a: GuestImage, b: GuestImage) => findWallClock(a, b, differing);

describe("KVM's wall clock", () => {
  test.each([0, 0x20, 4096 - 12])("is found at offset %i of a page", async (at) => {
    const found = await find(image(at, 2, BOOT, 123_456_789), image(at, 4, BOOT, 123_999_000));
    expect(found).toBe(4096 + at);
  });

  test("also where its second went on", async () => {
    const found = await find(image(8, 2, BOOT, 999_999_999), image(8, 2, BOOT + 1, 5));
    expect(found).toBe(4096 + 8);
  });

  test.each<[string, number[], number[]]>([
    ["an odd version, as in the middle of a write", [3, BOOT, 1], [3, BOOT, 2]],
    ["nanoseconds of more than a second", [2, BOOT, 2_000_000_000], [2, BOOT, 1]],
    ["seconds of the past", [2, 5, 1], [2, 5, 2]],
    ["clocks of two guests", [2, BOOT, 1], [2, BOOT + 7200, 1]],
    ["other bytes of the page differ too", [2, BOOT, 1, 1], [2, BOOT, 2, 2]],
    ["nothing differs", [2, BOOT, 1], [2, BOOT, 1]],
  ])("is not %s", async (_, a, b) => {
    expect(await find(image(0x40, ...a), image(0x40, ...b))).toBeNull();
  });
});
