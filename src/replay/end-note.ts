/** What is said of an input that does not say where it ends. */
import type { InputSummary } from "../model/result.ts";

/** Events that end a request of a vhost. */
const COMPLETIONS: ReadonlySet<string | null> = new Set(["used", "spdk_used", "vu_fill"]);

/** Whether an input holds writes of a vhost. */
export function holdsRequests({ events }: Pick<InputSummary, "events">): boolean {
  return events.some(({ kind, count }) => count > 0 && COMPLETIONS.has(kind));
}

const NOTE =
  "It does not say how many events it holds: had it been cut off behind its last line, or had lines been " +
  "left out, only the events themselves could show it. What is said of it is said as far as it goes.";

/** The input with that note, where it is one that may be cut off unseen. */
export function withEndNote(input: InputSummary): InputSummary {
  if (input.whole || !holdsRequests(input) || input.gaps.length > 0) return input;
  return { ...input, notes: [...input.notes, NOTE] };
}
