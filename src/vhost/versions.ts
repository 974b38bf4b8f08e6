/** From the version of a kernel to its row: which tree took which change, as data. */
import { UsageError } from "../model/place.ts";

/** The row that a version has, and why. */
export interface VersionRow {
  row: string;
  /** One sentence. */
  reason: string;
}

/** From this third number on a tree has this row. */
type Step = readonly [from: number, row: string];

/** Trees that took changes after their release. */
const STABLE: Readonly<Record<string, readonly Step[]>> = {
  "5.10": [
    [0, "linux-6.1"],
    [240, "linux-6.1.146"],
  ],
  "5.15": [
    [0, "linux-6.1"],
    [189, "linux-6.1.146"],
  ],
  "6.1": [
    [0, "linux-6.1"],
    [146, "linux-6.1.146"],
    [189, "linux-6.1.189"],
  ],
  "6.6": [
    [0, "linux-6.6"],
    [93, "linux-6.6.93"],
  ],
  "6.12": [
    [0, "linux-6.12"],
    [26, "linux-6.12.26"],
    [31, "linux-6.12.31"],
  ],
  "6.14": [
    [0, "linux-6.12"],
    [5, "linux-6.12.26"],
    [9, "linux-6.12.31"],
  ],
  "6.18": [
    [0, "linux-6.16"],
    [45, "linux-7.1.9"],
  ],
  "7.1": [
    [0, "linux-6.16"],
    [9, "linux-7.1.9"],
  ],
};

/** Releases from which on the mainline has this row, ascending. */
const MAINLINE: readonly (readonly [major: number, minor: number, row: string])[] = [
  [3, 6, "linux-6.1"],
  [6, 6, "linux-6.6"],
  [6, 12, "linux-6.12"],
  [6, 15, "linux-6.15"],
  [6, 16, "linux-6.16"],
  [7, 2, "linux-7.2"],
  [7, 3, "linux-7.3"],
];

/** The last release whose source was read. */
const NEWEST = [7, 3] as const;

/**
 * The row of `linux-6.12.40`, `linux-5.4` or `linux-6.15-rc1`, and why it is that one; null for a
 * text that is no such version. Throws UsageError for a kernel without vhost-scsi (before 3.6).
 */
export function versionRow(name: string): VersionRow | null {
  const match = /^linux-(\d{1,3})\.(\d{1,3})(?:\.(\d{1,4}))?(-rc\d{1,2})?$/.exec(name);
  if (!match) return null;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  const release = `${major}.${minor}`;
  const main = MAINLINE.findLast(([m, n]) => m < major || (m === major && n <= minor));
  if (!main) throw new UsageError(`${name}: vhost-scsi came with Linux 3.6`);
  const steps = STABLE[release];
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
