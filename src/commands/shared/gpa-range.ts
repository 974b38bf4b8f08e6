/** Ranges of guest memory as people type them. */
import { GPA_BITS } from "../../../assembly/abi.ts";
import { type GpaRange, PAGE_BYTES } from "../../model/pages.ts";
import { UsageError } from "../../model/place.ts";

const LIMIT = 2 ** GPA_BITS;
const SUFFIXES: Readonly<Record<string, number>> = {
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/**
 * Reads `0x1000`, `4096`, `4K`, `2M`, `1G`; `START+LEN`; `START-LAST`, the last byte included, as
 * reports print it; and `gfn:N`, `gfn:N+PAGES`, `gfn:N-LAST` in pages. Without a length, one byte
 * or one page. Throws UsageError for anything else, for an empty range, and beyond 16 TiB.
 */
export function parseGpaRange(text: string, option = "--gpa"): GpaRange {
  const inPages = text.startsWith("gfn:");
  const unit = inPages ? PAGE_BYTES : 1;
  const match = /^([^+-]+)(?:([+-])([^+-]+))?$/.exec(inPages ? text.slice(4) : text);
  const start = amount(match?.[1]);
  const second = match?.[3] === undefined ? undefined : amount(match[3]);
  if (!match || start === undefined || (match[3] !== undefined && second === undefined)) {
    throw new UsageError(
      `${option}: expected an address such as 0x1000, 4K, 0x1000+512, 0x1000-0x1fff or gfn:0x1, ` +
        `found ${JSON.stringify(text.slice(0, 60))}`,
    );
  }
  const length = second === undefined ? 1 : match[2] === "+" ? second : second - start + 1;
  const range = { gpa: start * unit, len: length * unit };
  if (range.len < 1) throw new UsageError(`${option}: the range ${text} is empty`);
  if (range.gpa + range.len > LIMIT) {
    throw new UsageError(`${option}: the range ${text} ends beyond 16 TiB`);
  }
  return range;
}

function amount(text: string | undefined): number | undefined {
  const match = /^(0x[0-9a-f]{1,16}|\d{1,16})([KMGT])?$/i.exec(text ?? "");
  if (!match) return undefined;
  return Number(match[1]!.toLowerCase()) * (SUFFIXES[match[2]?.toUpperCase() ?? ""] ?? 1);
}
