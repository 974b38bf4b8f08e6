/** What `redact` says of what it wrote. */
import type { RedactSummary } from "../../redact/summary.ts";
import { countOf } from "./number-text.ts";
import { printable } from "./text-layout.ts";

/** For people. */
export function redactText({ outputs, pages, proof, key }: RedactSummary): string {
  const lines = outputs.map(
    ({ file, events, bytes }) =>
      `${printable(file)}: ${countOf(events, "event")}, ${countOf(bytes, "byte")}`,
  );
  const left = new Map<string, number>();
  for (const { leftOut } of outputs) {
    for (const [name, count] of Object.entries(leftOut))
      left.set(name, (left.get(name) ?? 0) + count);
  }
  if (left.size > 0) {
    const names = [...left].map(([name, count]) => `${printable(name)} ${count}`).join(", ");
    lines.push(`left out: ${names}`);
  }
  lines.push(
    `pages: ${countOf(pages.moved, "page")} renumbered in ${countOf(pages.runs, "run")} of ` +
      `${countOf(pages.pieces, "piece")} of memory`,
  );
  if (pages.touchedKept > 0) {
    lines.push(
      `${countOf(pages.touchedKept, "page")} that devices touched kept the old number: ` +
        "a buffer lies over a border of memory regions, or there is no other place",
    );
  }
  lines.push(
    `replayed again: ${countOf(proof.rounds, "round")}, ${countOf(proof.requests, "request")}, ` +
      `${countOf(proof.policies, "dirty log")}: all equal up to the renaming`,
  );
  if (key === "random") lines.push("the key is forgotten: this redaction cannot be repeated");
  return `${lines.join("\n")}\n`;
}
