/** Owners of pages for people: most pages first. */
import type { OwnersOfSet } from "../../answers/page-set.ts";
import { ownerText } from "../../memory/owners/owners.ts";
import { countOf } from "./number-text.ts";
import { alignColumns, printable } from "./text-layout.ts";

const SHOWN_OWNERS = 8;

/** One line an owner: pages, then `swap cache page of systemd, pid 1`. */
export function ownersText({ owned, unknown }: OwnersOfSet, shown = SHOWN_OWNERS): string[] {
  const rows = owned.slice(0, shown).map((one) => [`${one.pages}`, printable(ownerText(one))]);
  const more = owned.slice(shown);
  if (more.length > 0) {
    const count = more.reduce((sum, one) => sum + one.pages, 0);
    rows.push([`${count}`, `of ${countOf(more.length, "more owner")}`]);
  }
  if (unknown > 0) rows.push([`${unknown}`, "of an owner that the file does not name"]);
  return alignColumns(rows, "rl").map((line) => `  ${line}`);
}
