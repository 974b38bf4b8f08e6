/** The prebuilt core, from the package's own files. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type CoreModule, compileCore } from "../core/core.ts";

/** Path of `core.wasm`; the same from the sources and from an installed package. */
export function corePath(): string {
  return fileURLToPath(import.meta.resolve("#core.wasm"));
}

/** Loads and compiles the core. */
export async function loadCore(): Promise<CoreModule> {
  return compileCore(await readFile(corePath()));
}
