/** Owners of pages, for people and as JSON: most pages first. */
import { type Owners, ownerText } from "../../memory/owners/owners.ts";
import type { PageRuns } from "../../model/page-runs.ts";
import type { PageRun } from "../../model/result.ts";
import { countOf } from "./number-text.ts";
import { alignColumns, printable } from "./text-layout.ts";

const SHOWN_OWNERS = 8;
const LISTED_OWNERS = 256;

/** One line an owner: pages, then `swap cache page of systemd, pid 1`. */
export function ownersText(
  owners: Owners,
  pages: PageRuns | Iterable<PageRun>,
  shown = SHOWN_OWNERS,
): string[] {
  const { owned, unknown } = owners.summarise(pages);
  const rows = owned.slice(0, shown).map((one) => [`${one.pages}`, printable(ownerText(one))]);
  const more = owned.slice(shown);
  if (more.length > 0) {
    const count = more.reduce((sum, one) => sum + one.pages, 0);
    rows.push([`${count}`, `of ${countOf(more.length, "more owner")}`]);
  }
  if (unknown > 0) rows.push([`${unknown}`, "of an owner that the file does not name"]);
  return alignColumns(rows, "rl").map((line) => `  ${line}`);
}

/** The same for programs. */
export function ownersJson(owners: Owners, pages: PageRuns | Iterable<PageRun>) {
  const { owned, unknown } = owners.summarise(pages);
  const listed = owned.slice(0, LISTED_OWNERS);
  return {
    owned: listed.map(({ owner, kind, pages: count }) => ({ owner, kind, pages: count })),
    moreOwners: owned.length - listed.length,
    unknown,
  };
}
