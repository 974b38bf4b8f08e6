/** `stale` for people: one line a page. */

import { type Answer, mainMigration, type VerdictOwners } from "../../answers/stale.ts";
import { type Owner, ownerText } from "../../memory/owners/owners.ts";
import {
  type Doubt,
  type MigrationVerdict,
  STALE_LADDER,
  type StalePage,
  type StaleVerdict,
} from "../../model/migration-result.ts";
import { eachPage, PageRuns } from "../../model/page-runs.ts";
import { formatPlace } from "../../model/place.ts";
import type { MachineResult } from "../../model/result.ts";
import { causeText } from "./cause-text.ts";
import { runsText } from "./finding-text.ts";
import { limitsText } from "./limits-text.ts";
import { machinesText } from "./machine-text.ts";
import { migrationsText, migrationText, staleSentence } from "./migration-text.ts";
import { countOf, hex, seconds } from "./number-text.ts";
import { ownersText } from "./owners-text.ts";
import { queueLabel } from "./queue-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";

/** Pages that are listed one by one unless more are asked for. */
export const SHOWN_PAGES = 8;
/** Runs of each group. */
const SHOWN_RUNS = 4;

/** Migrations that are listed. */
const SHOWN_MIGRATIONS = 20;

const NO_MIGRATION = "No migration in this recording.";

/** Why a page is not certainly stale, in a few words. */
const DOUBTS: Record<Doubt, string> = {
  "popped-before-send": "sent while the request was in flight",
  "no-send-seen": "no send of it is recorded",
  "sends-unseen": "perhaps sent again unseen",
  "zeros-unseen": "perhaps sent again as zeros unseen",
  "first-pass": "written in the first pass, perhaps before its send",
  "in-flight": "written between the send and the flush of QEMU's buffer",
  queued: "queued since the last sync",
  "no-send-times": "no send times",
  arrival: "only its arrival is known",
  "events-lost": "events are missing",
  "what-if": "sent again, perhaps because it was logged",
  unfinished: "the recording ends before the migration",
};

const VERDICTS: Record<StaleVerdict, string> = {
  stale: "stale",
  "likely-stale": "likely",
  "possibly-stale": "possibly",
};

/** The whole answer, ending in a line feed. `limit`: pages of each policy, at most. */
export function staleText({ result, owners }: Answer, style: TextStyle, limit: number): string {
  return machinesText(result, style, {
    headline: staleHeadline,
    sections(machine, facts) {
      const migration = mainMigration(machine);
      const headline = wrapText(staleHeadline(machine), "", "").map((line) => style.bold(line));
      if (migration === null) return [headline, ...facts];
      return [
        headline,
        migrationText(migration, style),
        migrationsText(machine, style, SHOWN_MIGRATIONS),
        ...facts,
        ...migration.verdicts.map((verdict, i) =>
          pagesText(machine, verdict, owners?.[i] ?? null, style, limit),
        ),
        limitsText(machine.limits, style),
      ];
    },
  });
}

/** The answer in one sentence. */
export function staleHeadline(machine: MachineResult): string {
  const migration = mainMigration(machine);
  return migration === null ? NO_MIGRATION : staleSentence(migration, machine);
}

function pagesText(
  result: MachineResult,
  verdict: MigrationVerdict,
  owners: VerdictOwners | null,
  style: TextStyle,
  limit: number,
): string[] {
  const total = verdict.worst ?? 0;
  if (total === 0) return [];
  const runs = limit >= total ? Number.POSITIVE_INFINITY : SHOWN_RUNS;
  const lines = [
    style.bold(`Pages under ${verdict.policy}`),
    "",
    ...groupsOf(result, verdict).flatMap((group) => groupText(group, runs)),
  ];
  const shown = verdict.pages.slice(0, limit);
  if (shown.length > 0) {
    const head = ["page", "", "written", "by", "last sent", "", ""];
    const rows = shown.map((page, i) => pageRow(result, page, owners?.pages[i] ?? null));
    lines.push("", ...alignColumns([head, ...rows], "lrrlrll").map((line) => `  ${line}`));
  }
  const rest = verdict.pages.length - shown.length;
  if (rest > 0) lines.push(`  and ${countOf(rest, "more page")}; --limit ${total} shows all`);
  if (owners) {
    lines.push("", `  Owners of these ${countOf(total, "page")}`, "", ...ownersText(owners));
  }
  return lines;
}

/** Pages of one writer that are equally sure. */
interface PageGroup {
  verdict: StaleVerdict;
  /** Who wrote last, or that it was not kept. */
  by: string;
  why: string;
  gfns: number[];
  requests: Set<number>;
}

/** By writer, the surest first; last the pages whose writer was not kept. */
function groupsOf(result: MachineResult, verdict: MigrationVerdict): PageGroup[] {
  const groups = new Map<string, PageGroup>();
  const add = (gfn: number, sure: StaleVerdict, by: string, why: string): PageGroup => {
    const key = `${sure} ${by} ${why}`;
    const group = groups.get(key) ?? { verdict: sure, by, why, gfns: [], requests: new Set() };
    groups.set(key, group);
    group.gfns.push(gfn);
    return group;
  };
  const listed = new Set<number>();
  for (const { gfn, verdict: sure, write, doubts } of verdict.pages) {
    listed.add(gfn);
    const queue = queueLabel(result.devices, write.device, write.queue);
    const why = doubts.map((doubt) => DOUBTS[doubt]).join("; ");
    const group = add(gfn, sure, `${queue}, ${causeText(write.cause)}`, why);
    if (write.request !== null) group.requests.add(write.request);
  }
  const sets = [verdict.stale, verdict.likelyStale, verdict.possiblyStale];
  STALE_LADDER.forEach((sure, i) => {
    for (const gfn of eachPage(sets[i]!)) {
      const why = sure === "possibly-stale" && verdict.whatIf ? DOUBTS["what-if"] : "";
      if (!listed.has(gfn)) add(gfn, sure, "a write that was not kept", why);
    }
  });
  const rank = ({ verdict: sure }: PageGroup): number => STALE_LADDER.indexOf(sure);
  return [...groups.values()].sort((a, b) => rank(a) - rank(b) || b.gfns.length - a.gfns.length);
}

function groupText({ verdict, by, why, gfns, requests }: PageGroup, shown: number): string[] {
  const who = requests.size > 0 ? `${by}, ${countOf(requests.size, "request")}` : by;
  const head = `${countOf(gfns.length, "page")} ${VERDICTS[verdict]}${verdict === "stale" ? "" : " stale"}, by ${who}`;
  return [
    ...wrapText(why === "" ? head : `${head}: ${why}`, "  ", "    "),
    ...wrapText(
      runsText(PageRuns.from(gfns.map((gfn) => ({ gfn, pages: 1 }))).toArray(), 0, shown),
      "      ",
      "      ",
    ),
  ];
}

function pageRow(result: MachineResult, page: StalePage, owner: Owner | null): string[] {
  const { write } = page;
  const by = [
    queueLabel(result.devices, write.device, write.queue),
    write.request === null ? write.cause : `request ${write.request}`,
  ].join(" ");
  const why = page.doubts.map((doubt) => DOUBTS[doubt]);
  return [
    hex(page.gfn),
    VERDICTS[page.verdict],
    seconds(write.ns),
    by,
    page.sentNs === null ? "-" : seconds(page.sentNs),
    why.length > 0 ? why.join("; ") : printable(formatPlace(write.place)),
    owner ? printable(ownerText(owner)) : "",
  ];
}
