/** What stands around a place of a recording? `events --around`: every place that is printed opens. */
import type { Source } from "../bytes/source.ts";
import type { NormalisedEvent } from "../model/event.ts";
import { UsageError } from "../model/place.ts";
import { dump, type Recording } from "../replay/replay.ts";

export interface Options {
  /** A place as it is printed: `trace.txt:399`, `trace.dat:cpu1+0x3f4`; folders in front may be left out. */
  place: string;
  /** Events before it and after it. */
  count: number;
  signal?: AbortSignal;
}

export interface Answer {
  /** In time order, of all inputs; of the place's own input alone where that one is not replayed. */
  events: NormalisedEvent[];
  /** Position of the event that stands at the place; null: none does, it lies behind `before` of them. */
  at: number | null;
  /** Where no event stands at the place: how many of the events come before it. */
  before: number;
  /** Only of its own input: a destination, or a recording that repeats another one. */
  alone: boolean;
}

/**
 * A place at which no event stands (a header, a line that cannot be read) opens between the events that
 * stand before it and after it in its file. Throws what `dump` throws, and UsageError for a place of
 * no recording, or behind its end.
 */
export async function ask(
  recording: Recording,
  { place: asked, count, signal }: Options,
): Promise<Answer> {
  // A column tells where in the line: the event is that of the line.
  const place = asked.replace(/(:\d+):\d+$/, "$1");
  const own = recording.sources.filter(({ name }) => isOf(place, name));
  const all = await search(recording, (event) => standsAt(event, place), count, signal);
  if (all) return { ...all, before: all.at, alone: false };
  for (const source of own) {
    const found = await search(
      only(recording, source),
      (event) => standsAt(event, place),
      count,
      signal,
    );
    if (found) return { ...found, before: found.at, alone: true };
  }
  for (const source of own) {
    const behind = comesAfter(place, source.name);
    if (behind === null) continue;
    for (const [one, alone] of [
      [recording, false],
      [only(recording, source), true],
    ] as const) {
      const found = await search(one, behind, count, signal);
      if (found) return { events: found.events, at: null, before: found.at, alone };
    }
  }
  const names = recording.sources.map(({ name }) => name).join(", ");
  throw new UsageError(
    own.length === 0
      ? `${place}: none of the recordings has that name (${names})`
      : `${asked}: no event stands there, and none after it`,
  );
}

/** 0: events are no verdict. */
export function statusOf(_: Answer): 0 {
  return 0;
}

/** Whether a place is one of this file; folders in front of the name may be left out. */
function isOf(place: string, file: string): boolean {
  const names = [file, ...[...file.matchAll(/\//g)].map(({ index }) => file.slice(index + 1))];
  return names.some((name) => place.startsWith(`${name}:`) || place.startsWith(`${name}@`));
}

function standsAt({ place }: NormalisedEvent, wanted: string): boolean {
  return place === wanted || place?.endsWith(`/${wanted}`) === true;
}

/** Lines, and bytes of a file or of a CPU's data, as places count them. */
const NUMBERED = /^(.*[:@](?:cpu\d+\+)?)(\d+|0x[0-9a-f]+)$/;

/** Whether an event is one of the file (and CPU) and stands behind the place; null: it has no order. */
function comesAfter(wanted: string, file: string): ((event: NormalisedEvent) => boolean) | null {
  const summary = /:(cpu\d+) stats$/.exec(wanted);
  // What the recorder counted for a CPU stands in front of its events.
  if (summary) return ({ place }) => place?.startsWith(`${file}:${summary[1]}+`) === true;
  const match = NUMBERED.exec(wanted);
  if (!match) return null;
  const kind = match[1]!.slice(match[1]!.search(/[:@](?:cpu\d+\+)?$/));
  const number = Number(match[2]);
  return ({ place }) => {
    const own = place === undefined ? null : NUMBERED.exec(place);
    return own !== null && own[1] === `${file}${kind}` && Number(own[2]) > number;
  };
}

function only(recording: Recording, source: Source): Recording {
  const { clockOffsets: _, ...rest } = recording;
  return { ...rest, sources: [source] };
}

async function search(
  recording: Recording,
  wanted: (event: NormalisedEvent) => boolean,
  count: number,
  signal: AbortSignal | undefined,
): Promise<{ events: NormalisedEvent[]; at: number } | null> {
  const before: NormalisedEvent[] = [];
  const after: NormalisedEvent[] = [];
  let found: NormalisedEvent | null = null;
  const enough = new AbortController();
  const stop = signal ? AbortSignal.any([signal, enough.signal]) : enough.signal;
  const ended = new Error("enough events");
  try {
    await dump(
      recording,
      (event) => {
        if (found) {
          if (after.length < count) after.push(event);
          else enough.abort(ended);
        } else if (wanted(event)) found = event;
        else {
          before.push(event);
          if (before.length > count) before.shift();
        }
      },
      stop,
    );
  } catch (error) {
    if (error !== ended) throw error;
  }
  return found && { events: [...before, found, ...after], at: before.length };
}
