/** What a format of recordings is: one object, in the one ordered list of formats.ts. */
import type { Unwrapped } from "../bytes/decompress.ts";
import type { Head } from "../bytes/head.ts";
import type { Source, Surroundings } from "../bytes/source.ts";
import type { Feed, FeedContext } from "./feed.ts";

/** That the beginning of a file is of a format. */
export interface Sniffed {
  /** `7` for trace.dat version 7, `trace-cmd report` …; empty where a format has none. */
  readonly variant: string;
  /**
   * How many of the lines say so, for a format that is told by its lines: the one with the most is
   * taken. Absent: a signature says so, and no other format has it.
   */
  readonly lines?: number;
}

/** An input of which the format is known. */
export interface FormatInput {
  readonly context: FeedContext;
  readonly source: Source;
  readonly unwrapped: Unwrapped;
  readonly head: Head;
  readonly variant: string;
  readonly surroundings: Surroundings;
  /** The trace-events-all that the user gave. */
  readonly traceEvents: Source | null;
}

export interface Format {
  /** For code and tests. */
  readonly name: string;
  /** A noun phrase for people, with the variant where there is one. */
  describe(variant: string): string;
  /** Whether a file that begins like this is of this format; null: it is not. */
  sniff(head: Head): Sniffed | null;
  /** Opens a feed. Throws RecordingError, also with what to do instead of what cannot be read. */
  open(input: FormatInput): Feed | Promise<Feed>;
}
