/** What `identify` says to people: the answer, the ranking, what the best row leaves over. */
import type { Identification, RankedPolicy } from "../../answers/identify.ts";
import type { ResidueCause } from "../../answers/residue.ts";
import type { ReplayResult } from "../../model/result.ts";
import { causeText } from "./cause-text.ts";
import { limitsText } from "./limits-text.ts";
import { countOf, listOf } from "./number-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";

/** All that a command found out. */
export interface IdentifyAnswer {
  /** Folder of the observed images, as the user wrote it. */
  observed: string;
  identification: Identification;
  /** Of the pages on which the best row differs. */
  causes: ResidueCause[];
  /** Why there are none, when the recording could not be read again. */
  unexplained: string | null;
  withoutImage: number[];
  withoutSync: number[];
}

/**
 * 0: a policy equals every observed image. 1: none does. 3: nothing could be compared, or images
 * are left whose sync is not in the recording.
 */
export function identifyStatus({ identification, withoutSync }: IdentifyAnswer): 0 | 1 | 3 {
  const best = identification.ranking[0];
  if (!best || best.syncs === 0) return 3;
  if (best.syncsEqual < best.syncs) return 1;
  return withoutSync.length > 0 ? 3 : 0;
}

/** The rows of the first rank that nothing tells apart from the best, the best first. */
export function bestOf({ ranking }: Identification): RankedPolicy[] {
  const [best] = ranking;
  if (!best || best.syncs === 0) return [];
  return ranking.filter((row) => row === best || best.ties.includes(row.policy.name));
}

/** The answer in one sentence. */
export function identifySentence({ identification }: IdentifyAnswer): string {
  const best = bestOf(identification);
  const first = best[0];
  if (!first) return "Nothing compared: no observed image has its sync in the recording.";
  const others = best.slice(1).filter((row) => row.fits === first.fits);
  const also =
    others.length === 0 ? "" : `; so ${others.length === 1 ? "does" : "do"} ${namesOf(others)}`;
  const what = first.fits ? "" : " (a what-if: the recording is of another vhost)";
  if (first.syncsEqual === first.syncs) {
    const where = first.syncs === 1 ? "at the only sync" : `at all ${first.syncs} syncs`;
    return `${first.policy.name}${what} explains the observed log ${where}${also}.`;
  }
  return (
    `No policy explains the observed log at every sync; ${first.policy.name}${what} comes ` +
    `closest, equal at ${first.syncsEqual} of ${first.syncs}${also}.`
  );
}

function namesOf(rows: readonly RankedPolicy[]): string {
  return listOf(rows.map((row) => row.policy.name));
}

/** For people; the first line is the answer. Ends in a line feed. */
export function identifyText(
  answer: IdentifyAnswer,
  result: ReplayResult,
  style: TextStyle,
): string {
  const sections = [
    wrapText(identifySentence(answer), "", "").map(style.bold),
    rankingText(answer.identification),
    uncomparedText(answer),
    residueText(answer, style),
    identifyStatus(answer) === 0 ? [] : limitsText(result.limits, style),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function rankingText({ ranking }: Identification): string[] {
  if ((ranking[0]?.syncs ?? 0) === 0) return [];
  const rows = ranking.map((row) => [
    `${row.rank}`,
    row.policy.name,
    `${row.syncsEqual} of ${row.syncs}`,
    `${row.missing}`,
    `${row.extra}`,
    row.fits ? "" : "what-if",
  ]);
  const head = ["rank", "policy", "syncs equal", "missing", "extra", ""];
  return [
    ...alignColumns([head, ...rows], "rlrrrl"),
    "",
    ...wrapText(
      "missing: pages in the observed log only, summed over the syncs; extra: in the predicted " +
        "one only; what-if: the recording is of another vhost.",
      "",
      "",
    ),
  ];
}

function uncomparedText({ withoutImage, withoutSync }: IdentifyAnswer): string[] {
  const line = (count: number, what: string, numbers: number[]): string[] =>
    count === 0 ? [] : wrapText(`${what}: ${numbers.slice(0, 8).join(", ")}`, "", "  ");
  return [
    ...line(
      withoutSync.length,
      `${countOf(withoutSync.length, "image")} without a sync in the recording`,
      withoutSync,
    ),
    ...line(
      withoutImage.length,
      `${countOf(withoutImage.length, "sync")} without an image`,
      withoutImage,
    ),
  ];
}

const SHOWN_SYNCS = 12;

function residueText(answer: IdentifyAnswer, style: TextStyle): string[] {
  const { residue, moreResidue, ranking } = answer.identification;
  if (residue.length === 0) return [];
  const lines = [style.bold(`What ${ranking[0]!.policy.name} leaves over`), ""];
  for (const cause of answer.causes) lines.push(...wrapText(residueSentence(cause), "  ", "    "));
  if (answer.unexplained !== null) lines.push(...wrapText(answer.unexplained, "  ", "    "));
  for (const sync of residue.slice(0, SHOWN_SYNCS)) {
    const name = printable(`${sync.number} ${sync.name}`).trimEnd();
    const counts = `${sync.missing} missing, ${sync.extra} extra`;
    const caveats = sync.caveats.length === 0 ? "" : `; ${sync.caveats.join("; ")}`;
    lines.push(...wrapText(`sync ${name}: ${counts}${caveats}`, "  ", "    "));
  }
  const more = Math.max(0, residue.length - SHOWN_SYNCS) + moreResidue;
  if (more > 0) lines.push(`  and ${countOf(more, "more sync")}`);
  return lines;
}

/** One explanation as a sentence: `12 missing pages: I/O requests popped before LOG_ALL was set`. */
export function residueSentence(cause: ResidueCause): string {
  const pages = countOf(cause.pages, `${cause.side} page`);
  const at = countOf(cause.syncs, "sync");
  const why =
    cause.causes.length === 0
      ? "no write in this round of the recording"
      : listOf(cause.causes.map(causeText));
  const moved = cause.neighbour ? "; the other way round at the sync before or after" : "";
  return `${pages} at ${at}: ${why}${moved}`;
}
