/** `lint` for people: each fault with its places, and what it means for the verdict. */
import type { Answer, Fault } from "../../answers/lint.ts";
import type { MachineResult } from "../../model/result.ts";
import { machinesText } from "./machine-text.ts";
import { countOf } from "./number-text.ts";
import { printable, type TextStyle, wrapText } from "./text-layout.ts";

const SHOWN_PLACES = 3;

/** What a fault means for the verdict, or what to do about it. */
const MEANS: Readonly<Record<string, string>> = {
  "log-all-without-base":
    "vhost has no log to write to: nothing is logged until SET_LOG_BASE, whatever the kernel (no-base).",
  "toggle-in-flight":
    "an unpatched or a patched kernel may not log them: popped before LOG_ALL (late), or their entries freed.",
  "ring-without-flag": "writes to that ring are not logged; QEMU sets the flag with LOG_ALL.",
  "log-never-read": "what was logged then ends no round: it counts in the round around it.",
  "used-index-gap":
    "events were lost, or the device skipped elements: what these requests wrote is not known.",
  "head-never-returned": "what the device wrote for them, if anything, counts nowhere.",
  "outside-memory-map": "vhost would refuse them, or the map changed during the recording.",
  "events-lost":
    "numbers are at least so much: record with larger buffers (--buffer-size), or fewer probes (--writes-only).",
  "events-unread": "each counts as a loss in its place.",
  "probe-missing": "record with all probes of the recipe (docs/recording.md).",
  "attached-late": "begin the recording before the guest, or before its load.",
  "clock-unordered": "record with the clock mono (trace_clock).",
  "clock-unknown": "give the offset with --clock-offset or --clock-pairs.",
};

/** The answer in one sentence. */
export function lintSentence(faults: readonly Fault[], machine: MachineResult): string {
  if (machine.devices.length === 0) return "No event of a device: nothing could be looked at.";
  if (faults.length === 0)
    return "No fault found: the log was switched and read as it should be, and nothing is missing.";
  const of = (kind: Fault["kind"]): number => faults.filter((fault) => fault.kind === kind).length;
  return `${countOf(of("protocol"), "fault")} of the protocol, ${of("recording")} of the recording.`;
}

export function lintText({ faults, result }: Answer, style: TextStyle): string {
  return machinesText(result, style, {
    headline: (machine, i) => lintSentence(faults[i]!, machine),
    sections: (machine, facts, i) => [
      wrapText(lintSentence(faults[i]!, machine), "", "").map((line) => style.bold(line)),
      ...facts,
      kindText(
        "Protocol",
        faults[i]!.filter(({ kind }) => kind === "protocol"),
        style,
      ),
      kindText(
        "Recording",
        faults[i]!.filter(({ kind }) => kind === "recording"),
        style,
      ),
    ],
  });
}

function kindText(title: string, faults: readonly Fault[], style: TextStyle): string[] {
  if (faults.length === 0) return [];
  return [style.bold(title), "", ...faults.flatMap((fault) => faultText(fault))];
}

function faultText({ code, text, count, places }: Fault): string[] {
  const shown = places.slice(0, SHOWN_PLACES);
  const means = MEANS[code];
  return [
    ...wrapText(`${code}: ${printable(text)}`, "  ", "    "),
    ...(means === undefined ? [] : wrapText(`For the verdict: ${means}`, "    ", "      ")),
    ...shown.map((place) => `    ${printable(place)}`),
    ...(count > shown.length && shown.length > 0
      ? [`    and ${count - shown.length} more; --json lists the first places`]
      : []),
  ];
}

/** What a code means for the verdict; null where its text says it. */
export function faultMeans(code: string): string | null {
  return MEANS[code] ?? null;
}
