/** Findings as text: one row each, and below it the pages and the first guilty write. */
import { formatPlace } from "../place.ts";
import type { Evidence, Finding, PageRun, PolicyResult, ReplayResult } from "../result.ts";
import { byteRange, countOf, hex, listOf, runRange, seconds } from "./number-text.ts";
import { policyLabel, queueLabel, roundEnd } from "./queue-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";
import { certaintyPrefix } from "./verdict.ts";

/** Runs that a finding shows before it says how many more there are. */
const SHOWN_RUNS = 4;
const INDENT = "         ";

const WHY: Readonly<Record<string, string>> = {
  "lost-io": "I/O buffers: this vhost never logs them",
  "lost-io-late": "I/O buffers: popped before logging was on, completed after",
  "lost-io-freed": "I/O buffers: logging went off and on again in between",
  "lost-ctl": "responses of the control queue",
  "lost-ctl-late": "control responses: popped before logging was on",
  "lost-evt": "buffers of the event queue",
  "no-log-base": "logging on without SET_LOG_BASE",
};

/** Why pages are lost, for people, from a finding's code; an unknown code stands for itself. */
export function findingWhy(code: string): string {
  return WHY[code] ?? code;
}

/**
 * The findings of one policy, at most `shown` of them, in the order of the result. Empty when the
 * policy has none.
 */
export function findingsText(
  result: ReplayResult,
  policy: PolicyResult,
  shown: number,
  style: TextStyle,
): string[] {
  const all = result.findings.filter((finding) => finding.policy === policy.name);
  if (all.length === 0) return [];
  const some = all.slice(0, shown);
  const rows = alignColumns(
    [["round", "ended by", "queue", "pages", "requests"], ...some.map((f) => row(result, f))],
    "rllrr",
  );
  const lines = [style.bold(`Lost by ${policyLabel(policy)}`), "", `  ${rows[0]}`];
  some.forEach((finding, index) => {
    lines.push(`  ${rows[index + 1]}`, ...detail(finding));
  });
  if (all.length > some.length) {
    lines.push(`  and ${countOf(all.length - some.length, "more finding")}; --all shows all`);
  }
  return lines;
}

function row(result: ReplayResult, finding: Finding): string[] {
  return [
    `${finding.round}`,
    roundEnd(result.rounds[finding.round]),
    queueLabel(result.devices, finding.device, finding.queue),
    `${finding.pages}`,
    `${finding.requests}`,
  ];
}

function detail(finding: Finding): string[] {
  const sure = finding.certainty === "exact" ? "" : ` (${certaintyPrefix(finding.certainty)}these)`;
  return [
    ...wrapText(`${findingWhy(finding.code)}${sure}`, INDENT, INDENT),
    ...wrapText(runsText(finding.runs, finding.moreRuns), INDENT, INDENT),
    ...evidenceText(finding.first),
  ];
}

/** Page runs as byte ranges, the first few and how many more there are. */
export function runsText(runs: readonly PageRun[], more: number, shown = SHOWN_RUNS): string {
  const some = runs.slice(0, shown);
  const rest = more + runs.length - some.length;
  const parts = some.map(runRange);
  if (rest > 0) parts.push(countOf(rest, "more run"));
  return listOf(parts);
}

function evidenceText(first: Evidence): string[] {
  const what = [`first: ${countOf(first.len, "byte")} at ${byteRange(first.gpa, first.len)}`];
  if (first.request !== null) what.push(`request ${first.request}`);
  if (first.head !== null) what.push(`head ${first.head}`);
  const events: string[][] = [];
  if (first.popPlace !== null) {
    const time = first.popNs === null ? "" : seconds(first.popNs);
    events.push(["popped", time, printable(formatPlace(first.popPlace))]);
  }
  const ended = first.request === null && first.head === null ? "written" : "completed";
  events.push([ended, seconds(first.ns), printable(formatPlace(first.place))]);
  return [
    ...wrapText(what.join(", "), INDENT, INDENT),
    ...alignColumns(events, "lrl").map((line) => `${INDENT}  ${line}`),
  ];
}

/** A page as people name it: address and page number. */
export function pageText(gfn: number): string {
  return `page ${hex(gfn * 4096)} (gfn ${hex(gfn)})`;
}
