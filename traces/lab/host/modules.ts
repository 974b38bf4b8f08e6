/** Kernel modules in the order in which insmod takes them. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { runBinary } from "./command.ts";
import type { Kernel } from "./kernels.ts";

const SUFFIX = /\.ko(\.(?:xz|zst|gz))?$/;

/** Module names say - or _, files as they like. */
function moduleName(path: string): string {
  return basename(path).replace(SUFFIX, "").replaceAll("-", "_");
}

function read(path: string): Buffer {
  if (path.endsWith(".xz")) return runBinary("xz", ["-dc", path]);
  if (path.endsWith(".zst")) return runBinary("zstd", ["-dcq", path]);
  return readFileSync(path);
}

/** What the .modinfo section says a module depends on. */
function dependencies(image: Buffer): string[] {
  const start = image.indexOf("\0depends=");
  if (start < 0) return [];
  const text = image.toString("latin1", start + 9, image.indexOf(0, start + 9));
  return text.split(",").filter((name) => name !== "");
}

export interface Module {
  name: string;
  image: Buffer;
}

/** The named modules and what they need, each behind its dependencies. Built-in ones have no file. */
export function modulesOf(kernel: Kernel, names: readonly string[]): Module[] {
  const files = new Map(
    readdirSync(kernel.modules, { recursive: true, encoding: "utf8" })
      .filter((path) => SUFFIX.test(path))
      .map((path) => [moduleName(path), join(kernel.modules, path)]),
  );
  const modules: Module[] = [];
  const seen = new Set<string>();
  const add = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const file = files.get(name.replaceAll("-", "_"));
    if (file === undefined) return;
    const image = read(file);
    for (const dependency of dependencies(image)) add(dependency);
    modules.push({ name, image });
  };
  for (const name of names) add(name);
  return modules;
}
