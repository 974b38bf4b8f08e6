/** Findings as text: one row each, and below it the pages and the first guilty write. */
import { PAGE_BYTES } from "../../model/pages.ts";
import { formatPlace } from "../../model/place.ts";
import type {
  Evidence,
  Finding,
  MachineResult,
  PageRun,
  PolicyResult,
} from "../../model/result.ts";
import { causeText } from "./cause-text.ts";
import { byteRange, countOf, hex, listOf, runRange, seconds } from "./number-text.ts";
import { policyLabel, queueLabel, roundEnd } from "./queue-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";
import { certaintyPrefix } from "./verdict.ts";

/** Runs that a finding shows before it says how many more there are. */
const SHOWN_RUNS = 4;
const INDENT = "      ";

const WHY: Readonly<Record<string, string>> = {
  "lost-io-logged": "I/O buffers, which this vhost never logs",
  "lost-io-late": "I/O buffers: popped before LOG_ALL was set, completed after",
  "lost-io-freed": "I/O buffers: LOG_ALL went off and on again before the completion",
  "lost-io-no-base": "I/O buffers: logging on, SET_LOG_BASE never done",
  "lost-io-off": "I/O buffers, which this vhost never logs",
  "lost-ctl-logged": "responses of the control queue, which this vhost never logs",
  "lost-ctl-late": "control responses: popped before LOG_ALL was set",
  "lost-ctl-no-base": "control responses: logging on, SET_LOG_BASE never done",
  "lost-ctl-off": "responses of the control queue, which this vhost never logs",
  "lost-evt-logged": "buffers of the event queue, which this vhost never logs",
  "lost-evt-no-base": "event buffers: logging on, SET_LOG_BASE never done",
  "lost-evt-off": "buffers of the event queue, which this vhost never logs",
  "lost-rx-no-base": "received packets: logging on, SET_LOG_BASE never done",
  "lost-vsock-logged": "received vsock packets, which vhost-vsock never logs",
  "lost-elem-logged": "used elements in order: the range logged lies elsewhere (VIRTIO_F_IN_ORDER)",
  "lost-stray-logged": "a byte of an overrun, in a buffer that went back",
  "lost-ring-no-base": "used ring: logging on, SET_LOG_BASE never done",
  "lost-ring-flag": "used ring: its log flag is on, LOG_ALL is not",
  "lost-ring-all": "used ring: LOG_ALL is on, its log flag is not",
  "lost-ring-beyond": "used ring: behind the end of the log",
  "lost-packed-logged": "used descriptors of a packed ring, which this vhost never logs",
  "lost-packed-left-out":
    "packed ring: its descriptors lie elsewhere than the log address (QEMU gives the device event area), or its log is off",
  "lost-io-beyond": "I/O buffers: a range that ends behind the log is dropped whole",
  "lost-io-refused": "buffers of a chain with an indirect table behind another descriptor",
  "lost-rx-beyond": "received packets: a range that ends behind the log is dropped whole",
  "lost-rx-logged": "received packets, which this vhost never logs",
  "lost-header-piece":
    "virtio-net header in several descriptors: its pieces are logged behind the address of the first",
  "lost-notify-no-base": "used flags or avail_event: SET_LOG_BASE never done",
};

/** Why pages are lost, for people, from a finding's code. */
export function findingWhy(code: string): string {
  return WHY[code] ?? causeText(code.replace(/^lost-/, ""));
}

/**
 * The findings of one policy, at most `shown` of them, in the order of the result. Empty when the
 * policy has none.
 */
export function findingsText(
  result: MachineResult,
  policy: PolicyResult,
  shown: number,
  style: TextStyle,
): string[] {
  const all = result.findings.filter((finding) => finding.policy === policy.name);
  if (all.length === 0) return [];
  const some = all.slice(0, shown);
  const rows = alignColumns(
    [
      ["queue", "losses", "requests", "rounds", "first in", "ended by"],
      ...some.map((finding) => row(result, finding)),
    ],
    "lrrrrl",
  );
  const lines = [
    `${style.bold(`Lost by ${policyLabel(policy)}`)}; a loss: one page in one round`,
    "",
    `  ${rows[0]}`,
  ];
  some.forEach((finding, index) => {
    lines.push(`  ${rows[index + 1]}`, ...detail(finding));
  });
  if (all.length > some.length) {
    lines.push(`  and ${countOf(all.length - some.length, "more finding")}; --all shows all`);
  }
  return lines;
}

function row(result: MachineResult, finding: Finding): string[] {
  return [
    queueLabel(result.devices, finding.device, finding.queue),
    `${finding.pages}`,
    `${finding.requests}`,
    `${finding.rounds}`,
    `${finding.round}`,
    roundEnd(result.rounds[finding.round]),
  ];
}

function detail(finding: Finding): string[] {
  const sure = finding.certainty === "exact" ? "" : ` (${certaintyPrefix(finding.certainty)}these)`;
  return [
    ...wrapText(`${findingWhy(finding.code)}${sure}`, INDENT, INDENT),
    ...wrapText(runsText(distinct(finding.runs), finding.moreRuns), INDENT, INDENT),
    ...evidenceText(finding.first),
  ];
}

/** Without those that are lost again in a later round. */
function distinct(runs: readonly PageRun[]): PageRun[] {
  return [...new Map(runs.map((run) => [runRange(run), run])).values()];
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
  return `page ${hex(gfn * PAGE_BYTES)} (gfn ${hex(gfn)})`;
}
