/**
 * Delta debugging: the smallest part of a list that still shows something, such that no single item can
 * be left out (A. Zeller, R. Hildebrandt: Simplifying and Isolating Failure-Inducing Input, 2002).
 */

/** Whether a part still shows it. The order of the items stays. */
export type Shows<Item> = (part: readonly Item[]) => Promise<boolean>;

/**
 * Leaves out what is not needed; `items` must show it. Deterministic. Asks at most `most` times; beyond
 * that the part may hold more than it needs.
 */
export async function reduce<Item>(
  items: readonly Item[],
  shows: Shows<Item>,
  most: number,
): Promise<Item[]> {
  let kept = [...items];
  let pieces = 2;
  let asked = 0;
  while (kept.length > 1 && asked < most) {
    const size = Math.ceil(kept.length / pieces);
    let smaller = false;
    // From the end: what comes late rests on what came before it.
    for (let from = (Math.ceil(kept.length / size) - 1) * size; from >= 0; from -= size) {
      const without = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (without.length === 0 || asked >= most) continue;
      asked++;
      if (!(await shows(without))) continue;
      kept = without;
      smaller = true;
    }
    if (size === 1 && !smaller) break;
    pieces = smaller
      ? Math.max(2, Math.min(pieces, kept.length))
      : Math.min(pieces * 2, kept.length);
    if (smaller && size === 1) pieces = kept.length;
  }
  return kept;
}
