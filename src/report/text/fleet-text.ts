/** `fleet merge` as text. */
import type { Bounds, FleetResult } from "../../fleet/merge.ts";
import { countOf } from "./number-text.ts";
import { alignColumns, printable, wrapText } from "./text-layout.ts";

/** Failed cases, duplicates and machines that are listed one by one. */
const LISTED = 20;

/** `12`, `12, at most 16`, `12 or more`. */
function boundsText({ atLeast, atMost }: Bounds): string {
  if (atMost === atLeast) return `${atLeast}`;
  return atMost === null ? `${atLeast} or more` : `${atLeast}, at most ${atMost}`;
}

/** The answer of a fleet; every line that is a bound says so. */
export function fleetText(result: FleetResult): string {
  const { missing, failed } = result;
  const states = [
    `${result.ok} answered`,
    ...(failed.length > 0 ? [`${failed.length} cannot be read`] : []),
    ...(missing.count > 0 ? [`${missing.count} missing`] : []),
  ];
  const rows = result.policies.map(({ name, affected, lost, stale }) => [
    name,
    boundsText(affected),
    boundsText(lost),
    stale === null ? "no migration recorded" : boundsText(stale),
  ]);
  const lines = [
    ...wrapText(`${countOf(result.cases, "case")}: ${states.join(", ")}.`, "", ""),
    "",
    ...alignColumns(
      [["policy", "cases affected", "pages lost", "stale at a destination"], ...rows],
      "llll",
    ),
    "",
    ...wrapText(
      "Pages are added over machines. A case that is missing, cannot be read or carries no verdict may be affected.",
      "",
      "",
    ),
  ];
  if (missing.count > 0) lines.push("", `Missing: ${missing.indexes}`);
  section(
    lines,
    "Cannot be read",
    failed.map(({ index, name, error }) =>
      error.startsWith(name) ? `${index} ${error}` : `${index} ${name}: ${error}`,
    ),
  );
  section(
    lines,
    "Without a verdict",
    result.withoutVerdict.map(({ index, name }) => `${index} ${name}`),
  );
  section(
    lines,
    "The same recording as another case, counted once",
    result.duplicates.map(({ index, name, of }) => `${index} ${name}: as ${of}`),
  );
  section(
    lines,
    "Limits of the recordings",
    result.limits.map(
      ({ code, effect, cases }) =>
        `${code}: the true numbers may be ${effect === "more" ? "higher" : "lower"} in ${countOf(cases, "case")}`,
    ),
  );
  section(
    lines,
    "Machines",
    result.machines.map(({ vm, cases, policies }) => {
      const lost = policies
        .map((policy) => `${policy.name} ${policy.lost ?? "not known"}`)
        .join(", ");
      return `${vm}: ${countOf(cases.length, "case")}, distinct pages lost: ${lost}`;
    }),
  );
  return `${lines.join("\n")}\n`;
}

function section(lines: string[], title: string, items: readonly string[]): void {
  if (items.length === 0) return;
  lines.push("", title, "");
  for (const item of items.slice(0, LISTED)) lines.push(...wrapText(printable(item), "  ", "    "));
  if (items.length > LISTED) lines.push(`  and ${items.length - LISTED} more (--json lists all)`);
}
