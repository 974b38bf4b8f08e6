/** The life of some guest pages: every write, every sync, and who logged what. */

import type {
  Answer,
  Life,
  LifeEvent,
  PageLife,
  PageVerdict,
  PolicyLife,
} from "../../answers/life.ts";
import type { Step } from "../../answers/page-travel.ts";
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
export function explainText({ lives, result }: Pick<Answer, "lives" | "result">, style: TextStyle) {
  return machinesText({ ...result, inputs: [] }, style, {
    headline: (machine, index) => lifeSentence(lives[index]!, machine),
    sections: (machine, facts, index) => lifeSections(lives[index]!, machine, facts, style),
  });
}

function lifeSentence(life: Life, { verdict }: MachineResult): string {
  const pages = life.len / PAGE_BYTES;
  const what = `${byteRange(life.gpa, life.len)} (${countOf(pages, "page")})`;
  if (life.writes === 0 && !verdict) return `${what}: it is not known who wrote it, nor whether.`;
  if (life.writes === 0) return `${what}: no write in this recording.`;
  return `${what}: ${countOf(life.writes, "write")}${outsideText(life)}.`;
}

function lifeSections(
  life: PageLife,
  machine: MachineResult,
  facts: string[][],
  style: TextStyle,
): string[][] {
  const { travel, verdicts } = life;
  const events = inOrder(life, machine, travel).flatMap(({ lines }) => lines);
  if (life.moreEvents > 0) events.push(`and ${countOf(life.moreEvents, "more event")} (--limit)`);
  // Without a write or a verdict the events follow at once.
  const bare = life.writes === 0 && verdicts.length === 0;
  return [
    [style.bold(lifeSentence(life, machine)), ...(bare ? events : [])],
    life.writes === 0
      ? []
      : life.policies.flatMap((policy) => wrapText(policyText(policy), "  ", "    ")),
    verdicts.flatMap((one) => wrapText(verdictText(one), "  ", "    ")),
    ...facts,
    bare ? [] : events,
    ...destinationText(travel),
    limitsText(machine.limits, style),
  ];
}

const HEALED: Record<PageVerdict["healed"][number]["by"], string> = {
  "first-send": "its first send",
  resend: "a later send",
  log: "a later write that is logged",
  cpu: "a vCPU's write",
  stop: "the device's stop",
};

function verdictText({ policy, stale, possibly, likely, healed }: PageVerdict): string {
  const parts: string[] = [];
  if (stale > 0) parts.push(`${countOf(stale, "page")} stale`);
  if (likely > 0) parts.push(`${countOf(likely, "page")} likely stale`);
  const doubtful = possibly - likely;
  if (doubtful > 0) parts.push(`${countOf(doubtful, "page")} possibly stale`);
  for (const { by, pages } of healed)
    parts.push(`${countOf(pages, "page")} healed by ${HEALED[by]}`);
  return `at the destination under ${policy}: ${parts.join(", ") || "as at the source"}`;
}

interface Told {
  ns: bigint;
  lines: string[];
  /** A sync at which nothing of these pages happened. */
  quiet: boolean;
}

/** Writes, syncs and what QEMU did, by time. A read of the log that ends a round is that sync. */
function inOrder(life: Life, result: MachineResult, travel: PageLife["travel"]): Told[] {
  const own = life.events.map((event): Told => {
    const ns = BigInt(event.kind === "sync" ? event.mark.ns : event.write.ns);
    const quiet = event.kind === "sync" && event.lost.every((pages) => pages === 0);
    return { ns, lines: eventLines(event, life, result), quiet };
  });
  const syncs = new Set(
    life.events.flatMap((event) => (event.kind === "sync" ? [formatPlace(event.mark.place)] : [])),
  );
  const steps = (travel?.source ?? [])
    .filter(({ kind, place }) => kind !== "log-read" || !syncs.has(place))
    .map((step): Told => ({ ns: BigInt(step.ns), lines: stepLines(step), quiet: false }));
  return shortened([...own, ...steps].sort((a, b) => (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0)));
}

/** Of many syncs in a row at which nothing happened the first and the last are shown. */
const ROW = 4;

function shortened(told: readonly Told[]): Told[] {
  const short: Told[] = [];
  for (let i = 0; i < told.length; ) {
    let end = i;
    while (end < told.length && told[end]!.quiet) end++;
    if (end - i < ROW) {
      const until = Math.max(end, i + 1);
      short.push(...told.slice(i, until));
      i = until;
      continue;
    }
    const line = `${" ".repeat(16)}${end - i - 2} more syncs`;
    short.push(told[i]!, { ...told[i]!, lines: [line] }, told[end - 1]!);
    i = end;
  }
  return short;
}

const STEPS: Record<Step["kind"], string> = {
  sent: "sent",
  "marked-by-vcpu": "written by a vCPU (KVM's dirty ring)",
  "log-read": "QEMU reads and clears vhost's log",
  received: "received with data:",
  "received-zero": "received as zeros:",
};

function stepLines({ kind, ns, place, gfn }: Step): string[] {
  const page = gfn === null ? "" : ` page 0x${gfn.toString(16)}`;
  return [
    ...wrapText(`${STEPS[kind]}${page}`, `${seconds(ns).padStart(14)}  `, " ".repeat(16)),
    `${" ".repeat(16)}${printable(place)}`,
  ];
}

function destinationText(travel: PageLife["travel"]): string[][] {
  if (!travel) return [];
  const received =
    travel.destination.length === 0
      ? []
      : ["The destination, on its own clock", "", ...travel.destination.flatMap(stepLines)];
  const more =
    travel.more > 0 ? [`and ${countOf(travel.more, "more step")} of QEMU (--limit)`] : [];
  return [received, more];
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
