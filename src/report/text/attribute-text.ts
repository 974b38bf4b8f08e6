/** What `attribute` says to people: the answer, the matrix of patches and pages, the rest. */
import type { Answer, Attribution, LostByQueue, PageSet } from "../../answers/attribute.ts";
import { leavesOpen } from "../../answers/open.ts";
import type { MachineResult } from "../../model/result.ts";
import { causeText } from "./cause-text.ts";
import { runsText } from "./finding-text.ts";
import { limitsText } from "./limits-text.ts";
import { machinesText } from "./machine-text.ts";
import { countOf, listOf, numberText } from "./number-text.ts";
import { queueLabel } from "./queue-text.ts";
import { alignColumns, type TextStyle, wrapText } from "./text-layout.ts";
import { certaintyPrefix } from "./verdict.ts";

/** The answer in one sentence. */
export function attributeSentence(attribution: Attribution, machine: MachineResult): string {
  if (!machine.verdict || attribution.lost === null) {
    return "No verdict: this recording cannot tell which guest pages were lost.";
  }
  const assumed = attribution.window === "assumed" ? ", had logging been on" : "";
  const shown = leavesOpen(machine) ? " as far as this recording shows" : "";
  if (attribution.lost === 0) return `Without the series no page is lost${assumed}${shown}.`;
  const prefix = certaintyPrefix(machine.certainty);
  const lost = `Without the series ${prefix}${countOf(attribution.lost, "page")} ${isAre(attribution.lost)} lost${assumed}`;
  if (attribution.prefix !== null) {
    return `${lost}; patches 1 to ${attribution.prefix} save ${attribution.lost === 1 ? "it" : "all of them"}${shown}.`;
  }
  const left = attribution.prefixes.at(-1)?.lost ?? 0;
  return `${lost}; with the whole series ${countOf(left, "page")} ${isAre(left)} still lost.`;
}

function isAre(count: number): string {
  return count === 1 ? "is" : "are";
}

/** For people; the first line is the answer. Ends in a line feed. */
export function attributeText({ attributions, result }: Answer, style: TextStyle): string {
  return machinesText({ ...result, inputs: [] }, style, {
    headline: (machine, index) => attributeSentence(attributions[index]!, machine),
    sections: (machine, facts, index) =>
      attributionSections(attributions[index]!, machine, facts, style),
  });
}

function attributionSections(
  attribution: Attribution,
  machine: MachineResult,
  facts: string[][],
  style: TextStyle,
): string[][] {
  const lost = attribution.lost !== null && attribution.lost > 0;
  return [
    wrapText(attributeSentence(attribution, machine), "", "").map(style.bold),
    ...facts,
    ...(lost
      ? [
          matrixText(attribution, style),
          prefixText(attribution, style),
          queuesText(attribution, machine, style),
        ]
      : []),
    unsavedText(attribution, machine, style),
    limitsText(machine.limits, style),
  ];
}

function matrixText(attribution: Attribution, style: TextStyle): string[] {
  const numbers = attribution.patches.map(({ number }) => number);
  const head = [...numbers.map(String), "pages"];
  const rows = attribution.sets.map((set) => [
    ...numbers.map((number) => (set.patches.includes(number) ? "x" : ".")),
    `${set.pages}`,
  ]);
  const { unsaved } = attribution;
  if (unsaved.pages > 0) rows.push([...numbers.map(() => "-"), `${unsaved.pages}`]);
  const foot = attribution.patches.map(({ pages }) => (pages > 0 ? `${pages}` : "."));
  const lines = [
    style.bold("The fewest patches that save a page"),
    "",
    ...alignColumns([head, ...rows, foot], "r".repeat(numbers.length + 1)).map((l) => `  ${l}`),
    "",
    ...wrapText(
      "x: needed; -: no patch saves it; last line: pages that need the patch",
      "  ",
      "  ",
    ),
    "",
    ...attribution.sets.flatMap((set) => whereText(set.patches.join(","), set)),
    ...(unsaved.pages > 0 ? whereText("none", unsaved) : []),
  ];
  if (attribution.unlisted > 0) {
    const what = countOf(attribution.unlisted, "further lost page");
    lines.push(...wrapText(`${what} in too many runs to be told apart`, "  ", "  "));
  }
  return lines;
}

function whereText(what: string, set: PageSet): string[] {
  return wrapText(`${what}: ${runsText(set.runs, set.moreRuns)}`, "  ", "    ");
}

function prefixText(attribution: Attribution, style: TextStyle): string[] {
  const steps = attribution.prefixes.filter(
    ({ lost }, at) => at === 0 || lost !== attribution.prefixes[at - 1]!.lost,
  );
  const rows = steps.map(({ upTo, lost }) => [
    upTo === 0 ? "none" : `1 to ${upTo}`,
    numberText(lost),
    upTo === 0 ? "" : attribution.patches[upTo - 1]!.title,
  ]);
  return [
    style.bold("Patch by patch"),
    "",
    ...alignColumns([["patches", "lost", "what came"], ...rows], "lrl").map((line) => `  ${line}`),
  ];
}

function queuesText(attribution: Attribution, result: MachineResult, style: TextStyle): string[] {
  if (attribution.queues.length === 0) return [];
  const rows = attribution.queues.map((lost) => lostRow(lost, result));
  const lines = [
    style.bold("By queue and kind"),
    "",
    ...alignColumns([["queue", "pages", "requests", "patches", "what"], ...rows], "lrrll").map(
      (line) => `  ${line}`,
    ),
  ];
  lines.push(
    "",
    ...wrapText(
      "Summed over the rounds: a page lost in two rounds counts twice, in a round for the first " +
        "write that touched it.",
      "  ",
      "  ",
    ),
  );
  if (attribution.moreFindings > 0) {
    lines.push(`  ${countOf(attribution.moreFindings, "further finding")} not kept`);
  }
  return lines;
}

function lostRow(lost: LostByQueue, result: MachineResult): string[] {
  return [
    queueLabel(result.devices, lost.device, lost.queue),
    `${lost.pages}`,
    `${lost.requests}`,
    lost.patches?.join(",") ?? "none",
    causeText(lost.cause),
  ];
}

function unsavedText(attribution: Attribution, result: MachineResult, style: TextStyle): string[] {
  const { unsaved } = attribution;
  if (unsaved.pages === 0) return [];
  const why = unsaved.causes.map(
    (lost) =>
      `${countOf(lost.pages, "page")} of ${causeText(lost.cause)} ` +
      `(${queueLabel(result.devices, lost.device, lost.queue)})`,
  );
  return [
    style.bold("Saved by no patch"),
    "",
    ...wrapText(
      `${countOf(unsaved.pages, "page")}; summed over the rounds: ${listOf(why)}`,
      "  ",
      "  ",
    ),
  ];
}
