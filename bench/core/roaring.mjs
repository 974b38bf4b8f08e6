/**
 * The npm packages `roaring` (CRoaring as an addon of Node.js) and `roaring-wasm` behind the
 * interface of adapter.mjs: one bitmap a cause, the same algebra a row. They are no dependencies of
 * this package: taken from bench/data/roaring, where README.md says how to put them.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { DATA } from "../compile.mjs";
import { addRun } from "./run-totals.mjs";

const FOLDER = join(DATA, "roaring");

/** The package's class of bitmaps; null where it is not installed. */
export function findRoaring(name) {
  if (!existsSync(join(FOLDER, "node_modules", name))) return null;
  return createRequire(join(FOLDER, "package.json"))(name).RoaringBitmap32;
}

/** A contender on this class; see adapter.mjs. */
export function openRoaring(Bitmap, rows) {
  const planes = new Map();
  const kept = rows.map(() => ({ everLost: new Bitmap(), stale: new Bitmap() }));
  let causes = [];
  let firsts = [];
  let ends = [];

  /** OR of the planes of a mask; to be given back. */
  function any(mask) {
    const chosen = [...planes].filter(([cause]) => mask & (1 << cause));
    const [, first] = chosen[0] ?? [0, new Bitmap()];
    const bitmap = new Bitmap(first);
    for (const [, plane] of chosen.slice(1)) bitmap.orInPlace(plane);
    return bitmap;
  }

  return {
    /** Numbers of pages are worked out here: the packages know pages, not addresses. */
    load(bytes) {
      const view = new DataView(bytes.buffer);
      causes = new Uint8Array(bytes.length / 16);
      firsts = new Float64Array(causes.length);
      ends = new Float64Array(causes.length);
      for (let i = 0; i < causes.length; i++) {
        const gpa = Number(view.getBigUint64(i * 16, true));
        const length = view.getUint32(i * 16 + 8, true);
        causes[i] = view.getUint32(i * 16 + 12, true);
        firsts[i] = Math.floor(gpa / 4096);
        // A descriptor of no bytes writes no page.
        ends[i] = length === 0 ? firsts[i] : Math.floor((gpa + length - 1) / 4096) + 1;
        if (!planes.has(causes[i])) planes.set(causes[i], new Bitmap());
      }
    },
    mark() {
      const byCause = [];
      for (const [cause, plane] of planes) byCause[cause] = plane;
      for (let i = 0; i < causes.length; i++) byCause[causes[i]].addRange(firsts[i], ends[i]);
    },
    sync() {
      return rows.map(({ window, logs }, i) => {
        const written = any(window);
        const logged = any(logs);
        const lost = Bitmap.andNot(written, logged);
        const { everLost, stale } = kept[i];
        everLost.orInPlace(lost);
        stale.orInPlace(written);
        stale.andNotInPlace(logged);
        const counts = {
          written: written.size,
          logged: logged.size,
          lost: lost.size,
          stale: stale.size,
        };
        giveBack(written, logged, lost);
        return counts;
      });
    },
    differences() {
      return rows.map(({ window, logs }) => {
        const written = any(window);
        const logged = any(logs);
        const pages = written.andNotCardinality(logged);
        giveBack(written, logged);
        return pages;
      });
    },
    /** Neither package lists runs: pages, ascending, put together. */
    runs() {
      const totals = { runs: 0, pages: 0, starts: 0 };
      const written = any(rows[0].window);
      const logged = any(rows[0].logs);
      const lost = Bitmap.andNot(written, logged);
      const pages = lost.toUint32Array();
      for (let i = 0; i < pages.length; ) {
        const start = i++;
        while (i < pages.length && pages[i] === pages[i - 1] + 1) i++;
        addRun(totals, pages[start], i - start);
      }
      giveBack(written, logged, lost);
      return totals;
    },
    clear() {
      for (const plane of planes.values()) plane.clear();
    },
    close() {
      giveBack(...planes.values(), ...kept.flatMap(({ everLost, stale }) => [everLost, stale]));
    },
  };
}

/** roaring-wasm keeps bitmaps in Wasm memory until it is told. */
function giveBack(...bitmaps) {
  for (const bitmap of bitmaps) bitmap.dispose?.();
}
