/**
 * The file can be read, but not from a stream: its parts are not in the order in which they are
 * needed. The caller keeps the bytes where they can be read by offset and opens them again.
 */
export class NeedsRandomAccess extends Error {
  /** One line for the user. */
  readonly why: string;

  constructor(why: string) {
    super(why);
    this.name = "NeedsRandomAccess";
    this.why = why;
  }
}
