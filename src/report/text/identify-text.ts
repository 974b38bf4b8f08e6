/** What `identify` says to people: the answer, the ranking, what the best row leaves over. */

import type { Identification, RankedPolicy } from "../../answers/identify.ts";
import { type Answer, bestOf, statusOf } from "../../answers/identify-answer.ts";
import type { ResidueCause } from "../../answers/residue.ts";
import { VHOST_USER_DRIVERS } from "../../vhost/message.ts";
import { POLICIES } from "../../vhost/policy.ts";
import { causeText } from "./cause-text.ts";
import { limitsText } from "./limits-text.ts";
import { countOf, listOf } from "./number-text.ts";
import { alignColumns, printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

/** The answer in one sentence. */
export function identifySentence({ identification }: Pick<Answer, "identification">): string {
  const best = bestOf(identification);
  const first = best[0];
  if (!first) return "Nothing compared: no observed image has its sync in the recording.";
  const others = best.slice(1).filter((row) => row.fits === first.fits);
  if (others.length > 0 && isBackEnd(first)) return tieSentence(first, others);
  const also =
    others.length === 0 ? "" : `; so ${others.length === 1 ? "does" : "do"} ${namesOf(others)}`;
  const what = first.fits ? "" : " (a what-if: the recording is of another vhost)";
  if (first.syncsEqual === first.syncs) {
    const where = first.syncs === 1 ? "at the only sync" : `at all ${first.syncs} syncs`;
    return `${first.policy}${what} explains the observed log ${where}${also}.`;
  }
  return (
    `No policy explains the observed log at every sync; ${first.policy}${what} comes ` +
    `closest, equal at ${first.syncsEqual} of ${first.syncs}${also}.`
  );
}

const isBackEnd = ({ policy }: RankedPolicy): boolean =>
  POLICIES.find(({ name }) => name === policy)?.drivers?.some((driver) =>
    VHOST_USER_DRIVERS.includes(driver),
  ) === true;

/** Back ends that log alike: a tie, unless the probes of the recording say whose it is. */
function tieSentence(first: RankedPolicy, others: readonly RankedPolicy[]): string {
  const [all, equal] = [first.syncs === first.syncsEqual, `${first.syncsEqual} of ${first.syncs}`];
  const where = first.syncs === 1 ? "at the only sync" : `at all ${first.syncs} syncs`;
  const does = (one: string, many: string, rows: readonly unknown[]): string =>
    all
      ? `explain${rows.length === 1 ? "s" : ""} the observed log ${where}`
      : `${rows.length === 1 ? one : many} closest, equal at ${equal}`;
  const none = all ? "" : "No policy explains the observed log at every sync; ";
  if (first.named) {
    const own = `${first.policy}, which the recording's probes name, ${does("comes", "come", [first])}`;
    return `${none}${own}; by the log alone it is a tie with ${namesOf(others)}.`;
  }
  const rows = [first, ...others];
  const tie = all ? "A tie" : "a tie";
  return `${none}${tie}: ${namesOf(rows)} ${does("comes", "come", rows)}, and nothing in it tells them apart.`;
}

function namesOf(rows: readonly RankedPolicy[]): string {
  return listOf(rows.map((row) => row.policy));
}

/** For people; the first line is the answer. Ends in a line feed. */
export function identifyText(answer: Answer, style: TextStyle): string {
  const sections = [
    wrapText(identifySentence(answer), "", "").map(style.bold),
    rankingText(answer.identification),
    uncomparedText(answer),
    residueText(answer, style),
    statusOf(answer) === 0 ? [] : limitsText(answer.result.machines[0]!.limits, style),
  ];
  return sectionsText(sections);
}

function rankingText({ ranking }: Identification): string[] {
  if ((ranking[0]?.syncs ?? 0) === 0) return [];
  const rows = ranking.map((row) => [
    `${row.rank}`,
    row.policy,
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

function uncomparedText({ withoutImage, withoutSync }: Answer): string[] {
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

function residueText(answer: Answer, style: TextStyle): string[] {
  const { residue, moreResidue, ranking } = answer.identification;
  if (residue.length === 0) return [];
  const lines = [style.bold(`What ${ranking[0]!.policy} leaves over`), ""];
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
