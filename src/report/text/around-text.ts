/** Events around a place, one a line, with the places of all of them. */
import type { Answer } from "../../answers/around.ts";
import { ftraceLine } from "./ftrace-line.ts";
import { printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

export function aroundText({ events, at, alone }: Answer, style: TextStyle): string {
  const lines = events.map((event, i) => {
    const line = `${i === at ? ">" : " "} ${printable(ftraceLine(event).trimEnd())}`;
    const place = event.place === undefined ? "" : `  ${printable(event.place)}`;
    return i === at ? style.bold(`${line}${place}`) : `${line}${style.dim(place)}`;
  });
  const note = alone
    ? wrapText("Of this recording alone: it is not replayed with the others.", "", "")
    : [];
  return sectionsText([note, lines]);
}
