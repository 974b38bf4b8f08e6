/** `stale` for people: one line a page. */

import { type Answer, mainMigration, type VerdictOwners } from "../../answers/stale.ts";
import { type Owner, ownerText } from "../../memory/owners/owners.ts";
import type {
  Doubt,
  MigrationVerdict,
  StalePage,
  StaleVerdict,
} from "../../model/migration-result.ts";
import { eachPage } from "../../model/page-runs.ts";
import { formatPlace } from "../../model/place.ts";
import type { MachineResult } from "../../model/result.ts";
import { limitsText } from "./limits-text.ts";
import { machinesText } from "./machine-text.ts";
import { migrationText, staleSentence } from "./migration-text.ts";
import { countOf, hex, seconds } from "./number-text.ts";
import { ownersText } from "./owners-text.ts";
import { queueLabel } from "./queue-text.ts";
import { alignColumns, printable, type TextStyle } from "./text-layout.ts";

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
  "events-lost": "events were lost after it was written",
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
      const headline = [style.bold(staleHeadline(machine))];
      if (migration === null) return [headline, ...facts];
      return [
        headline,
        migrationText(migration, style),
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
  const shown = verdict.pages.slice(0, limit);
  const listed = new Set(shown.map((page) => page.gfn));
  const bare: string[][] = [];
  for (const gfn of eachPage(verdict.possiblyStale)) {
    if (shown.length + bare.length >= limit) break;
    if (!listed.has(gfn)) bare.push([hex(gfn), "possibly", "", "", "", DOUBTS["what-if"]]);
  }
  const head = ["page", "", "written", "by", "last sent", "", ""];
  const rows = shown.map((page, i) => pageRow(result, page, owners?.pages[i] ?? null));
  const lines = [
    style.bold(`Pages under ${verdict.policy}`),
    "",
    ...alignColumns([head, ...rows, ...bare], "lrrlrll").map((line) => `  ${line}`),
  ];
  const rest = total - rows.length - bare.length;
  if (rest > 0) lines.push(`  and ${countOf(rest, "more page")}`);
  if (owners) {
    lines.push("", `  Owners of these ${countOf(total, "page")}`, "", ...ownersText(owners));
  }
  return lines;
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
