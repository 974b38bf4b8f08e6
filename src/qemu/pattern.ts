/**
 * Formats of QEMU's trace events as the core takes them: literal text, a conversion, literal text.
 * Written here as `vq {vq:p} elem {elem:p}`, which is what QEMU's `trace-events` says with the
 * arguments' names put in.
 */

/** p `%p`; x hex digits without 0x; u, d decimal; s text. Numbers of `Conversion`, qemu-arguments.ts. */
export const CONVERSIONS = { p: 1, x: 2, u: 3, d: 4, s: 5 } as const;
export type Conversion = keyof typeof CONVERSIONS;

/** One argument and the literal text in front of it; `name` null behind the last one. */
export interface Piece {
  text: string;
  name: string | null;
  conversion: Conversion | null;
}

/** The pieces of a format. Throws on a format that is none: a bug of the table. */
export function piecesOf(format: string): Piece[] {
  const pieces: Piece[] = [];
  let rest = format;
  while (rest !== "") {
    const match = /^([^{]*)\{(\w+):([pxuds])\}/.exec(rest);
    if (!match) {
      pieces.push({ text: rest, name: null, conversion: null });
      break;
    }
    pieces.push({ text: match[1]!, name: match[2]!, conversion: match[3] as Conversion });
    rest = rest.slice(match[0].length);
  }
  return pieces;
}
