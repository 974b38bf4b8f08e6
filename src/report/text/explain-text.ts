/** The life of some guest pages: every write, every sync, and who logged what. */

import type { Answer, Life, LifeEvent, PolicyLife } from "../../answers/life.ts";
import { PAGE_BYTES } from "../../model/pages.ts";
import { formatPlace } from "../../model/place.ts";
import type { MachineResult } from "../../model/result.ts";
import type { WatchedWrite } from "../../model/told.ts";
import { limitsText } from "./limits-text.ts";
import { machinesText } from "./machine-text.ts";
import { byteRange, countOf, seconds } from "./number-text.ts";
import { policyLabel, queueLabel } from "./queue-text.ts";
import { printable, type TextStyle, wrapText } from "./text-layout.ts";

/** For people; the first line is the answer. Ends in a line feed. */
export function explainText({ lives, result }: Answer, style: TextStyle): string {
  return machinesText({ ...result, inputs: [] }, style, {
    headline: (_, index) => lifeSentence(lives[index]!),
    sections: (machine, facts, index) => lifeSections(lives[index]!, machine, facts, style),
  });
}

function lifeSentence(life: Life): string {
  const pages = life.len / PAGE_BYTES;
  const what = `${byteRange(life.gpa, life.len)} (${countOf(pages, "page")})`;
  if (life.writes === 0) return `${what}: no write in this recording.`;
  return `${what}: ${countOf(life.writes, "write")}${outsideText(life)}.`;
}

function lifeSections(
  life: Life,
  machine: MachineResult,
  facts: string[][],
  style: TextStyle,
): string[][] {
  const policies = life.writes === 0 ? [] : life.policies;
  const events = life.events.flatMap((event) => eventLines(event, life, machine));
  if (life.moreEvents > 0) events.push(`and ${countOf(life.moreEvents, "more event")} (--limit)`);
  return [
    // Without a write the syncs follow at once.
    [style.bold(lifeSentence(life)), ...(life.writes === 0 ? events : [])],
    policies.flatMap((policy) => wrapText(policyText(policy), "  ", "    ")),
    ...facts,
    life.writes === 0 ? [] : events,
    limitsText(machine.limits, style),
  ];
}

function outsideText(life: Life): string {
  if (life.outside === 0) return "";
  if (life.outside === life.writes) return ", all while logging was off";
  return `, ${life.outside} of them while logging was off`;
}

function policyText(policy: PolicyLife): string {
  const label = policyLabel(policy);
  const logged = `${label}: logs ${countOf(policy.loggedWrites, "write")}`;
  if (policy.lostPages === 0) return `${logged}, loses no page`;
  const rounds = countOf(policy.lostRounds.length, "round");
  return `${logged}, loses ${countOf(policy.lostPages, "page")} in ${rounds}`;
}

function eventLines(event: LifeEvent, life: Life, result: MachineResult): string[] {
  if (event.kind === "sync") {
    const name = `sync ${event.mark.number} ${printable(event.mark.name)}`.trimEnd();
    const lost = event.lost.flatMap((pages, index) =>
      pages > 0 ? [`${life.policies[index]!.name} lost ${countOf(pages, "page")}`] : [],
    );
    const tail = lost.length > 0 ? `: ${lost.join(", ")}` : "";
    return [
      `${seconds(event.mark.ns).padStart(14)}  ${name}${tail}`,
      `${" ".repeat(16)}${printable(formatPlace(event.mark.place))}`,
    ];
  }
  return writeLines(event.write, result);
}

/** One write in two lines: what, and where in the recording. */
export function writeLines(write: WatchedWrite, result: Pick<MachineResult, "devices">): string[] {
  const queue = queueLabel(result.devices, write.device, write.queue);
  const who = [
    write.request === null ? "" : `request ${write.request}`,
    write.head === null ? "" : `head ${write.head}`,
  ].filter((part) => part !== "");
  const logged =
    write.loggedBy.length === 0 ? "logged by none" : `logged by ${write.loggedBy.join(", ")}`;
  const what = [`${byteRange(write.gpa, write.len)}`, `${write.cause}, ${queue}`, ...who, logged];
  const from = write.popPlace === null ? "" : `, popped at ${formatPlace(write.popPlace)}`;
  const indent = " ".repeat(16);
  return [
    ...wrapText(what.join(", "), `${seconds(write.ns).padStart(14)}  write `, indent),
    ...wrapText(printable(`${formatPlace(write.place)}${from}`), indent, indent),
  ];
}
