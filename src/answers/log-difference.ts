/** Two dirty-log images, bit by bit. */
import type { PageRun } from "../model/result.ts";

/** Pages of one side only. */
export interface OneSided {
  pages: number;
  /** First runs, ascending. */
  runs: PageRun[];
  moreRuns: number;
}

/** What two images disagree on. */
export interface ImageDifference {
  /** In the observed image, not in the predicted one. */
  missing: OneSided;
  /** In the predicted image, not in the observed one. */
  extra: OneSided;
}

/**
 * Compares bit n of two images, least significant bit first, for every n; a byte that one image
 * does not have counts as zero. Keeps `keep` runs a side.
 */
export function compareImages(
  predicted: Uint8Array,
  observed: Uint8Array,
  keep = 16,
): ImageDifference {
  const missing = sideRecorder(keep);
  const extra = sideRecorder(keep);
  const bytes = Math.max(predicted.length, observed.length);
  for (let at = 0; at < bytes; at += 1) {
    const p = predicted[at] ?? 0;
    const o = observed[at] ?? 0;
    if (p === o) continue;
    missing.add(at, o & ~p);
    extra.add(at, p & ~o);
  }
  return { missing: missing.side, extra: extra.side };
}

/**
 * Whether two images agree when the bytes of each word of 64 bits of `observed` are turned round:
 * vhost.c set_bit_to_user() sets bits of native words, whose lowest byte stands last on a big-endian host.
 */
export function equalsReversed(predicted: Uint8Array, observed: Uint8Array): boolean {
  const bytes = Math.ceil(Math.max(predicted.length, observed.length) / 8) * 8;
  for (let at = 0; at < bytes; at++) {
    if ((predicted[at] ?? 0) !== (observed[at ^ 7] ?? 0)) return false;
  }
  return true;
}

function sideRecorder(keep: number) {
  const side: OneSided = { pages: 0, runs: [], moreRuns: 0 };
  let end = -1;
  const addPage = (gfn: number) => {
    side.pages += 1;
    const continues = gfn === end;
    end = gfn + 1;
    if (continues && side.moreRuns === 0) side.runs.at(-1)!.pages += 1;
    else if (!continues && side.runs.length < keep) side.runs.push({ gfn, pages: 1 });
    else if (!continues) side.moreRuns += 1;
  };
  return {
    side,
    add(at: number, bits: number) {
      for (let bit = 0; bit < 8; bit += 1) if ((bits >>> bit) & 1) addPage(at * 8 + bit);
    },
  };
}

/** The lowest page that differs, and on which side it is; undefined when the images agree. */
export function firstDifference(
  difference: ImageDifference,
): { gfn: number; side: "missing" | "extra" } | undefined {
  const missing = difference.missing.runs[0]?.gfn;
  const extra = difference.extra.runs[0]?.gfn;
  if (missing === undefined && extra === undefined) return undefined;
  return extra === undefined || (missing !== undefined && missing < extra)
    ? { gfn: missing!, side: "missing" }
    : { gfn: extra, side: "extra" };
}
