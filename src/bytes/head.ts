/** The first bytes of a file, by which its kind is told. */

/** How many bytes of the beginning are looked at. */
export const HEAD_BYTES = 1 << 16;
/** The same of a text whose beginning is something else: a command line, a report around it. */
export const LONG_HEAD_BYTES = 1 << 20;
/** Of a line no more is looked at. */
const LINE_LIMIT = 1024;

export class Head {
  readonly bytes: Uint8Array;
  #lines: string[] | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The lines, one character a byte (names in a trace are bytes, not UTF-8), each cut at 1024. */
  get lines(): readonly string[] {
    this.#lines ??= linesOf(this.bytes);
    return this.#lines;
  }
}

function linesOf(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  let start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (end > start) lines.push(latin1(bytes.subarray(start, Math.min(end, start + LINE_LIMIT))));
    start = end + 1;
  }
  return lines;
}

/** One character a byte. At most a few thousand bytes. */
export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Whether a file begins with one of these signatures. */
export function magic(...signatures: (string | readonly number[])[]): (head: Head) => boolean {
  const all = signatures.map((signature) =>
    typeof signature === "string"
      ? Array.from(signature, (character) => character.charCodeAt(0))
      : signature,
  );
  return ({ bytes }) => all.some((signature) => signature.every((byte, i) => bytes[i] === byte));
}

/** Bytes that no text has: control characters but for blanks, line ends, NUL and escape. */
const CONTROL = new Set([...Array(32).keys()].filter((c) => ![0, 9, 10, 12, 13, 27].includes(c)));

/**
 * Whether these bytes may be text in ASCII or UTF-8. NULs are no hint: a probe's argument of type char
 * prints them.
 */
export function mayBeText({ bytes }: Head): boolean {
  let odd = 0;
  for (const byte of bytes) if (CONTROL.has(byte)) odd++;
  return bytes.length > 0 && odd * 64 <= bytes.length;
}
