/** What the lab needs on the host, and the one line that installs it. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { LabError } from "./command.ts";

/** Program, and the Debian package that has it. */
const NEEDED: readonly (readonly [program: string, packageName: string])[] = [
  ["qemu-system-x86_64", "qemu-system-x86"],
  ["busybox", "busybox-static"],
  ["trace-cmd", "trace-cmd"],
  ["gcc", "gcc"],
  ["xz", "xz-utils"],
  ["zstd", "zstd"],
  ["tar", "tar"],
  ["dpkg-deb", "dpkg"],
  ["apt-get", "apt"],
];

/** Full path of a program in PATH, or null. */
export function findProgram(name: string): string | null {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    if (folder !== "" && existsSync(path)) return path;
  }
  return null;
}

/** Throws LabError with the line that installs what is missing. */
export function requireTools(): void {
  if (process.arch !== "x64")
    throw new LabError(`the lab runs on x86-64 only, not ${process.arch}`);
  const missing = NEEDED.filter(([program]) => findProgram(program) === null);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))].join(" ");
  throw new LabError(
    `missing: ${missing.map(([program]) => program).join(", ")}; as root: apt-get install --no-install-recommends ${packages}`,
  );
}
