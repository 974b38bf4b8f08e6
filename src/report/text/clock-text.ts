/** The warning that stands before every answer of a recording whose clock does not order its CPUs. */
import type { ReplayResult } from "../../model/result.ts";
import { type TextStyle, wrapText } from "./text-layout.ts";

/** Code of the limit (replay/clock-limit.ts). */
const UNORDERED = "clock-unordered";

/** Empty where the clocks order what happened. */
export function clockWarning({ machines, inputs }: ReplayResult, style: TextStyle): string[] {
  const limit = machines.flatMap(({ limits }) => limits).find(({ code }) => code === UNORDERED);
  if (!limit) return [];
  const file = limit.places?.[0]?.file;
  const clock = inputs.find(({ name }) => name === file)?.clock ?? "";
  const text =
    `Not certain: the recording's clock (${clock}) does not order events of different CPUs, so all that ` +
    "follows may rest on a wrong order; one with the clock mono has the right one.";
  return wrapText(text, "", "  ").map(style.bold);
}
