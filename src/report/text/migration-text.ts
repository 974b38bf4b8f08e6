/** Migrations for people: the sentence that a report begins with, the time line, the counts. */
import { leavesOpen } from "../../answers/open.ts";
import { givenUp, mainMigration } from "../../answers/stale.ts";
import { MIGRATION_KINDS } from "../../model/migration-kind.ts";
import type { MigrationResult, MigrationVerdict } from "../../model/migration-result.ts";
import { countPages } from "../../model/page-runs.ts";
import { formatPlace } from "../../model/place.ts";
import type { MachineResult } from "../../model/result.ts";
import { countOf, numberText, seconds } from "./number-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";

/** Which pages are stale at the destination, in one sentence. */
export function staleSentence(migration: MigrationResult, result: MachineResult): string {
  return `${sentenceOf(migration, result)}${othersText(result, migration)}`;
}

function sentenceOf(migration: MigrationResult, result: MachineResult): string {
  if (givenUp(migration)) {
    const word = migration.outcome === "failed" ? "failed" : "was cancelled";
    return `The migration ${word}: the guest goes on at the source, and no page is stale.`;
  }
  if (!result.verdict) {
    const why = result.limits.find(({ code }) => code === "no-verdict")?.text;
    return `It is not known which pages are stale at the destination.${why === undefined ? "" : ` ${why}`}`;
  }
  if (migration.kinds.some(({ kind }) => kind === "background-snapshot")) {
    return "A background snapshot: each page is saved before it is written, no dirty log is needed, and no page is stale.";
  }
  const clauses = migration.verdicts.map((verdict, i) => {
    const policy = result.policies.find(({ name }) => name === verdict.policy);
    const alias = policy?.alias ? `${policy.alias} (${verdict.policy})` : verdict.policy;
    return i === 0
      ? `Stale at the destination under ${alias}: ${amount(verdict, result)}`
      : `under ${alias}: ${amount(verdict, result)}`;
  });
  const open =
    migration.outcome === "unfinished" ? " The recording ends before the migration." : "";
  return `${clauses.join("; ")}.${open}`;
}

function amount(verdict: MigrationVerdict, machine: MachineResult): string {
  if (verdict.best === null) return "not known";
  const none = leavesOpen(machine) ? "no page as far as recorded" : "no page";
  const rungs: [how: string, pages: number][] = [
    ["", countPages(verdict.stale)],
    ["likely ", countPages(verdict.likelyStale)],
    ["possibly ", countPages(verdict.possiblyStale)],
  ];
  const told = rungs
    .filter(([, pages]) => pages > 0)
    .map(([how, pages], i) => how + (i === 0 ? countOf(pages, "page") : `${pages} more`));
  return told.length === 0 ? none : told.join(", ");
}

const SEND_TIMES: Record<MigrationResult["sendTimes"], string> = {
  source: "send times from the source (zero pages are not in it)",
  "source-and-destination": "send times from the source, zero pages from the destination",
  destination: "only arrival times at the destination",
  packets: "send times of the first pass from the packets of multifd, none of later passes",
  none: "no send times",
};

/** Where the times of sends come from, and how much they can hide. */
function sendTimesText({ sendTimes, zeroResendsAtMost: most }: MigrationResult): string {
  if (sendTimes !== "source" || most === null) return SEND_TIMES[sendTimes];
  const again =
    most === 0 ? "no page was" : `at most ${countOf(most, "page")} ${most === 1 ? "was" : "were"}`;
  return `send times from the source (zero pages are not in it; ${again} sent again as zeros)`;
}

/** How it went, beside plain pre-copy. */
function kindsText({ kinds }: MigrationResult): string {
  return kinds.map(({ kind }) => MIGRATION_KINDS[kind]).join(", ");
}

/** The time line of a migration in a paragraph, and the counts of each policy. */
export function migrationText(migration: MigrationResult, style: TextStyle): string[] {
  const end = migration.endNs === null ? "the end of the recording" : seconds(migration.endNs);
  const parts = [
    `Migration ${migration.outcome}, ${seconds(migration.logOn.ns)} to ${end} s`,
    `${countOf(migration.syncs, "sync")}`,
  ];
  if (migration.kinds.length > 0) parts.push(kindsText(migration));
  if (migration.stoppedNs !== null) parts.push(`guest stopped at ${seconds(migration.stoppedNs)}`);
  if (migration.postcopyNs !== null) parts.push(`post-copy from ${seconds(migration.postcopyNs)}`);
  const { data, zero } = migration.sends;
  if (data > 0)
    parts.push(`${countOf(data, "page")} sent${zero > 0 ? ` and ${zero} of zeros` : ""}`);
  parts.push(sendTimesText(migration));
  const lines = wrapText(`${parts.join(", ")}.`, "", "  ");
  if (migration.verdicts.length === 0) return lines;
  const rows = migration.verdicts.map((verdict) => [
    verdict.policy,
    numberText(verdict.best),
    knownText(verdict, countPages(verdict.likelyStale)),
    knownText(verdict, countPages(verdict.possiblyStale)),
    knownText(
      verdict,
      verdict.healed.reduce((sum, { runs }) => sum + countPages(runs), 0),
    ),
    verdict.healed.map(({ by, runs }) => `${HEALED[by]} ${countPages(runs)}`).join(", "),
    verdict.whatIf ? "what-if" : "",
  ]);
  return [
    ...lines,
    "",
    ...alignColumns(
      [["policy", "stale", "likely", "possibly", "healed", "by", ""], ...rows],
      "lrrrrll",
    ),
    ...whatIfNote(migration, style),
  ];
}

/** All migrations of a recording, at most `shown`. */
export function migrationsText(machine: MachineResult, style: TextStyle, shown: number): string[] {
  const { migrations } = machine;
  const main = mainMigration(machine);
  // A single one is told by its time line, or by the rounds.
  const quiet = main === null || main.from === "qemu" || !givenUp(main);
  if (migrations.length < 2 && quiet) return [];
  const rows = migrations
    .slice(0, shown)
    .map((one, i) => [
      `${one === main && migrations.length > 1 ? ">" : ""}${i + 1}`,
      one.outcome,
      seconds(one.logOn.ns),
      one.endNs === null ? "-" : seconds(one.endNs),
      `${one.syncs}`,
      one.sends.data > 0 ? `${one.sends.data}` : "-",
      printable(formatPlace(one.logOn.place)),
    ]);
  const head = ["", "", "log on", "off", "syncs", "sent", ""];
  const more = migrations.length - rows.length;
  const from = migrations.every((one) => one.from === "ioctl") ? ", by LOG_ALL of vhost alone" : "";
  return [
    style.bold(
      migrations.length === 1 ? `Migration${from}` : `${migrations.length} migrations${from}`,
    ),
    "",
    ...alignColumns([head, ...rows], "rlrrrrl").map((line) => `  ${line}`),
    ...(more > 0 ? [`  and ${more} more; report --all and --json list all`] : []),
    ...(migrations.length > 1 ? ["  --migration N asks about one of them"] : []),
  ];
}

/** What the others of a recording came to: a headline about one must not hide them. */
function othersText(machine: MachineResult, main: MigrationResult): string {
  const others = machine.migrations.filter((one) => one !== main);
  if (others.length === 0) return "";
  const counts = (["completed", "cancelled", "failed", "unfinished"] as const).flatMap(
    (outcome) => {
      const count = others.filter((one) => one.outcome === outcome).length;
      return count > 0 ? [`${count} ${outcome}`] : [];
    },
  );
  const number = machine.migrations.indexOf(main) + 1;
  return ` This is migration ${number} of ${machine.migrations.length}; of the others: ${counts.join(", ")}.`;
}

/** A count beside `best`, which is known where that one is. */
function knownText({ best }: MigrationVerdict, count: number): string {
  return numberText(best === null ? null : count);
}

const HEALED: Record<MigrationVerdict["healed"][number]["by"], string> = {
  "first-send": "first send",
  resend: "sent again",
  log: "logged later",
  cpu: "vCPU",
  stop: "device stop",
};

function whatIfNote(migration: MigrationResult, style: TextStyle): string[] {
  if (!migration.verdicts.some((verdict) => verdict.whatIf)) return [];
  return [
    "",
    ...wrapText(
      "what-if: this vhost did not run. A page that was sent again because of what the one that ran " +
        "logged would not have been, so it counts as possibly stale.",
      "",
      "",
    ).map((line) => style.dim(line)),
  ];
}
