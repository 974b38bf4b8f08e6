/** Memory images of both sides against the stale verdict: what `verify --source-dump` says. */

import { type Answer, type PolicyImageVerdict, statusOf } from "../../answers/image-comparison.ts";
import type { VerdictClass } from "../../answers/image-verdict.ts";
import type { ToldSet } from "../../answers/page-set.ts";
import { runsText } from "./finding-text.ts";
import { limitsText } from "./limits-text.ts";
import { countOf, listOf } from "./number-text.ts";
import { ownersText } from "./owners-text.ts";
import { policyLabel } from "./queue-text.ts";
import { alignColumns, printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

const NAMES: Readonly<Record<VerdictClass, string>> = {
  stale: "stale",
  "possibly-stale": "possibly stale",
  healed: "healed",
  clean: "written, not missed",
  "not-written": "not written",
};

/** Runs that are named before it is said how many more there are. */
const SHOWN_RUNS = 8;

/** The answer in one sentence. */
export function imagesSentence({ compared, differing, policies }: Answer): string {
  if (compared === 0) return "Nothing compared: the two images have no page in common.";
  if (differing.pages === 0) return `None of ${countOf(compared, "page")} differs.`;
  const parts = [`${differing.pages} of ${countOf(compared, "page")} differ`];
  for (const policy of policies) {
    const { unexplained } = policy.verdict;
    const [stale, possibly] = policy.verdict.classes.map((one) => one.differing);
    const what =
      unexplained.pages === 0
        ? `explains all: ${stale} stale, ${possibly} possibly stale`
        : `leaves ${unexplained.pages} unexplained`;
    parts.push(`${policyLabel(policy)} ${what}`);
  }
  return `${parts.join("; ")}.`;
}

/** For people; the first line is the answer. Ends in a line feed. */
export function verifyImagesText(images: Answer, style: TextStyle): string {
  const sections = [
    wrapText(imagesSentence(images), "", "  ").map(style.bold),
    ...images.policies.map((policy) => policyText(policy, images, style)),
    imagesText(images),
    statusOf(images) === 0 ? [] : limitsText(images.result.machines[0]!.limits, style),
  ];
  return sectionsText(sections);
}

function policyText(policy: PolicyImageVerdict, images: Answer, style: TextStyle) {
  const { verdict } = policy;
  const known = verdict.classes.filter((one) => one.pages !== 0);
  const rows = known.map((one) => [
    NAMES[one.class],
    one.pages === null ? "" : `${one.pages}`,
    `${one.differing}`,
    `${one.equal}`,
    one.uncompared === null ? "" : `${one.uncompared}`,
  ]);
  const head = ["verdict", "pages", "differ", "equal", "not in both"];
  const lines = [
    style.bold(`${policyLabel(policy)}, pages`),
    "",
    ...alignColumns([head, ...rows], "lrrrr").map((line) => `  ${line}`),
  ];
  const { unexplained, staleEqual, staleSent } = verdict;
  if (unexplained.pages > 0) {
    const what = "differ, neither stale nor possibly stale";
    lines.push("", ...setText(what, unexplained));
  }
  if (staleEqual.pages > 0) {
    const what = "stale, yet equal (missed bytes that repeat what was there)";
    lines.push("", ...setText(what, staleEqual));
  }
  if (staleSent) {
    const { data, zero, neither } = staleSent;
    const sent = `stale pages in ${printable(images.sentPages ?? "")}: ${data} with data, ${zero} as zero pages, ${neither} not in it`;
    lines.push("", ...wrapText(sent, "  ", "    "));
  }
  return lines;
}

function setText(what: string, set: ToldSet): string[] {
  const which = runsText(set.runs, set.moreRuns, SHOWN_RUNS);
  const lines = wrapText(`${what}: ${which}`, "  ", "    ");
  return set.owners ? [...lines, ...ownersText(set.owners).map((line) => `  ${line}`)] : lines;
}

function imagesText(images: Answer): string[] {
  const lines: string[] = [];
  for (const [what, image] of [
    ["source", images.source],
    ["destination", images.destination],
  ] as const) {
    const facts = [`${image.format}, ${countOf(image.pages, "page")}`, ...image.notes].join("; ");
    lines.push(...wrapText(`${what}: ${printable(image.name)}: ${facts}`, "", "  "));
  }
  const one: string[] = [];
  const { onlyInSource, onlyInDestination } = images;
  if (onlyInSource.pages > 0) one.push(`${countOf(onlyInSource.pages, "page")} only in the source`);
  if (onlyInDestination.pages > 0) one.push(`${onlyInDestination.pages} only in the destination`);
  if (one.length > 0) lines.push(`${listOf(one)}: not compared`);
  for (const note of images.notes) lines.push(...wrapText(printable(note), "", "  "));
  return lines;
}
