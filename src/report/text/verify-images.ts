/** Memory images of both sides against the stale verdict: what `verify --source-dump` says. */

import {
  type ImageVerdict,
  imageVerdictStatus,
  type VerdictClass,
} from "../../answers/image-verdict.ts";
import type { GuestComparison } from "../../memory/compare-guest-images.ts";
import type { GuestImage } from "../../memory/guest-image.ts";
import type { Owners } from "../../memory/owners/owners.ts";
import type { PageRuns } from "../../model/page-runs.ts";
import type { ReplayResult } from "../../model/result.ts";
import {
  type AskedOptions,
  inputJson,
  limitJson,
  optionsJson,
  runJson,
  type Tool,
  toolJson,
} from "../json/result-json.ts";
import { runsText } from "./finding-text.ts";
import { limitsText } from "./limits-text.ts";
import { countOf, listOf } from "./number-text.ts";
import { ownersJson, ownersText } from "./owners-text.ts";
import { policyLabel } from "./queue-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";

/** An image as far as it is told of. */
export type ImageFacts = Pick<GuestImage, "name" | "format" | "notes"> & { pages: number };

/** One policy's verdict against the images. */
export interface PolicyImageVerdict {
  name: string;
  alias: string | null;
  verdict: ImageVerdict;
}

/** All that is told. */
export interface VerifiedImages {
  source: ImageFacts;
  destination: ImageFacts;
  /** Name of the file of sent pages; null without one. */
  sentPages: string | null;
  /** Facts about the other files, one sentence each. */
  notes: readonly string[];
  comparison: GuestComparison;
  policies: PolicyImageVerdict[];
  owners: Owners | null;
}

const NAMES: Readonly<Record<VerdictClass, string>> = {
  stale: "stale",
  "possibly-stale": "possibly stale",
  healed: "healed",
  clean: "written, not missed",
  "not-written": "not written",
};

/** Runs that the text names before it says how many more there are, and that JSON lists. */
const SHOWN_RUNS = 8;
const LISTED_RUNS = 256;

/** The answer in one sentence. */
export function imagesSentence({ comparison, policies }: VerifiedImages): string {
  const { compared, differing } = comparison;
  if (compared.pages === 0) return "Nothing compared: the two images have no page in common.";
  if (differing.pages === 0) return `None of ${countOf(compared.pages, "page")} differs.`;
  const parts = [`${differing.pages} of ${countOf(compared.pages, "page")} differ`];
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
export function verifyImagesText(
  images: VerifiedImages,
  result: Pick<ReplayResult, "limits">,
  style: TextStyle,
): string {
  const sections = [
    wrapText(imagesSentence(images), "", "  ").map(style.bold),
    ...images.policies.map((policy) => policyText(policy, images, style)),
    imagesText(images),
    imagesStatus(images) === 0 ? [] : limitsText(result.limits, style),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

/** 0, 1 or 3 (`imageVerdictStatus`). */
export function imagesStatus({ policies }: VerifiedImages): 0 | 1 | 3 {
  return imageVerdictStatus(policies.map(({ verdict }) => verdict));
}

function policyText(policy: PolicyImageVerdict, images: VerifiedImages, style: TextStyle) {
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
    lines.push("", ...setText(what, unexplained, images.owners));
  }
  if (staleEqual.pages > 0) {
    const what = "stale, yet equal (missed bytes that repeat what was there)";
    lines.push("", ...setText(what, staleEqual, images.owners));
  }
  if (staleSent) {
    const { data, zero, neither } = staleSent;
    const sent = `stale pages in ${printable(images.sentPages ?? "")}: ${data} with data, ${zero} as zero pages, ${neither} not in it`;
    lines.push("", ...wrapText(sent, "  ", "    "));
  }
  return lines;
}

function setText(what: string, set: PageRuns, owners: Owners | null): string[] {
  const runs = set.first(SHOWN_RUNS);
  const which = runsText(runs, set.length - runs.length, SHOWN_RUNS);
  const lines = wrapText(`${what}: ${which}`, "  ", "    ");
  return owners ? [...lines, ...ownersText(owners, set).map((line) => `  ${line}`)] : lines;
}

function imagesText(images: VerifiedImages): string[] {
  const { comparison } = images;
  const lines: string[] = [];
  for (const [what, image] of [
    ["source", images.source],
    ["destination", images.destination],
  ] as const) {
    const facts = [`${image.format}, ${countOf(image.pages, "page")}`, ...image.notes].join("; ");
    lines.push(...wrapText(`${what}: ${printable(image.name)}: ${facts}`, "", "  "));
  }
  const one: string[] = [];
  const { onlyInFirst, onlyInSecond } = comparison;
  if (onlyInFirst.pages > 0) one.push(`${countOf(onlyInFirst.pages, "page")} only in the source`);
  if (onlyInSecond.pages > 0) one.push(`${onlyInSecond.pages} only in the destination`);
  if (one.length > 0) lines.push(`${listOf(one)}: not compared`);
  for (const note of images.notes) lines.push(...wrapText(printable(note), "", "  "));
  return lines;
}

/** `vhost-replay/verify-images/1`. */
export function verifyImagesJson(
  tool: Tool,
  options: AskedOptions,
  images: VerifiedImages,
  result: Pick<ReplayResult, "inputs" | "limits">,
) {
  const { comparison } = images;
  return {
    schema: "vhost-replay/verify-images/1",
    tool: toolJson(tool),
    options: optionsJson(options),
    inputs: result.inputs.map(inputJson),
    answer: ({ 0: "explained", 1: "unexplained", 3: "none" } as const)[imagesStatus(images)],
    sentence: imagesSentence(images),
    source: imageJson(images.source),
    destination: imageJson(images.destination),
    sentPages: images.sentPages,
    notes: [...images.notes],
    compared: comparison.compared.pages,
    differing: setJson(comparison.differing, images.owners),
    onlyInSource: setJson(comparison.onlyInFirst, null),
    onlyInDestination: setJson(comparison.onlyInSecond, null),
    inNeither: setJson(comparison.holes, null),
    policies: images.policies.map(({ name, alias, verdict }) => ({
      name,
      alias,
      answer: verdict.answer,
      classes: verdict.classes.map((one) => ({
        class: one.class,
        pages: one.pages,
        differing: one.differing,
        equal: one.equal,
        uncompared: one.uncompared,
      })),
      unexplained: setJson(verdict.unexplained, images.owners),
      staleEqual: setJson(verdict.staleEqual, images.owners),
      staleSent: verdict.staleSent === null ? null : { ...verdict.staleSent },
    })),
    limits: result.limits.map(limitJson),
  };
}

function imageJson(image: ImageFacts) {
  return {
    name: image.name,
    format: image.format,
    pages: image.pages,
    notes: [...image.notes],
  };
}

function setJson(set: PageRuns, owners: Owners | null) {
  const runs = set.first(LISTED_RUNS);
  return {
    pages: set.pages,
    runs: runs.map(runJson),
    moreRuns: set.length - runs.length,
    owners: owners === null ? null : ownersJson(owners, set),
  };
}
