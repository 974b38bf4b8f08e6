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
  /** Position of the event that stands at the place. */
  at: number;
  /** Only of its own input: a destination, or a recording that repeats another one. */
  alone: boolean;
}

/** Throws what `dump` throws, and UsageError when no event stands at the place. */
export async function ask(
  recording: Recording,
  { place, count, signal }: Options,
): Promise<Answer> {
  const own = recording.sources.filter(({ name }) => isOf(place, name));
  const all = await search(recording, place, count, signal);
  if (all) return { ...all, alone: false };
  for (const source of own) {
    const found = await search(only(recording, source), place, count, signal);
    if (found) return { ...found, alone: true };
  }
  const names = recording.sources.map(({ name }) => name).join(", ");
  throw new UsageError(
    own.length === 0
      ? `${place}: none of the recordings has that name (${names})`
      : `${place}: no event stands there`,
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

function only(recording: Recording, source: Source): Recording {
  const { clockOffsets: _, ...rest } = recording;
  return { ...rest, sources: [source] };
}

async function search(
  recording: Recording,
  place: string,
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
        } else if (event.place === place || event.place?.endsWith(`/${place}`)) found = event;
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
