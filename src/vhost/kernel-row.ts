/** A kernel as one row: which versions it stands for, what it took, and what the row rests on. */
import { type Policy, seriesPolicy } from "./policy-row.ts";
import type { Series } from "./series.ts";

/** A release of the mainline: `[6, 16]` is Linux 6.16. */
export type Release = readonly [major: number, minor: number];

export interface Kernel extends Policy {
  series: Series;
  /** From this release on the mainline is so, until another row's; null: only stable trees are. */
  mainline: Release | null;
  /** Stable trees, and the third number from which on each is so: `["6.18", 45]`. */
  trees: readonly (readonly [tree: string, from: number])[];
  /** Versions whose own dirty log was compared with what the row says. */
  measured: readonly string[];
  /** What was read: commits, sources, changelogs. */
  read: readonly string[];
}

/** How a row is written down. */
export interface KernelRow {
  name: string;
  aliases?: string[];
  title: string;
  series: Series;
  mainline?: Release;
  trees?: Kernel["trees"];
  measured?: readonly string[];
  read: readonly string[];
  note?: string;
}

/** The row, with all that follows from its switches. */
export function kernelRow(row: KernelRow): Kernel {
  const { series, mainline = null, trees = [], measured = [], read, ...words } = row;
  const evidence = [
    ...read,
    ...measured.map(
      (version) => `equal to the log that ${version} wrote, bit for bit, at every sync`,
    ),
  ];
  const policy = seriesPolicy(series, { ...words, evidence });
  return { ...policy, series, mainline, trees, measured, read };
}
