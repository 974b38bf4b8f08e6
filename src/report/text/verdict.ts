/** The verdict about lost pages in one sentence. */
import { driverOf } from "../../answers/lost.ts";
import { leavesOpen } from "../../answers/open.ts";
import type { Certainty, MachineResult, PolicyResult } from "../../model/result.ts";
import { countOf } from "./number-text.ts";

/** What stands before a number that is not exact: `at least `, `at most `, `about `. */
export function certaintyPrefix(certainty: Certainty): string {
  return { exact: "", lower: "at least ", upper: "at most ", bounds: "about " }[certainty];
}

/**
 * One sentence that answers "which pages would have been left out of the dirty log". Policies
 * that were asked for by one alias and have the same answer share a clause.
 */
export function verdictSentence(result: MachineResult): string {
  if (!result.verdict) return "No verdict: this recording cannot tell which guest pages were lost.";
  if (result.written === 0) return nothingWritten(result);
  const clauses = policyGroups(result.policies).map((group, index) =>
    index === 0
      ? firstClause(group, driverOf(result.devices), result.certainty)
      : laterClause(group, result.certainty),
  );
  return `${clauses.join("; ")}${assumption(result)}.`;
}

function nothingWritten(result: MachineResult): string {
  const who = driverOf(result.devices);
  const when = result.window === "assumed" ? "in this recording" : "while logging was on";
  return leavesOpen(result)
    ? `Nothing was lost as far as this recording shows: ${who} wrote no guest page ${when}.`
    : `Nothing was lost: ${who} wrote no guest page ${when}.`;
}

function policyGroups(policies: readonly PolicyResult[]): PolicyResult[][] {
  const groups: PolicyResult[][] = [];
  for (const policy of policies) {
    const first = groups.at(-1)?.[0];
    if (
      first &&
      policy.alias !== null &&
      first.alias === policy.alias &&
      first.lost === policy.lost
    )
      groups.at(-1)!.push(policy);
    else groups.push([policy]);
  }
  return groups;
}

function names(group: readonly PolicyResult[]): string {
  return group.map((policy) => policy.name).join(", ");
}

function firstClause(group: PolicyResult[], driver: string, certainty: Certainty): string {
  const { alias, lost, title } = group[0]!;
  const who =
    alias === null
      ? ownWords(group, driver)
      : `${aliasText(alias, title)} ${driver} (${names(group)})`;
  if (lost === null) return `${who} would have left a number of guest pages that is not known`;
  if (lost > 0) {
    const pages = `${certaintyPrefix(certainty)}${countOf(lost, "guest page")}`;
    return `${who} would have left ${pages} out of the dirty log`;
  }
  return leavesOpen({ certainty })
    ? `${who} would have left, as far as this recording shows, no guest page out of the dirty log`
    : `${who} would have left no guest page out of the dirty log`;
}

/** `The vhost-scsi of linux-6.12`; another vhost is named as the what-if that it is. */
function ownWords(group: readonly PolicyResult[], driver: string): string {
  return group[0]!.whatIf
    ? `${names(group)}, in place of this ${driver} (what-if),`
    : `The ${driver} of ${names(group)}`;
}

/** An alias at the beginning of a sentence: spelled as in the title (`SPDK`), otherwise with a capital. */
function aliasText(alias: string, title: string): string {
  const at = title.toLowerCase().indexOf(alias);
  if (at >= 0) return title.slice(at, at + alias.length);
  return `${alias.charAt(0).toUpperCase()}${alias.slice(1)}`;
}

function laterClause(group: PolicyResult[], certainty: Certainty): string {
  const { alias, lost } = group[0]!;
  const other = group[0]!.whatIf ? `${names(group)} (what-if)` : `that of ${names(group)}`;
  const who = alias === null ? other : `${alias} (${names(group)})`;
  if (lost === null) return `${who} a number that is not known`;
  if (lost > 0) return `${who} would have left ${certaintyPrefix(certainty)}${lost}`;
  return leavesOpen({ certainty })
    ? `${who} would have left none as far as this recording shows`
    : `${who} would have left none`;
}

function assumption(result: MachineResult): string {
  if (result.window !== "assumed") return "";
  return result.windowWhy === "never-on"
    ? ", had logging been on (the recording never switches it on)"
    : ", had logging been on throughout";
}
