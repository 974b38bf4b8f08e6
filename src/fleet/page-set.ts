/**
 * A set of pages as a part carries it: runs of {gap to the run before, pages less one} as LEB128
 * numbers, in base64. Half a million scattered pages take about a megabyte, a dense guest some bytes.
 */
import { PageRuns } from "../model/page-runs.ts";
import type { PageRun } from "../model/result.ts";

/** Bytes that become text at once: a multiple of three, so that only the last slice is padded. */
const SLICE = 3 * 4096;

/** The runs, ascending and disjoint, as text. */
export function encodePages(runs: readonly PageRun[]): string {
  const bytes: number[] = [];
  let end = 0;
  for (const { gfn, pages } of runs) {
    writeNumber(bytes, gfn - end);
    writeNumber(bytes, pages - 1);
    end = gfn + pages;
  }
  return base64(bytes);
}

/** The set that `encodePages` wrote; null when the text is no such set. */
export function decodePages(text: string): PageRuns | null {
  const bytes = fromBase64(text);
  if (!bytes) return null;
  const set = new PageRuns();
  let end = 0;
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const gfn = end + next();
    const pages = 1 + next();
    if (!Number.isSafeInteger(gfn) || !Number.isSafeInteger(gfn + pages)) return null;
    set.append(gfn, pages);
    end = gfn + pages;
  }
  return set;
}

function writeNumber(bytes: number[], value: number): void {
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
}

/** A slice at a time: a call takes a bounded number of arguments. */
function base64(bytes: readonly number[]): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += SLICE) {
    text += btoa(String.fromCharCode(...bytes.slice(i, i + SLICE)));
  }
  return text;
}

function fromBase64(text: string): Uint8Array | null {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
