/**
 * Where in a recording something stands. `at` is printed after the file's name:
 * `:227` for line 227, `:cpu1+0x1a40` for a byte of a CPU's ring-buffer data, `@0x40` for a byte
 * of the file.
 */
export interface Place {
  readonly file: string;
  readonly at: string;
}

/** `trace.txt:227`. */
export function formatPlace(place: Place): string {
  return `${place.file}${place.at}`;
}

/** `:227`, or `:227:15` with a 1-based column. */
export function atLine(line: number, column?: number): string {
  return column === undefined ? `:${line}` : `:${line}:${column}`;
}

/** `@0x40`: a byte offset in the file. */
export function atByte(offset: number | bigint): string {
  return `@0x${offset.toString(16)}`;
}

/**
 * Input that cannot be read: which file, where, what was expected and what was found. The message
 * is one line; the CLI prints it and exits with status 2. Everything that is wrong with an input
 * is reported with this class, and nothing else is.
 */
export class RecordingError extends Error {
  readonly place: Place;
  readonly expected: string;
  readonly found: string | undefined;

  constructor(place: Place, expected: string, found?: string) {
    super(
      `${formatPlace(place)}: expected ${expected}${found === undefined ? "" : `, found ${found}`}`,
    );
    this.name = "RecordingError";
    this.place = place;
    this.expected = expected;
    this.found = found;
  }
}

/** A request of the user that cannot be met (unknown policy, unusable option): status 2 as well. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** What was found, quoted and cut to a printable length for an error message. */
export function quoteFound(text: string, limit = 60): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return JSON.stringify(cut);
}
