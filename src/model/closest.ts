/** The name that was probably meant: the nearest of a list, where it is near enough. */

/** Letters that are added, left out, changed, or swapped with their neighbour. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = 0; i <= a.length; i++) rows[i]![0] = i;
  for (let j = 0; j <= b.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = least;
    }
  }
  return rows[a.length]![b.length]!;
}

const LONGEST = 60;

/** The nearest name, at most a third of its letters away; the first of several; undefined: none is near. */
export function closest(text: string, names: readonly string[]): string | undefined {
  if (text.length > LONGEST) return undefined;
  const near = names
    .map((name) => ({ name, away: distance(text.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, away }) => away > 0 && away * 3 <= Math.max(name.length, text.length));
  return near.toSorted((a, b) => a.away - b.away)[0]?.name;
}
