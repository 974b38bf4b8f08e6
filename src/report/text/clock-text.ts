/** The warning that stands before every answer of a recording whose clock does not order its CPUs. */
import type { InputSummary } from "../../model/result.ts";
import { disorderOf } from "../../replay/clock-limit.ts";
import { type TextStyle, wrapText } from "./text-layout.ts";

/** Empty where the clocks order what happened. */
export function clockWarning(inputs: readonly InputSummary[], style: TextStyle): string[] {
  const unordered = inputs.find((input) => disorderOf(input) !== null);
  if (!unordered) return [];
  const text =
    `Not certain: the recording's clock (${unordered.clock}) does not order events of different CPUs, so all that ` +
    "follows may rest on a wrong order; one with the clock mono has the right one.";
  return wrapText(text, "", "  ").map(style.bold);
}
