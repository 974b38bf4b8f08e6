/** A history names inputs by their base names: a report that is mailed tells nothing of the host. */

/** A short name for each, told apart where two have the same. */
export function baseNames(names: readonly string[]): Map<string, string> {
  const short = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of names) {
    const base = name.split(/[/\\]/).filter(Boolean).at(-1) ?? name;
    let own = base;
    for (let i = 2; taken.has(own); i++) own = `${base} (${i})`;
    taken.add(own);
    short.set(name, own);
  }
  return short;
}

/** A copy of plain data in which the inputs have their short names, in sentences too. */
export function withoutPaths<T>(data: T, names: ReadonlyMap<string, string>): T {
  // Longer names first: one may be the end of another.
  const paths = [...names].filter(([name, short]) => name !== short);
  paths.sort(([a], [b]) => b.length - a.length);
  const walk = (value: unknown): unknown => {
    if (typeof value === "string") {
      return (
        names.get(value) ?? paths.reduce((text, [from, to]) => text.replaceAll(from, to), value)
      );
    }
    if (typeof value === "bigint") return Number(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, walk(entry)]));
  };
  return walk(data) as T;
}
