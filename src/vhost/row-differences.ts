/** A row of the table of kernels against what a kernel's sources say. */
import type { Kernel } from "./kernel-row.ts";
import type { Derived } from "./kernel-source.ts";

/** Patch 10 only warns, and was never merged. */
const DERIVED_PATCHES = 9;

/** What the row says otherwise than the sources, a clause each. */
export function rowDifferences({ series }: Pick<Kernel, "series">, derived: Derived): string[] {
  const differences: string[] = [];
  for (let patch = 1; patch <= DERIVED_PATCHES; patch++) {
    const [row, source] = [series.patches.includes(patch), derived.patches.includes(patch)];
    if (row !== source)
      differences.push(`patch ${patch} is ${source ? "in" : "not in"} the sources`);
  }
  const captures = derived.patches.includes(6);
  for (const name of [
    "mapError",
    "flush",
    "ebusy",
    "piCheck",
    "inOrderRange",
    "freeOnOff",
  ] as const) {
    // Where nothing is captured there is nothing to free.
    if (name === "freeOnOff" && !captures) continue;
    if (series[name] !== derived[name]) {
      differences.push(`${name} is ${derived[name]} in the sources, ${series[name]} in the row`);
    }
  }
  return differences;
}
