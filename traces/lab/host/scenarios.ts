/** The scenarios: scripts for the exerciser, one recording each. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Cpio } from "./cpio.ts";
import { LAB } from "./paths.ts";

const FOLDERS = ["scsi", "net", "vsock"] as const;
type Driver = (typeof FOLDERS)[number];

export interface Scenario {
  name: string;
  driver: Driver;
  text: string;
}

export const SCENARIOS: readonly Scenario[] = FOLDERS.flatMap((driver) =>
  readdirSync(join(LAB, "scenarios", driver))
    .filter((file) => file.endsWith(".txt"))
    .sort()
    .map((file) => ({
      name: file.slice(0, -4),
      driver,
      text: readFileSync(join(LAB, "scenarios", driver, file), "utf8"),
    })),
);

/** What `--quick` runs: each driver, each new kind of run, the toggles. */
export const QUICK = [
  ...["01-smoke", "12-toggle", "31-task-set-full", "32-toggle-reset", "33-held"],
  ...["n04-mrg", "v01-stream"],
];

export function addScenarios(archive: Cpio, scenarios: readonly Scenario[]): void {
  for (const { name, text } of scenarios) archive.file(`scenarios/${name}.txt`, text);
}
