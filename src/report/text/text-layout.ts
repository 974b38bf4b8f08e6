/** Layout of text for people: aligned columns, wrapped paragraphs, and emphasis without meaning. */

/** Columns that a report tries to stay in: what a mail can quote. */
export const TEXT_COLUMNS = 80;

/** Emphasis. The plain style returns its argument, so no meaning may hang on it. */
export interface TextStyle {
  bold(text: string): string;
  dim(text: string): string;
}

/** The style of a terminal with colour (SGR 1 and 2), or one that changes nothing. */
export function textStyle(color: boolean): TextStyle {
  if (!color) return { bold: (text) => text, dim: (text) => text };
  return { bold: (text) => `\x1b[1m${text}\x1b[22m`, dim: (text) => `\x1b[2m${text}\x1b[22m` };
}

/**
 * Rows as lines with aligned columns, two spaces apart. `align` has one letter a column: `l` or
 * `r`. A row may be shorter than `align`. No line ends in a space.
 */
export function alignColumns(rows: readonly (readonly string[])[], align: string): string[] {
  const widths = Array.from(align, (_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        align[column] === "r" ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  );
}

/**
 * A text broken at spaces into lines of at most `columns`, the first with `first` before it and
 * the others with `rest`. A word that is longer than a line stands alone and is not broken.
 */
export function wrapText(text: string, first: string, rest: string, columns = TEXT_COLUMNS) {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(" ")) {
    if (!empty && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line);
  return lines;
}

/** The sections of an answer, an empty line between them; empty ones are left out. Ends in a line feed. */
export function sectionsText(sections: readonly (readonly string[])[]): string {
  const full = sections.filter((lines) => lines.length > 0);
  return `${full.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** Control characters, what turns the direction of text or cannot be seen, and separators of lines. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Text from a recording made safe to print: characters that could drive a terminal, or make text look
 * like another, are shown as escapes of JavaScript (`\x1b`, `\u202e`).
 */
export function printable(text: string): string {
  return text.replaceAll(UNSEEN, (character) => {
    const hex = character.codePointAt(0)!.toString(16);
    if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\u{${hex}}`;
  });
}
