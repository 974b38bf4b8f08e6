/** Clocks whose times do not order what happened on different CPUs. */
import type { InputSummary, Limit } from "../model/result.ts";

/** Code of the limit. */
export const UNORDERED = "clock-unordered";

/** Documentation/trace/ftrace.rst, trace_clock. What each does to the order of events. */
const UNORDERED_CLOCKS: Readonly<Record<string, string>> = {
  perf: "is kept by each CPU for itself",
  uptime: "goes on by a tick of the timer, milliseconds at a time",
};

/** What an input's clock does to the order of its events; null: it keeps it. */
export function disorderOf({ clock, cpus }: Pick<InputSummary, "clock" | "cpus">): string | null {
  if (clock === null || cpus.length < 2) return null;
  return UNORDERED_CLOCKS[clock] ?? null;
}

/** Of a round whose events may stand in another order than they happened. */
export const UNORDERED_CAVEAT =
  "the recording's clock does not order events of different CPUs, so events of this round may stand in another";

/** The limit about such inputs; null where every clock orders them. */
export function clockLimit(inputs: readonly InputSummary[]): Limit | null {
  const unordered = inputs.filter((input) => disorderOf(input) !== null);
  const [first] = unordered;
  if (!first) return null;
  return {
    code: UNORDERED,
    text:
      `The clock ${first.clock} ${disorderOf(first)}: events of different CPUs may stand in another order than ` +
      "they happened, in another round, or before what they answer. What follows from their order is not " +
      "certain; a recording with the clock mono has it.",
    effect: "both",
    places: unordered.map(({ name }) => ({ file: name, at: "" })),
  };
}
