/** Normalised events as NDJSON lines. */
import type {
  NormalisedEvent,
  RecordedGap,
  RecordingEnd,
  RecordingHeader,
} from "../../model/event.ts";
import { COMMON_KEYS, EVENT_KEYS, THREAD_KEYS } from "../../model/event-keys.ts";
import type { InputSummary } from "../../model/result.ts";
import { jsonText } from "./json-text.ts";

/** The first line of a recording of such events. */
export function headerJsonLine(header: RecordingHeader): string {
  return `${jsonText(header)}\n`;
}

/** Losses that an end lists. */
const MOST_GAPS = 1000;

/** The last line, behind so many events of these inputs. `gaps`: those that no event tells of. */
export function endJsonLine(
  events: number,
  inputs: readonly Pick<InputSummary, "whole">[],
  gaps: readonly RecordedGap[],
): string {
  const end: RecordingEnd = {
    ...{ event: "end", events, whole: inputs.every(({ whole }) => whole) },
    ...(gaps.length > 0 ? { gaps: gaps.slice(0, MOST_GAPS).map(recordedGap) } : {}),
  };
  return `${jsonText(end)}\n`;
}

/** A loss without its place. */
export function recordedGap({ cpu, lost, missing }: RecordedGap): RecordedGap {
  return missing ? { cpu, lost, missing } : { cpu, lost };
}

/** One event as a JSON object on one line. Keys that the event does not have are left out. */
export function eventJsonLine(event: NormalisedEvent): string {
  const values = event as unknown as Record<string, unknown>;
  const ordered: Record<string, unknown> = {};
  for (const key of COMMON_KEYS) ordered[key] = values[key];
  for (const key of [...THREAD_KEYS, ...EVENT_KEYS[event.event]])
    if (values[key] !== undefined) ordered[key] = values[key];
  if (values.place !== undefined) ordered.place = values.place;
  return `${jsonText(ordered)}\n`;
}
