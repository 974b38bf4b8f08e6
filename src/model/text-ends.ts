/**
 * The ends of texts, by steps backwards: a regular expression that ends in `$` begins anew at each
 * character, and takes the square of a long text.
 */

const WORD = /\w/;

/** The text without the carriage returns that a serial console leaves at the end of a line. */
export function withoutReturns(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === "\r") end--;
  return text.slice(0, end);
}

/** The word (letters, digits, underscores) at the end of a text; empty when none is there. */
export function lastWord(text: string): string {
  let from = text.length;
  while (from > 0 && WORD.test(text[from - 1]!)) from--;
  return text.slice(from);
}

/** What stands between the first `[` and the next `]`: the choice in a list such as `local [mono]`. */
export function bracketed(text: string): string | null {
  const from = text.indexOf("[");
  const to = text.indexOf("]", from);
  return from >= 0 && to > from + 1 ? text.slice(from + 1, to) : null;
}
