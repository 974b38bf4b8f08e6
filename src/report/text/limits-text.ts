/** What a recording cannot tell: the last section of every report. */
import { formatPlace } from "../../model/place.ts";
import type { Limit, Sufficiency } from "../../model/result.ts";
import { countOf } from "./number-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";

const SHOWN_PLACES = 3;

const EFFECT: Readonly<Record<string, string>> = {
  more: "the true numbers may be higher",
  fewer: "the true numbers may be lower",
  both: "the true numbers may be higher or lower",
};

/** The section "What this recording cannot tell", with its heading. */
export function limitsText(limits: readonly Limit[], style: TextStyle): string[] {
  const lines = [style.bold("What this recording cannot tell"), ""];
  if (limits.length === 0) lines.push("  Nothing that the verdict needs is missing from it.");
  for (const limit of limits) {
    const effect = limit.effect === null ? "" : ` (${EFFECT[limit.effect]})`;
    lines.push(...wrapText(`${printable(limit.text)}${effect}`, "  - ", "    "));
    for (const place of limit.places.slice(0, SHOWN_PLACES)) {
      lines.push(`    ${printable(formatPlace(place))}`);
    }
    const rest = limit.places.length - SHOWN_PLACES;
    if (rest > 0) lines.push(`    and ${countOf(rest, "more place")}`);
  }
  return lines;
}

/** Questions that the recording can answer, in part, or cannot. */
export function sufficiencyText(sufficiency: readonly Sufficiency[], style: TextStyle): string[] {
  if (sufficiency.length === 0) return [];
  const answers = alignColumns(
    sufficiency.map((one) => [one.answer, one.question]),
    "ll",
  );
  const lines = [style.bold("What it is good for"), ""];
  sufficiency.forEach((one, index) => {
    lines.push(`  ${answers[index]}`);
    if (one.why !== "") lines.push(...wrapText(printable(one.why), "          ", "          "));
  });
  return lines;
}
