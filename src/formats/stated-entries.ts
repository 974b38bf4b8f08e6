/**
 * How many events an input itself says that it holds, against those that were read. With fewer some are
 * missing: lines that were filtered out, a CPU that was left out, an end that was cut off.
 */
import type { Place } from "../model/place.ts";
import type { GapSummary } from "../model/result.ts";

/** What an input states, and what was read of it, at its end. */
export interface Entries {
  /** null: it does not say. */
  stated: number | null;
  read: number;
  /** Where it says so. */
  place: Place;
  /** Its last line is to say so, and is not there. */
  unended?: true;
}

/** Whether an input is all there, and the loss that its own number shows. */
export interface Wholeness {
  whole: boolean;
  missing: GapSummary | null;
}

/**
 * Judges all inputs together: pieces of one recording have its header each, or only the first one has.
 * undefined: a format that states nothing.
 */
export function judgeWholeness(all: readonly (Entries | undefined)[]): Wholeness[] {
  const told: Wholeness[] = all.map(() => ({ whole: false, missing: null }));
  const judged = new Set<number>();
  all.forEach((entries, i) => {
    if (!entries || judged.has(i)) return;
    const { stated, place } = entries;
    if (entries.unended) told[i] = { whole: false, missing: gapOf(null, place) };
    if (stated === null || entries.unended) return;
    if (entries.read >= stated) {
      told[i] = { whole: true, missing: null };
      return;
    }
    const pieces = [...all.keys()].filter((j) => {
      const other = all[j];
      return j === i || (other && !other.unended && (other.stated ?? stated) === stated);
    });
    const read = pieces.reduce((sum, j) => sum + all[j]!.read, 0);
    for (const j of pieces) {
      judged.add(j);
      told[j] = { whole: read >= stated, missing: null };
    }
    if (read < stated) told[i] = { whole: false, missing: gapOf(stated - read, place) };
  });
  return told;
}

function gapOf(lost: number | null, place: Place): GapSummary {
  return { cpu: null, lost, missing: true, place };
}

/** Characters of a line that are looked at. */
const LOOKED_AT = 4096;

/**
 * kernel/trace/trace.c print_event_info(), print_trace_header(): the first number is the lines that
 * follow, the second one adds what was overwritten (src/formats/other-line.ts).
 */
const ENTRIES = /^# entries-in-buffer\/entries-written: (\d{1,15})\/\d/;
const LATENCY_ENTRIES = /^# latency: [^#]{0,200}#(\d{1,15})\/\d/;
/** An entry that is no event: a function, a stack trace. CPU in brackets, time, something behind it. */
const OTHER_ENTRY = /\[\d{3,5}\][ \t][^\n:]{0,60}\d\.\d{6,9}: +\S/;

/** Follows the lines of ftrace text that are no event of a known name. */
export class StatedEntries {
  #entries = 0;
  /** Line of the first header that states a number. */
  #line: number | null = null;
  #others = 0;

  /** Looks at a header or a line that is no event. */
  look(whole: string, line: number): void {
    const text = whole.slice(0, LOOKED_AT);
    const found = ENTRIES.exec(text) ?? LATENCY_ENTRIES.exec(text);
    if (found) {
      this.#entries += Number(found[1]);
      this.#line ??= line;
    } else if (this.#line !== null && OTHER_ENTRY.test(text)) this.#others++;
  }

  /** What is stated, with `events` lines that were events. */
  entries(events: number, placeOf: (line: number) => Place): Entries {
    return {
      stated: this.#line === null ? null : this.#entries,
      read: events + this.#others,
      place: placeOf(this.#line ?? 1),
    };
  }
}
