/**
 * `npm run lab -- --attacks`: what may befall a recording on a host that matters, in a machine: signals, probes
 * that somebody switches off, names that are taken, a full disk, lockdown. vm/attacks.sh has the cases.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Cpio } from "./cpio.ts";
import { addDynamic, baseArchive } from "./initramfs.ts";
import type { Kernel } from "./kernels.ts";
import { boot } from "./machine.ts";
import { RESULTS, ROOT } from "./paths.ts";
import { recordScript } from "./record-script.ts";

/** One case: what it was, and what was wrong; null: nothing. */
export interface Attack {
  release: string;
  what: string;
  wrong: string | null;
}

/** What the installed command needs, its packages included. */
const TOOL_FILES = ["package.json", "build/core.js", "build/core.wasm", "dist/cli"];

/** Runs all cases in one machine. Throws LabError when it did not come to its end. */
export async function attack(kernel: Kernel): Promise<Attack[]> {
  const folder = join(RESULTS, `${kernel.release}-attacks`);
  const archive = baseArchive(kernel, recordScript(kernel));
  addTool(archive);
  await boot(
    {
      name: `${kernel.release}-attacks`,
      kernel,
      initramfs: archive.finish(),
      settings: { suite: "attacks" },
      memoryMiB: 3072,
      seconds: 3600,
    },
    folder,
  );
  return attacksIn(readFileSync(join(folder, "attacks.txt"), "utf8"), kernel.release);
}

/** The lines of attacks.txt; those that are indented say what the program said. */
export function attacksIn(text: string, release: string): Attack[] {
  const attacks: Attack[] = [];
  for (const line of text.split("\n")) {
    // "BY: WHAT", and behind a second colon what was wrong.
    const [, verdict, what = "", why = "?"] =
      /^(ok|WRONG) ([^:]*: [^:]*)(?:: (.*))?$/.exec(line) ?? [];
    if (verdict) attacks.push({ release, what, wrong: verdict === "ok" ? null : why });
  }
  return attacks;
}

export function attackText(attacks: readonly Attack[]): string {
  return attacks
    .map(
      ({ release, what, wrong }) =>
        `${release}  ${wrong === null ? "holds" : "WRONG"}  ${what}${wrong === null ? "" : `: ${wrong}`}`,
    )
    .join("\n");
}

/** Node.js and the command, below /tool. */
function addTool(archive: Cpio): void {
  addDynamic(archive, "bin/node", process.execPath);
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const packages = Object.keys(manifest.dependencies).map((name) => `node_modules/${name}`);
  for (const path of [...TOOL_FILES, ...packages]) addTree(archive, path);
}

function addTree(archive: Cpio, path: string): void {
  const from = join(ROOT, path);
  if (!statSync(from).isDirectory()) {
    archive.file(`tool/${path}`, readFileSync(from));
    return;
  }
  for (const name of readdirSync(from)) addTree(archive, join(path, name));
}
