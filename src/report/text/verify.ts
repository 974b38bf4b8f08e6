/** Predicted dirty logs against observed ones: what `verify` says. */

import type { ImageDifference, OneSided } from "../../answers/compare-images.ts";
import type { ReplayResult, SyncMark, WatchedWrite } from "../../model/result.ts";
import {
  type AskedOptions,
  inputJson,
  limitJson,
  optionsJson,
  runJson,
  syncJson,
  type Tool,
  toolJson,
} from "../json/result-json.ts";
import { writeJson, writeLines } from "./explain.ts";
import { pageText, runsText } from "./finding-text.ts";
import { limitsText } from "./limits-text.ts";
import { countOf, hex, listOf } from "./number-text.ts";
import { policyLabel } from "./queue-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";

/** One sync under one policy. */
export interface SyncComparison extends ImageDifference {
  round: number;
  number: number;
  /** Null for the one image of a recording without syncs. */
  mark: SyncMark | null;
  file: string;
  /** Why the prediction of this round may be incomplete. */
  caveats: string[];
}

/** The first page that differs, and the writes to it in that round. */
export interface ExplainedPage {
  number: number;
  round: number;
  gfn: number;
  side: "missing" | "extra";
  writes: WatchedWrite[];
  moreWrites: number;
  /** Why there is no explanation, when the recording could not be read again. */
  unexplained: string | null;
}

/** One policy against all observed images. */
export interface PolicyComparison {
  name: string;
  alias: string | null;
  syncs: SyncComparison[];
  first: ExplainedPage | null;
}

/** All of it. */
export interface Comparison {
  /** Folder of the observed images, as the user wrote it. */
  observed: string;
  policies: PolicyComparison[];
  /** Numbers of syncs in the recording that have no image. */
  withoutImage: number[];
  /** Numbers of images whose sync is not in the recording. */
  withoutSync: number[];
}

/** Whether a policy predicts every image that has a sync. */
export function isEqual(policy: PolicyComparison): boolean {
  return policy.syncs.every((sync) => sync.missing.pages === 0 && sync.extra.pages === 0);
}

/**
 * 0: some policy equals every observed image. 1: each differs in one or more. 3: nothing could be
 * compared, or what was compared is equal but images are left whose sync is not in the recording.
 */
export function comparisonStatus(comparison: Comparison): 0 | 1 | 3 {
  if (!comparison.policies.some((policy) => policy.syncs.length > 0)) return 3;
  if (!comparison.policies.some(isEqual)) return 1;
  return comparison.withoutSync.length > 0 ? 3 : 0;
}

/** `equal`, `different`, or `none` when the recording cannot answer. */
function answerOf(comparison: Comparison): "equal" | "different" | "none" {
  return ({ 0: "equal", 1: "different", 3: "none" } as const)[comparisonStatus(comparison)];
}

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
    parts.push(`${policyLabel(policy)} differs at ${bad} of ${countOf(syncs, "sync")}`);
  }
  return `${parts.join("; ")}.`;
}

/** For people; the first line is the answer. Ends in a line feed. */
export function verifyText(comparison: Comparison, result: ReplayResult, style: TextStyle): string {
  const sections = [
    [style.bold(comparisonSentence(comparison))],
    uncomparedText(comparison),
    ...comparison.policies
      .filter((policy) => !isEqual(policy))
      .map((policy) => policyText(policy, result, style)),
    comparisonStatus(comparison) === 0 ? [] : limitsText(result.limits, style),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
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

function policyText(policy: PolicyComparison, result: ReplayResult, style: TextStyle): string[] {
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
  for (const caveat of new Set(bad.flatMap((one) => one.caveats))) {
    lines.push(...wrapText(printable(caveat), "  why: ", "       "));
  }
  if (policy.first) lines.push("", ...firstText(policy.first, result));
  return lines;
}

function sideText(what: string, number: number, side: OneSided): string[] {
  if (side.pages === 0) return [];
  return wrapText(`${what} at sync ${number}: ${runsText(side.runs, side.moreRuns)}`, "  ", "    ");
}

function firstText(first: ExplainedPage, result: ReplayResult): string[] {
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

/** `vhost-replay/verify/1`. */
export function verifyJson(
  tool: Tool,
  options: AskedOptions,
  comparison: Comparison,
  result: ReplayResult,
) {
  return {
    schema: "vhost-replay/verify/1",
    tool: toolJson(tool),
    options: optionsJson(options),
    inputs: result.inputs.map(inputJson),
    observed: comparison.observed,
    answer: answerOf(comparison),
    sentence: comparisonSentence(comparison),
    window: result.window,
    certainty: result.certainty,
    withoutImage: comparison.withoutImage,
    withoutSync: comparison.withoutSync,
    policies: comparison.policies.map((policy) => ({
      name: policy.name,
      alias: policy.alias,
      equal: isEqual(policy),
      syncs: policy.syncs.map((sync) => ({
        number: sync.number,
        round: sync.round,
        sync: syncJson(sync.mark),
        image: sync.file,
        caveats: [...sync.caveats],
        missing: sideJson(sync.missing),
        extra: sideJson(sync.extra),
      })),
      first: policy.first === null ? null : firstJson(policy.first),
    })),
    limits: result.limits.map(limitJson),
  };
}

function sideJson(side: OneSided) {
  return { pages: side.pages, runs: side.runs.map(runJson), moreRuns: side.moreRuns };
}

function firstJson(first: ExplainedPage) {
  return {
    number: first.number,
    round: first.round,
    gfn: hex(first.gfn),
    side: first.side,
    writes: first.writes.map(writeJson),
    moreWrites: first.moreWrites,
    unexplained: first.unexplained,
  };
}
