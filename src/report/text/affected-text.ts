/** The first screen of a report: which kernel ran, whether it is affected, what would have helped. */
import type { Affected, Answer } from "../../answers/affected.ts";
import { leavesOpen } from "../../answers/open.ts";
import { toldByQemu } from "../../answers/stale.ts";
import type { Certainty, MachineResult } from "../../model/result.ts";
import { causeText } from "./cause-text.ts";
import { machineLabel } from "./machine-text.ts";
import { countOf } from "./number-text.ts";
import { alignColumns, printable, type TextStyle, wrapText } from "./text-layout.ts";
import { certaintyPrefix } from "./verdict.ts";

/** Lines, without an empty one at the end. */
export function affectedText(
  affected: Affected,
  result: MachineResult,
  qemu: string | null,
  style: TextStyle,
): string[] {
  if (!result.verdict) return [];
  const lines = wrapText(answerSentence(affected, result), "", "").map((line) => style.bold(line));
  const paragraphs = [ranText(affected, qemu), ...savedText(affected), ...doNow(affected)].filter(
    (text) => text !== "",
  );
  if (paragraphs.length === 0) return lines;
  return [
    ...lines,
    "",
    ...paragraphs.flatMap((text) => wrapText(text, "", "  ")),
    ...patchTable(affected),
  ];
}

const KERNEL = "the kernel that ran";

/** The same of every machine of an answer, each with its name where there are several. */
export function affectedSentences({ affected, result: { machines } }: Answer): string[] {
  return machines.map((machine, i) => {
    const sentence = affectedSentence(affected[i]!, machine);
    return machines.length === 1 ? sentence : `${machineLabel(machine)}: ${sentence}`;
  });
}

/** Whether the host is affected, in one sentence. */
export function affectedSentence(affected: Affected, result: MachineResult): string {
  if (!result.verdict) return "Unknown: this recording carries no verdict.";
  return answerSentence(affected, result);
}

function answerSentence(affected: Affected, result: MachineResult): string {
  const { certainty } = result;
  const { answer, ownDevices, kernel, policy } = affected;
  if (affected.backEnd && policy === null) {
    return (
      "Unknown: the devices are of a vhost-user back end, for which no kernel logs; --ran names the policy " +
      "that it has (see: policies)."
    );
  }
  const who = kernel ? vhostOf(kernel.release) : KERNEL;
  if (ownDevices) {
    const left = amount(affected, certainty);
    if (answer === "affected")
      return `Affected, but not by vhost: the devices are QEMU's own (${policy}), and ${left}.`;
    return answer === "not-affected"
      ? `Not affected: the devices are QEMU's own, no vhost kernel is involved (${policy}).`
      : `Unknown: the devices are QEMU's own, and ${noneOf(affected)} (${policy}) as far as this recording shows.`;
  }
  if (answer === "affected") {
    return `Affected: under ${who} ${amount(affected, certainty)}.${noDamage(affected, result)}`;
  }
  if (answer === "not-affected") {
    return affected.measure === "stale"
      ? `Not affected: under ${who} no page is stale at the destination.`
      : `Not affected: ${who} would have left no guest page out of the dirty log.`;
  }
  if (policy !== null)
    return `Unknown: ${noneOf(affected)} under ${who} as far as this recording shows.`;
  return `${whicheverRan(affected, result)}${noDamage(affected, result)}`;
}

/** Where every migration of the recording was given up: what is lost did no harm yet. */
function noDamage({ givenUp, saved, unsaved }: Affected, machine: MachineResult): string {
  if (givenUp === null || saved.length + unsaved.length === 0) return "";
  const { migrations, askedMigration } = machine;
  const several = askedMigration === undefined && migrations.length > 1;
  const was = several ? "were" : "was";
  const word = givenUp === "failed" ? "failed" : `${was} cancelled`;
  const who = several ? `all ${migrations.length} migrations` : "the migration";
  // LOG_ALL alone tells no more.
  const told = migrations.some(({ from }) => from === "qemu") ? "" : " (the dirty log went off)";
  return ` No damage so far: ${who} ${word}${told}, so no destination has old pages.`;
}

/** `Linux 6.1.0-50-amd64`; a policy's name as it is. */
function vhostOf(release: string): string {
  return /^\d/.test(release) ? `Linux ${printable(release)}` : printable(release);
}

/** What can be said where it is not told which kernel ran: the policies are unpatched and patched. */
function whicheverRan(affected: Affected, result: MachineResult): string {
  const { measure } = affected;
  const migration = measure === "stale" ? toldByQemu(result) : null;
  const open = result.policies.map(({ name, lost }) =>
    migration ? (migration.verdicts.find(({ policy }) => policy === name)?.worst ?? 0) : lost,
  );
  const what = measure === "stale" ? "pages may be stale at the destination" : "pages may be lost";
  if (open.every((pages) => pages === 0)) {
    const none = noneOf(affected);
    return leavesOpen(result)
      ? `Unknown, whichever kernel ran: ${none} as far as this recording shows.`
      : `Not affected, whichever kernel ran: ${none}.`;
  }
  if (open.at(-1) === 0)
    return "Affected if the host's kernel is older than Linux 6.16 (--ran tells which ran).";
  return `Affected, whichever kernel ran: ${what} under the patched one, too.`;
}

function noneOf({ measure }: Affected): string {
  return measure === "stale" ? "no page is stale at the destination" : "nothing is lost";
}

function amount({ measure, pages, possibly }: Affected, certainty: Certainty): string {
  if (measure === "lost") {
    return `${certaintyPrefix(certainty)}${countOf(pages, "guest page")} would be left out of the dirty log`;
  }
  if (pages === 0) return `${countOf(possibly, "page")} may be stale at the destination`;
  const more = possibly > 0 ? `, possibly ${possibly} more` : "";
  return `${countOf(pages, "page is", "pages are")} stale at the destination${more}`;
}

function ranText({ kernel, ownDevices, backEnd, policy }: Affected, qemu: string | null): string {
  const parts: string[] = [];
  const involved = !ownDevices && !(backEnd && policy === null);
  if (kernel && involved) {
    const own = kernel.release === kernel.policy.name;
    const sure = kernel.sure ? "" : " (the nearest row)";
    const why = kernel.reason === null ? "" : `: ${kernel.reason}`;
    const row = own ? "" : `; it counts as ${kernel.policy.name}${sure}${why}`;
    parts.push(`Ran: ${printable(kernel.release)}, told by ${printable(kernel.toldBy)}${row}.`);
  } else if (involved) {
    parts.push("Ran: not told; give --ran with what uname -r prints there.");
  }
  if (qemu !== null) parts.push(`QEMU ${printable(qemu)}.`);
  return parts.join(" ");
}

function savedText(affected: Affected): string[] {
  const { saved, unsaved, measure, ownDevices, backEnd, unattributed } = affected;
  if (ownDevices || backEnd) return [];
  const what = measure === "stale" ? "stale or possibly stale" : "lost";
  // A page that is lost in several rounds may be by another write in each.
  const sums = measure === "lost" && saved.length + unsaved.length > 1;
  const how = sums ? " (summed over the rounds)" : "";
  const lines = saved.map(
    ({ patches, pages }) =>
      `Patches ${patches.join(", ")} would have saved ${countOf(pages, `${what} page`)}${how}.`,
  );
  for (const { cause, pages } of unsaved) {
    lines.push(`No patch saves ${countOf(pages, `${what} page`)}${how}: ${causeText(cause)}.`);
  }
  if (unattributed > 0) lines.push(`Of ${countOf(unattributed, "page")} the writer was not kept.`);
  return lines;
}

function doNow(affected: Affected): string[] {
  const { answer, measure, saved, unsaved, ownDevices, backEnd, policy } = affected;
  if (ownDevices || backEnd || answer === "not-affected") return [];
  const open = policy === null ? saved.length + unsaved.length > 0 : answer === "affected";
  if (!open) return [];
  const lines: string[] = [];
  if (measure === "stale") {
    lines.push(
      "Now: the memory of the guest at the destination is damaged: restart it, and check what it has " +
        "written since. --owners names the processes and files that hold the pages.",
    );
  }
  if (saved.length > 0) {
    lines.push(
      "Then: migrate guests with vhost-scsi only from hosts that run Linux 6.16 or later. The source's " +
        "kernel decides, not the destination's; migratable=off, QEMU's default, refuses the others.",
    );
  }
  if (unsaved.length > 0) {
    lines.push(
      "For what no patch saves: let the guest's disks be idle when a migration begins, and do not begin " +
        "one right after another was cancelled.",
    );
  }
  return lines;
}

/** What the patches are; empty where none would have helped. */
function patchTable({ patches }: Affected): string[] {
  if (patches.length === 0) return [];
  const rows = patches.map(({ number, title, merged, stable }) => {
    const [commit = "", release = ""] = (merged ?? "never merged").split(", ");
    return [`${number}`, title, commit, release, stable.join(", ")];
  });
  return [
    "",
    ...alignColumns([["patch", "", "commit", "first in", "stable trees"], ...rows], "rllll"),
  ];
}
