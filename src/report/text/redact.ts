/** What `redact` says of what it wrote: text and `vhost-replay/redact/1`. */

import { type Tool, toolJson } from "../json/result-json.ts";
import { countOf } from "./number-text.ts";
import { printable } from "./text-layout.ts";

/** One output. */
export interface RedactedRecording {
  file: string;
  events: number;
  /** Events that are not in it, by name. */
  leftOut: Record<string, number>;
  bytes: number;
  sha256: string;
}

/** What was done, and what the proof compared. */
export interface RedactSummary {
  outputs: RedactedRecording[];
  pages: { pieces: number; runs: number; moved: number; touchedKept: number };
  proof: { policies: number; rounds: number; requests: number; facts: number };
  keepRuns: boolean;
  keepTimes: boolean;
}

type Said = RedactSummary & { key: "random" | "file" };

/** `vhost-replay/redact/1`. */
export function redactJson(tool: Tool, said: Said) {
  const { outputs, pages, proof, key, keepRuns, keepTimes } = said;
  return {
    schema: "vhost-replay/redact/1",
    tool: toolJson(tool),
    options: { key, keepRuns, keepTimes },
    outputs,
    pages,
    proof,
  };
}

/** For people. */
export function redactText({ outputs, pages, proof, key }: Said): string {
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
