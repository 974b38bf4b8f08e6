/** A guest page as people type it. */
import { PAGE_BYTES } from "../../model/pages.ts";
import { UsageError } from "../../model/place.ts";
import { parseGpaRange } from "./gpa-range.ts";

/**
 * The number of a page: `0x400` or `gfn:0x400`, as reports list pages, or `gpa:0x400123`, any address in
 * it. Throws UsageError for anything else and for more than one page.
 */
export function parsePage(text: string, option: string): number {
  const address = text.startsWith("gpa:");
  const range = parseGpaRange(address ? text.slice(4) : `gfn:${text.replace(/^gfn:/, "")}`, option);
  const first = Math.floor(range.gpa / PAGE_BYTES);
  if (Math.floor((range.gpa + range.len - 1) / PAGE_BYTES) !== first) {
    throw new UsageError(`${option}: one page, not a range`);
  }
  return first;
}
