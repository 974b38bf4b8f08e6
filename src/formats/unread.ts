/** What of one input is there and cannot be read: each piece is a loss in its place, and nothing else. */
import { MAX_LINE } from "../../assembly/decode-abi.ts";
import { atLine, RecordingError } from "../model/place.ts";

/** Pieces that are told one by one. */
const TOLD = 4;

export class Unread {
  /** Pieces: lines, records, pages, frames. */
  count = 0;
  /** What was expected and found in the first one. */
  first: RecordingError | null = null;
  readonly #told: string[] = [];

  add(error: RecordingError): void {
    this.first ??= error;
    if (this.count++ < TOLD) this.#told.push(error.message);
  }

  /** One sentence for each of the first pieces. */
  notes(): string[] {
    const notes = this.#told.map((message) => `Not read, so lost: ${message}.`);
    const more = this.count - notes.length;
    if (more > 0) notes.push(`${more} more pieces are not read, for the like of these.`);
    return notes;
  }
}

/** Zeros that no line of text has by chance. */
const ZEROS = "\0".repeat(64);

/**
 * That a line is too long to be looked at; `text` is its beginning. Zeros are a hole in the file, or stand
 * for bytes of a compressed one that are damaged (bytes/past-damage.ts).
 */
export function longLine(file: string, line: number, text: string): RecordingError {
  const place = { file, at: atLine(line) };
  if (text.includes(ZEROS)) {
    return new RecordingError(place, "text", "zeros: a hole, or damage of the compressed file");
  }
  return new RecordingError(place, `a line of less than ${MAX_LINE} bytes`);
}
