/** The report for people: verdict, policies, findings, limits. */
import type { Answer } from "../../answers/affected.ts";
import { toldByQemu } from "../../answers/stale.ts";
import type { MachineResult, ReplayResult } from "../../model/result.ts";
import { affectedSentence, affectedText } from "./affected-text.ts";
import { findingsText } from "./finding-text.ts";
import { limitsText } from "./limits-text.ts";
import { machineLabel, machinesText } from "./machine-text.ts";
import { migrationsText, migrationText, staleSentence } from "./migration-text.ts";
import { countOf, numberText } from "./number-text.ts";
import { alignColumns, type TextStyle, wrapText } from "./text-layout.ts";
import { verdictSentence } from "./verdict.ts";

/** Findings a policy that are shown unless all are asked for. */
export const SHOWN_FINDINGS = 8;

/** What a report says first: of a migration, or of the dirty logs. */
export function headline(machine: MachineResult): string {
  const migration = toldByQemu(machine);
  return migration === null ? verdictSentence(machine) : staleSentence(migration, machine);
}

/** The same of every machine, each with its name where there are several. */
export function headlines({ machines }: ReplayResult): string[] {
  if (machines.length === 1) return machines.map(headline);
  return machines.map((machine) => `${machineLabel(machine)}: ${headline(machine)}`);
}

/** What stands around the numbers of a report. */
export interface ReportSurroundings {
  /** Whether the first screen answers if the host is affected. */
  asksAffected: boolean;
  /** Version of QEMU, where it is told. */
  qemu: string | null;
  /** Lines about the files of a case. */
  files: string[];
}

/** The whole report, ending in a line feed. `shown`: findings a policy, at most. */
export function reportText(
  answer: Answer,
  style: TextStyle,
  shown: number,
  { asksAffected, qemu, files }: ReportSurroundings,
): string {
  const { affected, result } = answer;
  const speech = {
    headline: (machine: MachineResult, i: number) =>
      asksAffected ? affectedSentence(affected[i]!, machine) : headline(machine),
    sections: (machine: MachineResult, facts: string[][], i: number) => [
      asksAffected ? affectedText(affected[i]!, machine, qemu, style) : [],
      ...reportSections(machine, facts, style, shown),
    ],
  };
  return machinesText(result, style, speech, files);
}

function reportSections(
  machine: MachineResult,
  facts: string[][],
  style: TextStyle,
  shown: number,
): string[][] {
  const migration = toldByQemu(machine);
  return [
    migration === null ? [] : wrapBold(staleSentence(migration, machine), style),
    migration === null ? [] : migrationText(migration, style),
    migrationsText(machine, style, shown),
    wrapBold(verdictSentence(machine), style),
    // Numbers without a verdict would be read as one.
    machine.verdict ? policyTable(machine) : [],
    ...facts,
    ...machine.policies.map((policy) => findingsText(machine, policy, shown, style)),
    moreFindings(machine),
    limitsText(machine.limits, style),
  ];
}

function wrapBold(text: string, style: TextStyle): string[] {
  return wrapText(text, "", "").map((line) => style.bold(line));
}

function policyTable(result: MachineResult): string[] {
  const rows = result.policies.map((policy) => [
    policy.name,
    policy.alias ?? "",
    numberText(policy.logged),
    numberText(policy.lost),
    numberText(policy.stillLost),
  ]);
  const written = `${countOf(result.written ?? 0, "page")} written in ${countOf(result.rounds.length + result.moreRounds, "round")}`;
  return [
    ...alignColumns([["policy", "", "logged", "lost", "still lost"], ...rows], "llrrr"),
    "",
    ...wrapText(
      `Pages of 4 KiB, each counted once; ${written}. lost: written and not logged in some round; ` +
        "still lost: and not logged since.",
      "",
      "",
    ),
  ];
}

function moreFindings(result: MachineResult): string[] {
  if (result.moreFindings === 0) return [];
  return [
    `${countOf(result.moreFindings, "further finding was", "further findings were")} counted and not kept.`,
  ];
}
