/** `whatif` for people: what a migration would have cost under each policy, and on what that rests. */
import type { Answer, Bounds, PolicyCost } from "../../answers/whatif.ts";
import { byteSize, countOf, seconds } from "./number-text.ts";
import { alignColumns, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

/** Passes of a course that are shown. */
const SHOWN_PASSES = 6;

export function whatifText(answer: Answer, style: TextStyle): string {
  const { costs } = answer;
  if (costs.length === 0) return sectionsText([[style.bold(whatifSentence(answer))]]);
  const rows = costs.map((cost) => [
    cost.policy,
    `${cost.expected.sends}`,
    boundsText(cost.sends, (n) => `${n}`),
    boundsText(cost.seconds, secondsText),
    boundsText(cost.passes, (n) => `${n}`),
    endText(cost),
    cost.leastBandwidth === null ? "at no rate" : `${byteSize(cost.leastBandwidth)}/s`,
  ]);
  const head = ["policy", "sends", "bounds", "seconds", "passes", "converges", "from"];
  return sectionsText([
    wrapText(whatifSentence(answer), "", "").map((line) => style.bold(line)),
    [
      ...alignColumns([head, ...rows], "lrlllll"),
      "",
      ...wrapText(
        "sends: pages with data, over all passes, in the middle of what is not known; from: the bandwidth " +
          "at which it converges, by what devices are recorded to write.",
        "",
        "",
      ),
    ],
    [
      style.bold("Pages of each pass, expected"),
      "",
      ...alignColumns(costs.map(courseRow), "ll").map((line) => `  ${line}`),
    ],
    [
      style.bold("What it rests on"),
      "",
      ...basis(answer).flatMap((text) => wrapText(text, "  - ", "    ")),
    ],
  ]);
}

/** The cost under the policies that send least and most, in one sentence. */
export function whatifSentence({ costs, forNs, startNs }: Answer): string {
  if (costs.length === 0) return "Unknown: no write of a device is known from this recording.";
  const told = costs.map(({ policy, expected }) => {
    const end = expected.converged
      ? `converges after ${secondsText(expected.seconds)} s`
      : `does not converge in ${secondsText(forNs / 1e9)} s`;
    return `under ${policy} it sends about ${countOf(expected.sends, "page")} and ${end}`;
  });
  const [least, most] = [...costs]
    .sort((a, b) => a.expected.sends - b.expected.sends || 0)
    .flatMap((cost, i, all) => (i === 0 || i === all.length - 1 ? [cost] : []));
  const cheaper =
    least && most && most.expected.sends > least.expected.sends
      ? ` ${least.policy} makes it look cheaper: what it does not log is not sent again.`
      : "";
  return `A migration from ${seconds(startNs)} s on: ${told.join("; ")}.${cheaper}`;
}

/** Below a second in milliseconds: QEMU's limits are such. */
function secondsText(value: number): string {
  return value < 1 ? value.toFixed(3) : value.toFixed(1);
}

function endText({ converges }: PolicyCost): string {
  return converges === "depends" ? "perhaps" : converges;
}

function boundsText({ atLeast, atMost }: Bounds, say: (n: number) => string): string {
  if (atMost === null) return `at least ${say(atLeast)}`;
  return say(atLeast) === say(atMost) ? say(atLeast) : `${say(atLeast)} to ${say(atMost)}`;
}

function courseRow({ policy, course, moreCourse }: PolicyCost): string[] {
  const shown = course.slice(0, SHOWN_PASSES).map(({ sends }) => `${sends}`);
  const more = course.length - shown.length + moreCourse;
  return [
    policy,
    `${shown.join(", ")}${more > 0 ? ` and ${countOf(more, "more pass", "more passes")}` : ""}`,
  ];
}

const BANDWIDTH = {
  given: "as given, within a twentieth, as QEMU limits it in windows of 100 ms",
  measured: "as this recording's migration sent, in its windows of 100 ms",
  default: "QEMU's default; --bandwidth gives another",
};
const FIRST = {
  measured: "as this recording's migration sent in its first pass",
  "memory-map":
    "from what devices wrote to all memory: pages of zeros cost nothing, and are not recorded",
  writes: "as many as devices wrote: the memory map is not in the recording",
};
const VCPUS = {
  recorded: "What vCPUs wrote is in the recording (KVM's dirty ring).",
  counted: "What vCPUs wrote is counted by QEMU at each sync; which pages is not recorded.",
  "not-recorded": "What vCPUs wrote is not in the recording: the true cost is higher.",
};

function basis(answer: Answer): string[] {
  const { bandwidth, downtimeMs, firstPass, forNs, repeats, vcpus } = answer;
  const loads = repeats > 1 ? `, in which the recorded load is gone through ${repeats} times` : "";
  return [
    `Bandwidth: ${boundsText(bandwidth, (n) => `${byteSize(n)}/s`)}: ${BANDWIDTH[bandwidth.from]}.`,
    `Downtime limit: ${downtimeMs} ms (--downtime-limit).`,
    `First pass: ${boundsText(firstPass, (n) => countOf(n, "page"))}: ${FIRST[firstPass.from]}.`,
    `Followed for ${secondsText(forNs / 1e9)} s${loads} (--for).`,
    VCPUS[vcpus],
    "The guest is taken to go on as it did; one that waits for a page does not, and QEMU may slow it down.",
  ];
}
