/** An input of a replay in text. */
import type { InputSummary } from "../../model/result.ts";
import { countOf, seconds } from "./number-text.ts";
import { printable, wrapText } from "./text-layout.ts";

/** One input in one or two lines: name, format, CPUs, time span, events, and its notes. */
export function inputLine(input: InputSummary): string[] {
  const events = input.events.reduce((sum, event) => sum + event.count, 0);
  const parts = [[input.format, ...input.compression].join(", ")];
  if (input.cpus.length > 0) parts.push(countOf(input.cpus.length, "CPU"));
  if (input.clock !== null) parts.push(`clock ${printable(input.clock)}`);
  if (input.firstNs !== null && input.lastNs !== null) {
    parts.push(`${seconds(input.firstNs)} to ${seconds(input.lastNs)} s`);
  }
  parts.push(countOf(events, "event"));
  const lines = wrapText(`${printable(input.name)}: ${parts.join(", ")}`, "", "  ");
  for (const note of input.notes) lines.push(...wrapText(printable(note), "  ", "  "));
  return lines;
}
