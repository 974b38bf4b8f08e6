/** What `minimize` found, for standard error. */
import type { Answer } from "../../answers/minimize.ts";
import { countOf } from "./number-text.ts";
import { wrapText } from "./text-layout.ts";

export function minimizedText({ page, verdicts, events, from, replays, minimal }: Answer): string {
  const least = minimal ? "none of which can be left out" : "and perhaps fewer would do";
  const said = verdicts.map(({ policy, verdict }) => `${WORDS[verdict]} under ${policy}`);
  const text =
    `Of ${countOf(from, "event")} ${countOf(events.length, "event")} are left, ${least}: by these alone page ` +
    `0x${page.toString(16)} is ${said.join(", ")} (${countOf(replays, "replay")}).`;
  return `${wrapText(text, "", "  ").join("\n")}\n`;
}

const WORDS: Record<Answer["verdicts"][number]["verdict"], string> = {
  stale: "stale",
  "likely-stale": "likely stale",
  "possibly-stale": "possibly stale",
  lost: "left out of the dirty log",
  kept: "neither stale nor lost",
};
