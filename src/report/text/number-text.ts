/**
 * Numbers as people read them here: counts with their noun, hexadecimal addresses, ranges, and
 * times as ftrace prints them. None of it depends on a locale.
 */
import { PAGE_BYTES } from "../../model/pages.ts";
import type { PageRun } from "../../model/result.ts";

/** `1 page`, `412 pages`, `2 queries` when the plural is given. */
export function countOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** A number, or that it is not known. */
export function numberText(value: number | null): string {
  return value === null ? "not known" : `${value}`;
}

/** `0x7f3a0000`: a guest-physical address or a page number, at most 53 bits. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** First and last byte of a range of `len` bytes, both included: `0x1000-0x1fff`. */
export function byteRange(gpa: number, len: number): string {
  return len <= 1 ? hex(gpa) : `${hex(gpa)}-${hex(gpa + len - 1)}`;
}

/** A run of pages as the bytes it covers, the last one included: `0x1000-0x2fff`. */
export function runRange(run: PageRun): string {
  return byteRange(run.gfn * PAGE_BYTES, run.pages * PAGE_BYTES);
}

/** Nanoseconds (decimal string) as seconds with six decimals, cut: `12.747166`. */
export function seconds(ns: string): string {
  const negative = ns.startsWith("-");
  const digits = (negative ? ns.slice(1) : ns).padStart(10, "0");
  return `${negative ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9, -3)}`;
}

/** Bytes in the largest unit that leaves a digit before the point: `831 B`, `23.4 MiB`. */
export function byteSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listOf(items: readonly string[]): string {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
