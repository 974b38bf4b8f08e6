/** Events around a place, one a line, with the places of all of them. */
import type { Answer } from "../../answers/around.ts";
import { ftraceLine } from "./ftrace-line.ts";
import { printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

export function aroundText(
  { events, at, before, alone }: Answer,
  place: string,
  style: TextStyle,
): string {
  const lines = events.map((event, i) => {
    const text = ftraceLine(event).trimEnd().replace(NO_CPU, "CPU not told ");
    const line = `${i === at ? ">" : " "} ${printable(text)}`;
    const shown = event.place === undefined ? "" : `  ${printable(event.place)}`;
    return i === at ? style.bold(`${line}${shown}`) : `${line}${style.dim(shown)}`;
  });
  if (at === null) {
    lines.splice(before, 0, style.bold(`> no event stands at ${printable(place)}`));
  }
  const note = alone
    ? wrapText("Of this recording alone: it is not replayed with the others.", "", "")
    : [];
  return sectionsText([note, lines]);
}

/** Of a loss that names no CPU. */
const NO_CPU = /^CPU:65535 /;
