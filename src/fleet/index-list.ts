/** Indexes of a plan as schedulers write them: `3,7,19-24`. */

/** The schedulers that hand a task its index, each by a variable of its own, from 0. */
const INDEX_VARIABLES = [
  "SLURM_ARRAY_TASK_ID",
  "JOB_COMPLETION_INDEX",
  "AWS_BATCH_JOB_ARRAY_INDEX",
  "BATCH_TASK_INDEX",
  "CLOUD_RUN_TASK_INDEX",
] as const;

/** The longest list that is written out: a plan with more entries than this is no plan. */
const MAX_INDEX = 100_000_000;

/** From a first to a last index, both counted. */
export interface IndexRange {
  first: number;
  last: number;
}

/** What `3,7,19-24` means, as it stands; null when it is no such list. */
export function parseIndexes(text: string): IndexRange[] | null {
  const ranges: IndexRange[] = [];
  for (const piece of text.split(",")) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(piece.trim());
    if (!match) return null;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first || last > MAX_INDEX) return null;
    ranges.push({ first, last });
  }
  return ranges;
}

/** Ascending indexes as a list of ranges; empty for none. Slurm's `--array` takes it as it is. */
export function formatIndexes(indexes: Iterable<number>): string {
  const ranges: IndexRange[] = [];
  for (const index of indexes) {
    const last = ranges.at(-1);
    if (last && last.last + 1 === index) last.last = index;
    else ranges.push({ first: index, last: index });
  }
  return ranges
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(",");
}

/** The index that a scheduler gave this task, and by which variable; null where none did. */
export function indexOfTask(
  environment: Readonly<Record<string, string | undefined>>,
): { variable: string; value: string } | null {
  for (const variable of INDEX_VARIABLES) {
    const value = environment[variable];
    if (value !== undefined && value !== "") return { variable, value };
  }
  return null;
}
