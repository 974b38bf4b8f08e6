/** Normalised events as NDJSON lines. */
import type { NormalisedEvent } from "../../model/event.ts";
import { COMMON_KEYS, EVENT_KEYS } from "../../model/event-keys.ts";
import { jsonText } from "./json-text.ts";

/** One event as a JSON object on one line. Keys that the event does not have are left out. */
export function eventJsonLine(event: NormalisedEvent): string {
  const values = event as unknown as Record<string, unknown>;
  const ordered: Record<string, unknown> = {};
  for (const key of COMMON_KEYS) ordered[key] = values[key];
  for (const key of EVENT_KEYS[event.event])
    if (values[key] !== undefined) ordered[key] = values[key];
  if (values.place !== undefined) ordered.place = values.place;
  return `${jsonText(ordered)}\n`;
}
