/** Where the lab finds its parts and puts its results. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The repository: the nearest folder above this file with a package.json, built or not. */
function repository(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json")) && folder !== dirname(folder)) {
    folder = dirname(folder);
  }
  return folder;
}

export const ROOT = repository();
export const LAB = join(ROOT, "traces", "lab");
/** The tool under test, as `npm run build` leaves it. */
export const TOOL = join(ROOT, "dist", "src", "cli.js");

/** Unpacked kernels and QEMU: $LAB_IMAGES, else a folder that git ignores. */
export const IMAGES = process.env.LAB_IMAGES ?? join(LAB, ".images");
/** What the machines brought back: $LAB_RESULTS, else a folder that git ignores. */
export const RESULTS = process.env.LAB_RESULTS ?? join(LAB, ".results");
/** Programs and initial file systems that were built, and the machines' disks. */
export const BUILD = join(RESULTS, ".build");
