/** From the version of a kernel to its row, by the releases and trees that the rows name. */
import { UsageError } from "../model/place.ts";
import { KERNELS } from "./kernels.ts";

/** The row that a version has, and why. */
export interface VersionRow {
  row: string;
  /** One sentence. */
  reason: string;
}

/** From this third number on a tree has this row. */
type Step = readonly [from: number, row: string];

/** Releases from which on the mainline has this row, ascending. */
const MAINLINE: readonly (readonly [major: number, minor: number, row: string])[] = KERNELS.flatMap(
  ({ name, mainline }) => (mainline ? [[...mainline, name] as const] : []),
).sort(([a, b], [c, d]) => a - c || b - d);

/** The last release whose source was read. */
const NEWEST = MAINLINE.at(-1)!;

/** The row of a release of the mainline; undefined before the first. */
const ofMainline = (major: number, minor: number) =>
  MAINLINE.findLast(([m, n]) => m < major || (m === major && n <= minor));

/** Trees that took changes after their release, ascending; they begin as the mainline was. */
const STABLE: ReadonlyMap<string, readonly Step[]> = new Map(
  [...new Set(KERNELS.flatMap(({ trees }) => trees.map(([tree]) => tree)))].map((tree) => {
    const [major, minor] = tree.split(".").map(Number);
    const steps = KERNELS.flatMap(({ name, trees }) =>
      trees.flatMap(([of, from]): Step[] => (of === tree ? [[from, name]] : [])),
    ).sort(([a], [b]) => a - b);
    return [tree, [[0, ofMainline(major!, minor!)![2]], ...steps]];
  }),
);

/**
 * The row of `linux-6.12.40`, `linux-5.4` or `linux-6.15-rc1`, and why it is that one; null for a
 * text that is no such version. Throws UsageError for a kernel without vhost-scsi (before 3.6).
 */
export function versionRow(name: string): VersionRow | null {
  const match = /^linux-(\d{1,3})\.(\d{1,3})(?:\.(\d{1,4}))?(-rc\d{1,2})?$/.exec(name);
  if (!match) return null;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  const release = `${major}.${minor}`;
  const main = ofMainline(major, minor);
  if (!main) throw new UsageError(`${name}: vhost-scsi came with Linux 3.6`);
  const steps = STABLE.get(release);
  if (steps) return stableRow(release, match[3], steps);
  const row = main[2];
  if (major > NEWEST[0] || (major === NEWEST[0] && minor > NEWEST[1])) {
    return { row, reason: `${release} is newer than any kernel that was read; taken as ${row}` };
  }
  if (match[4]) {
    return { row, reason: `${release}${match[4]} is taken as the release that came of it` };
  }
  const since = `${main[0]}.${main[1]}`;
  const known =
    since === release
      ? `${release} has its own row`
      : `nothing that counts changed between ${since} and ${release}`;
  const tree = match[3] === undefined ? "" : "; no backport to this tree is known";
  return { row, reason: `${known}${tree}` };
}

function stableRow(release: string, third: string | undefined, steps: readonly Step[]): VersionRow {
  const number = Number(third ?? 0);
  const at = steps.findLastIndex(([from]) => from <= number);
  const [from, row] = steps[at]!;
  const next = steps[at + 1];
  const since = from === 0 ? "since its release" : `since ${release}.${from}`;
  const until = next ? `, up to ${release}.${next[0] - 1}` : "";
  const ask = third === undefined && next ? "; a third number may name a later row" : "";
  return { row, reason: `the ${release} tree is so ${since}${until}${ask}` };
}
