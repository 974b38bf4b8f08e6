/**
 * The words of decoding at the border between core and host, as abi.ts: streams and their lines, what is
 * wrong with them. Compiled by asc and by tsc, so it may hold nothing but integer constants and enums,
 * and may import nothing.
 */

/** What the bytes of a stream are: `addStream()`. */
export enum StreamKind {
  /** Lines of ftrace events. */
  Text = 1,
  /** Ring-buffer pages of one CPU. */
  Ring,
  /** None: the host makes the records. */
  Records,
  /** QEMU's log and simple trace backends. */
  QemuLog,
  Simpletrace,
}

/** How a line of QEMU's log begins: `setQemu()`. */
export enum LogShape {
  /** `21328@1795395668.353301:`, up to QEMU 10. */
  TidTime = 1,
  /** `2026-11-23T01:01:42.071256Z `, from QEMU 11 on. */
  Iso,
  /** Neither: `-msg timestamp=off`. */
  Bare,
  /** `21328@1795395668353301000 `, process and nanoseconds: qemu-trace-stap. */
  Stap,
}

/** A line of as many bytes is not looked at. */
export const MAX_LINE = 65536;
/** Names of events that one plan tells apart. */
export const MAX_NAMES = 3000;

/** Shapes of lines of another's event that are kept for one name; others go to the host one by one. */
export const MAX_SHAPES = 64;

/** What becomes of a line that the host looked at: `lineVerdict()`. */
export enum LineVerdict {
  None = 0,
  /** Go on behind it. */
  Skip,
  /** The host added a name: scan the line again. */
  Again,
}

/** What is wrong with a line of an event that the replay needs: `problem()`. */
export enum Problem {
  None = 0,
  /** A value is no number, or too big for its field. */
  Value,
  /** A field of this event is missing. */
  Missing,
  /** The arguments of an event of QEMU fit none of its patterns. */
  Arguments,
  /** The last line has no end. */
  Cut,
  /** The name is known, the line has other fields than the lines of that name before it. */
  Shape,
  /** No event line, but an event that the replay needs is named in it. */
  Named,
  /** The line has MAX_LINE bytes or more, and is not looked at. */
  Long,
}

/** What is wrong with a ring-buffer page: `problem()`. */
export enum PageDamage {
  None = 0,
  /** commit says more bytes than the page has. */
  Commit,
  /** An event ends behind the committed data. */
  EventEnd,
  /** A record is shorter than its format says. */
  Short,
  /** The data ends in the middle of a page. */
  Torn,
  /** A marker names an event of QEMU and has other arguments. */
  Marker,
  /** Neither a time nor committed data: zeros in the place of a page. */
  Zeros,
}

/** What is wrong with a simpletrace record: `problem()`. */
export enum RecordDamage {
  None = 0,
  Type,
  Name,
  Length,
  Arguments,
}

/** EVENT_LOST of a gap: the recorder does not say how many events it lost. */
export const LOST_UNKNOWN = -1;
/** The same of a piece of the recording that is there and cannot be read. */
export const LOST_UNREAD = -2;
