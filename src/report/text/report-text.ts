/** The report for people: verdict, policies, findings, limits. */
import { toldByQemu } from "../../answers/stale.ts";
import type { InputSummary, ReplayResult } from "../../model/result.ts";
import { findingsText } from "./finding-text.ts";
import { limitsText } from "./limits-text.ts";
import { migrationText, staleSentence } from "./migration-text.ts";
import { countOf, seconds } from "./number-text.ts";
import { alignColumns, printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";
import { verdictSentence } from "./verdict.ts";

/** Findings a policy that are shown unless all are asked for. */
export const SHOWN_FINDINGS = 8;

/** What a report says first: of a migration, or of the dirty logs. */
export function headline(result: ReplayResult): string {
  const migration = toldByQemu(result);
  return migration === null ? verdictSentence(result) : staleSentence(migration, result);
}

/**
 * The whole report, ending in a line feed. `shown`: findings a policy, at most; `files`: lines about the
 * files of a case.
 */
export function reportText(
  result: ReplayResult,
  style: TextStyle,
  shown = SHOWN_FINDINGS,
  files: string[] = [],
): string {
  const migration = toldByQemu(result);
  const sections = [
    migration === null ? [] : wrapBold(staleSentence(migration, result), style),
    migration === null ? [] : migrationText(migration, style),
    [style.bold(verdictSentence(result))],
    // Numbers without a verdict would be read as one.
    result.verdict ? policyTable(result) : [],
    files,
    result.inputs.flatMap(inputLine),
    ...result.policies.map((policy) => findingsText(result, policy, shown, style)),
    moreFindings(result),
    limitsText(result.limits, style),
  ];
  return sectionsText(sections);
}

function wrapBold(text: string, style: TextStyle): string[] {
  return wrapText(text, "", "").map((line) => style.bold(line));
}

function policyTable(result: ReplayResult): string[] {
  const rows = result.policies.map((policy) => [
    policy.name,
    policy.alias ?? "",
    `${policy.logged}`,
    `${policy.lost}`,
    `${policy.stale}`,
  ]);
  const written = `${countOf(result.written, "page")} written in ${countOf(result.rounds.length + result.moreRounds, "round")}`;
  return [
    ...alignColumns([["policy", "", "logged", "lost", "stale"], ...rows], "llrrr"),
    "",
    ...wrapText(
      `Pages of 4 KiB, each counted once; ${written}. lost: written and not logged in some round; ` +
        "stale: still so at the end.",
      "",
      "",
    ),
  ];
}

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

function moreFindings(result: ReplayResult): string[] {
  if (result.moreFindings === 0) return [];
  return [
    `${countOf(result.moreFindings, "further finding was", "further findings were")} counted and not kept.`,
  ];
}
