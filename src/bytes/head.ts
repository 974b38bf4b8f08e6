/** The first bytes of a file, by which its kind is told. */

/** How many bytes of the beginning are looked at. */
export const HEAD_BYTES = 1 << 16;
/** The same of a text whose beginning is something else: a command line, a report around it. */
export const LONG_HEAD_BYTES = 1 << 20;
/** Of a line no more is looked at. */
const LINE_LIMIT = 1024;

export class Head {
  readonly bytes: Uint8Array;
  #text: string | undefined;
  #lines: string[] | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** All of it, one character a byte: names in a trace are bytes, not UTF-8. */
  get text(): string {
    this.#text ??= latin1(this.bytes);
    return this.#text;
  }

  /** The lines of the text, without empty ones and without a byte order mark, each cut at 1024. */
  get lines(): readonly string[] {
    this.#lines ??= linesOf(this.text);
    return this.#lines;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with the escape character
const COLOUR = /\x1b\[[\d;]{0,16}[mK]/g;
const BYTE_ORDER_MARK = "\xef\xbb\xbf";

function linesOf(text: string): string[] {
  const lines: string[] = [];
  let start = text.startsWith(BYTE_ORDER_MARK) ? 3 : 0;
  while (start < text.length) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    if (end > start)
      lines.push(withoutColours(text.slice(start, Math.min(end, start + LINE_LIMIT))));
    start = end + 1;
  }
  return lines;
}

/** Without what a program wrote for a terminal: as blankColours() of assembly/decode/text-lines.ts. */
function withoutColours(line: string): string {
  return line.startsWith("\x1b")
    ? line.replaceAll(COLOUR, (code) => " ".repeat(code.length))
    : line;
}

/** So many arguments go to one call, of any engine. */
const PIECE = 4096;
const ASCII = new TextDecoder();

/** One character a byte. */
export function latin1(bytes: Uint8Array): string {
  // Many times as fast, and without an array of numbers; its "latin1" has others from 0x80 to 0x9f.
  if (isAscii(bytes)) return ASCII.decode(bytes);
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE) as unknown as number[];
    text += String.fromCharCode.apply(null, piece);
  }
  return text;
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 127) return false;
  return true;
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
const CONTROL = Uint8Array.from({ length: 256 }, (_, c) =>
  c < 32 && ![0, 9, 10, 12, 13, 27].includes(c) ? 1 : 0,
);

/**
 * Whether these bytes may be text in ASCII or UTF-8. NULs are no hint: a probe's argument of type char
 * prints them.
 */
export function mayBeText({ bytes }: Head): boolean {
  let odd = 0;
  for (let i = 0; i < bytes.length; i++) odd += CONTROL[bytes[i]!]!;
  return bytes.length > 0 && odd * 64 <= bytes.length;
}
