/** Asks the tool which pages of a migration are stale, and compares with the two memories. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, rowOf, versionOf } from "./check.ts";
import { LabError } from "./command.ts";

export interface StaleVerdict {
  /** Row of the tool's table for the kernel that ran. */
  policy: string;
  stale: number;
  possibly: number;
  /** Pages that differ and were called stale, likely or possibly stale, or neither. */
  differStale: number;
  differPossibly: number;
  missed: string[];
}

interface StaleDocument {
  machines: { stale: string[]; likelyStale: string[]; possiblyStale: string[] }[];
}

/** Under the kernel that ran, from the recordings of a result folder. Throws LabError. */
export function staleVerdict(folder: string): StaleVerdict {
  const policy = rowOf(versionOf(folder));
  const { machines } = ask<StaleDocument>([
    ...["stale", "--policy", policy, "--ran", policy],
    ...["--clock-pairs", join(folder, "clock.txt")],
    ...["trace.txt.gz", "src.log.gz", "dst.log.gz"].map((file) => join(folder, file)),
  ]);
  const [only] = machines;
  if (!only || machines.length > 1) throw new LabError(`${folder}: ${machines.length} machines`);
  const { stale, likelyStale, possiblyStale } = only;
  const differ = readFileSync(join(folder, "differ.txt"), "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[0] || []);
  const certain = new Set(stale);
  const perhaps = new Set([...likelyStale, ...possiblyStale]);
  return {
    policy,
    stale: certain.size,
    possibly: perhaps.size,
    differStale: differ.filter((page) => certain.has(page)).length,
    differPossibly: differ.filter((page) => perhaps.has(page)).length,
    missed: differ.filter((page) => !certain.has(page) && !perhaps.has(page)),
  };
}
