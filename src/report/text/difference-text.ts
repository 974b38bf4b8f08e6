/** What differs between two recordings, or two policies of one. */
import type { Answer, Difference } from "../../answers/difference.ts";
import { countPages } from "../../model/page-runs.ts";
import type { Finding, PageRun } from "../../model/result.ts";
import { causeText } from "./cause-text.ts";
import { runsText } from "./finding-text.ts";
import { countOf, numberText } from "./number-text.ts";
import { REQUEST_HEADING, requestText } from "./request-line.ts";
import { alignColumns, printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

/** Rounds that are listed. */
const SHOWN_ROUNDS = 20;

export function differenceText({ difference }: Answer, style: TextStyle): string {
  const { a, b, requests, findings } = difference;
  return sectionsText([
    [style.bold(headline(difference)), ...notTold(difference)],
    [sideText("A", a), sideText("B", b)],
    pagesText(difference),
    [
      `Requests: ${requests.equal} alike (queue, state, what they write), ${requests.onlyA} only in A, ` +
        `${requests.onlyB} only in B${movedText(requests.moved)}`,
    ],
    examplesText(difference),
    roundsText(difference),
    findingsOf("A", findings.onlyA),
    findingsOf("B", findings.onlyB),
  ]);
}

/** What the headline does not say: a side whose kernel is not known is judged as unpatched. Empty: both are told. */
function notTold({ a, b }: Difference): string[] {
  const open = [...(a.told ? [] : ["A"]), ...(b.told ? [] : ["B"])];
  if (open.length === 0) return [];
  const [only] = open;
  const which = open.length === 2 ? "on A and on B" : `on ${only}`;
  const both = open.length === 2 ? "both are" : `${only} is`;
  return wrapText(
    `Which kernel ran ${which} is not known: ${both} judged as unpatched, so what the kernels do differently ` +
      "does not show. Give --ran KERNEL, once for A and once for B.",
    "",
    "",
  );
}

function sideText(side: string, { name, policy }: Difference["a"]): string {
  return `${side}: ${printable(name)}, under ${policy}`;
}

function movedText(moved: number): string {
  return moved === 0
    ? ""
    : `; ${countOf(moved, "pair")} of these moved: alike but for where they write`;
}

function headline({ a, b, pages, requests, rounds, findings, measure }: Difference): string {
  const differ = countPages(pages.onlyA) + countPages(pages.onlyB);
  const parts: string[] = [];
  if (differ > 0) parts.push(`${countOf(differ, `${measure} page`)}`);
  const other = requests.onlyA + requests.onlyB;
  if (other > 0) parts.push(countOf(other, "request"));
  if (rounds.length > 0) parts.push(countOf(rounds.length, "round"));
  const kinds = findings.onlyA.length + findings.onlyB.length;
  if (kinds > 0) parts.push(countOf(kinds, "finding"));
  if (parts.length > 0) return `Different: ${parts.join(", ")}.`;
  return a.told && b.told ? "Nothing differs." : "Nothing differs but, perhaps, the kernels.";
}

function pagesText({ pages, measure }: Difference): string[] {
  const line = (name: string, runs: readonly PageRun[]): string[] =>
    runs.length === 0
      ? [`  ${name}: none`]
      : wrapText(`${name}: ${countPages(runs)}: ${runsText(runs, 0)}`, "  ", "    ");
  const what =
    measure === "stale" ? "Pages that are or may be stale at the destination" : "Lost pages";
  return [
    what,
    ...line("only A", pages.onlyA),
    ...line("only B", pages.onlyB),
    ...line("both", pages.both),
  ];
}

function examplesText({ requests }: Difference): string[] {
  if (requests.examples.length === 0) return [];
  return [
    `   ${REQUEST_HEADING.trimEnd()}`,
    ...requests.examples.map(
      ({ side, request }) => `${side === "a" ? "A" : "B"}  ${requestText(request).trimEnd()}`,
    ),
  ];
}

function roundsText({ rounds }: Difference): string[] {
  if (rounds.length === 0) return [];
  const cells = (side: Difference["rounds"][number]["a"]): string[] =>
    side
      ? [numberText(side.written), numberText(side.logged), numberText(side.lost)]
      : ["-", "-", "-"];
  const rows = rounds
    .slice(0, SHOWN_ROUNDS)
    .map(({ round, a, b }) => [
      `${round}`,
      printable((a ?? b)?.name ?? ""),
      ...cells(a),
      ...cells(b),
    ]);
  const more = rounds.length - SHOWN_ROUNDS;
  const heading = ["round", "", "written A", "logged", "lost", "written B", "logged", "lost"];
  return [
    ...alignColumns([heading, ...rows], "rlrrrrrr"),
    ...(more > 0 ? [`and ${countOf(more, "more round")}`] : []),
  ];
}

function findingsOf(side: string, findings: readonly Finding[]): string[] {
  if (findings.length === 0) return [];
  return [
    `Lost only in ${side}`,
    ...findings.map(
      ({ queue, cause, requests }) =>
        `  queue ${queue ?? "?"}: ${causeText(cause)} (${countOf(requests, "request")})`,
    ),
  ];
}
