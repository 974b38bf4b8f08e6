/** Predicted dirty logs against observed ones: what `verify` says. */

import {
  type Answer,
  type Comparison,
  type ExplainedPage,
  isEqual,
  type PolicyComparison,
  statusOf,
} from "../../answers/log-comparison.ts";
import type { OneSided } from "../../answers/log-difference.ts";
import type { MachineResult } from "../../model/result.ts";
import { clockWarning } from "./clock-text.ts";
import { writeLines } from "./explain-text.ts";
import { pageText, runsText } from "./finding-text.ts";
import { limitsText } from "./limits-text.ts";
import { countOf, hex, listOf } from "./number-text.ts";
import { policyLabel } from "./queue-text.ts";
import { alignColumns, printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

/** The answer in one sentence. */
export function comparisonSentence(comparison: Comparison): string {
  const syncs = comparison.policies[0]?.syncs.length ?? 0;
  if (syncs === 0) return "Nothing compared: no observed image has its sync in the recording.";
  const equal = comparison.policies.filter(isEqual);
  const different = comparison.policies.filter((policy) => !isEqual(policy));
  const where = syncs === 1 ? "at the only sync" : `at all ${syncs} syncs`;
  const parts = [];
  if (equal.length > 0) {
    const verb = equal.length === 1 ? "equals" : "equal";
    parts.push(`${listOf(equal.map(policyLabel))} ${verb} the observed log ${where}`);
  }
  for (const policy of different) {
    const bad = policy.syncs.filter((s) => s.missing.pages > 0 || s.extra.pages > 0).length;
    const end =
      policy.logPages === null
        ? ""
        : `, and equals it with a log of ${policy.logPages / 8} bytes, which ends at page ${hex(policy.logPages - 1)}`;
    const words = policy.reversedWords
      ? ", and at none when the bytes of each word of 64 bits are turned round"
      : "";
    parts.push(
      `${policyLabel(policy)} differs at ${bad} of ${countOf(syncs, "sync")}${end}${words}`,
    );
  }
  return `${parts.join("; ")}.`;
}

/** For people; the first line is the answer. Ends in a line feed. */
export function verifyText({ comparison, result }: Answer, style: TextStyle): string {
  const machine = result.machines[0]!;
  const sections = [
    clockWarning(result, style),
    [style.bold(comparisonSentence(comparison))],
    uncomparedText(comparison),
    ...comparison.policies
      .filter((policy) => !isEqual(policy))
      .map((policy) => policyText(policy, machine, style)),
    statusOf({ comparison }) === 0 ? [] : limitsText(machine.limits, style),
  ];
  return sectionsText(sections);
}

function uncomparedText({ withoutImage, withoutSync }: Comparison): string[] {
  const lines: string[] = [];
  if (withoutSync.length > 0) {
    const which = withoutSync.slice(0, 8).join(", ");
    const what = countOf(withoutSync.length, "image");
    lines.push(...wrapText(`${what} without a sync in the recording: ${which}`, "", "  "));
  }
  if (withoutImage.length > 0) {
    const which = withoutImage.slice(0, 8).join(", ");
    lines.push(
      ...wrapText(`${countOf(withoutImage.length, "sync")} without an image: ${which}`, "", "  "),
    );
  }
  return lines;
}

const SHOWN_SYNCS = 12;

function policyText(policy: PolicyComparison, result: MachineResult, style: TextStyle): string[] {
  const bad = policy.syncs.filter((sync) => sync.missing.pages > 0 || sync.extra.pages > 0);
  const some = bad.slice(0, SHOWN_SYNCS);
  const rows = some.map((sync) => [
    `${sync.number}`,
    printable(sync.mark?.name ?? ""),
    `${sync.missing.pages}`,
    `${sync.extra.pages}`,
    sync.file,
  ]);
  const head = ["sync", "name", "observed only", "predicted only", "image"];
  const lines = [
    style.bold(`${policyLabel(policy)}, pages that differ`),
    "",
    ...alignColumns([head, ...rows], "rlrrl").map((line) => `  ${line}`),
  ];
  if (bad.length > some.length) {
    lines.push(`  and ${countOf(bad.length - some.length, "more sync")}; --json lists them`);
  }
  const sync = bad[0];
  if (sync) lines.push("", ...sideText("observed only", sync.number, sync.missing));
  if (sync) lines.push(...sideText("predicted only", sync.number, sync.extra));
  for (const why of [...new Set(bad.flatMap((one) => one.caveats)), ...causesOf(policy)]) {
    lines.push(...wrapText(printable(why), "  why: ", "       "));
  }
  if (policy.first) lines.push("", ...firstText(policy.first, result));
  return lines;
}

/** What the tool found out about the differences. */
function causesOf({ syncs, logPages, reversedWords }: PolicyComparison): string[] {
  const causes: string[] = [];
  const moved = syncs.filter((sync) => sync.straddles).map((sync) => `${sync.number}`);
  if (moved.length > 0) {
    causes.push(
      `at ${moved.length === 1 ? "sync" : "syncs"} ${listOf(moved)} the same pages differ the other way round at the ` +
        "sync beside it: requests straddle it, because the back end logs before or behind the moment that is " +
        "recorded as their completion; the union of the rounds is equal",
    );
  }
  if (logPages !== null) {
    causes.push(
      `the back end's log is shorter than the guest's memory: a range that ends behind page ${hex(logPages - 1)} is ` +
        `dropped whole (--log-size ${logPages / 8})`,
    );
  }
  if (reversedWords) {
    causes.push(
      "the images are a big-endian host's, whose log is made of words of its own order: turn the bytes of " +
        "each word of 64 bits round, so that bit n of byte n / 8 is page n",
    );
  }
  return causes;
}

function sideText(what: string, number: number, side: OneSided): string[] {
  if (side.pages === 0) return [];
  return wrapText(`${what} at sync ${number}: ${runsText(side.runs, side.moreRuns)}`, "  ", "    ");
}

function firstText(first: ExplainedPage, result: MachineResult): string[] {
  const side = first.side === "missing" ? "observed, not predicted" : "predicted, not observed";
  const lines = [`  first: ${pageText(first.gfn)}, ${side} at sync ${first.number}`];
  if (first.unexplained !== null) lines.push(...wrapText(first.unexplained, "    ", "    "));
  else if (first.writes.length === 0) {
    lines.push("    no write to it in this round of the recording");
  }
  for (const write of first.writes) {
    lines.push(...writeLines(write, result).map((line) => `  ${line}`));
  }
  if (first.moreWrites > 0) lines.push(`    and ${countOf(first.moreWrites, "more write")}`);
  return lines;
}
