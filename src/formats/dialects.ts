/** Dialects of a text format: one row each, told by how a line looks. */
import type { Sniffed } from "./format.ts";

export interface Dialect {
  /** The variant for people, and the row's key. */
  readonly name: string;
  /** Whether a line is of it. Linear in the line: tried on each of at most 1024 characters. */
  readonly line: RegExp;
  /** It only stands in front of events: it counts where no other row does. */
  readonly header?: true;
}

/** The dialect that most of these lines are of, and how many lines of any; null: none is. */
export function dialectOf(dialects: readonly Dialect[], lines: readonly string[]): Sniffed | null {
  const counts = new Map<Dialect, number>();
  let all = 0;
  for (const line of lines) {
    const dialect = dialects.find((row) => row.line.test(line));
    if (!dialect) continue;
    counts.set(dialect, (counts.get(dialect) ?? 0) + 1);
    all++;
  }
  let best: Dialect | null = null;
  for (const dialect of dialects) {
    const count = counts.get(dialect) ?? 0;
    if (count === 0) continue;
    const more = best === null || count > (counts.get(best) ?? 0);
    if (best === null || (best.header && !dialect.header) || (more && !dialect.header)) {
      best = dialect;
    }
  }
  return best && { variant: best.name, lines: all };
}
