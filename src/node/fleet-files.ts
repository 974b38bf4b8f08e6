/** Cases and parts of a fleet as files: what a case holds, parts written whole, parts read back. */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { MAX_PART_BYTES, type Part, readPart } from "../fleet/part.ts";
import type { PlannedFile } from "../fleet/plan.ts";
import { UsageError } from "../model/place.ts";

/** Files of one case: more than these is a folder of cases that was taken for one. */
const MAX_FILES = 10_000;

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The files of a case: a file itself, or all in a folder, in the order of their names. */
export async function filesOfCase(path: string, root: string): Promise<PlannedFile[]> {
  const found: PlannedFile[] = [];
  const add = async (file: string, facts: Stats): Promise<void> => {
    if (found.length === MAX_FILES) throw new UsageError(`${path}: more than ${MAX_FILES} files`);
    const name = nameUnder(file, root);
    found.push({ name, bytes: facts.size, changed: Math.trunc(facts.mtimeMs) });
  };
  const walk = async (folder: string): Promise<void> => {
    const names = (await readdir(folder)).sort();
    for (const name of names) {
      const file = join(folder, name);
      const facts = await stat(file);
      if (facts.isDirectory()) await walk(file);
      else if (facts.isFile()) await add(file, facts);
    }
  };
  const facts = await stat(path);
  if (facts.isDirectory()) await walk(path);
  else if (facts.isFile()) await add(path, facts);
  else throw new UsageError(`${path}: expected a file or a folder; a pipe cannot be planned`);
  return found;
}

/** The name of a file below the root, with `/`. Throws UsageError when it lies outside. */
export function nameUnder(path: string, root: string): string {
  const name = relative(root, path).split(sep).join("/");
  if (name === "" || name === ".." || name.startsWith("../")) {
    throw new UsageError(`${path}: not below ${root}; --root names the folder of all recordings`);
  }
  return name;
}

/** Where the part of a case lies. */
export const partPath = (folder: string, id: string): string => join(folder, `${id}.json`);

/**
 * Writes a part under a name of its own, then gives it its name: whoever reads it reads it whole. Calls that
 * wait: nothing else is to do meanwhile, and a promise for each would take longer than the replay of a small
 * recording. The folder itself is for `syncFolder`, once for all: a name that a crash takes back is a part
 * that is missing.
 */
export function writePartFile(folder: string, id: string, text: string): void {
  const unfinished = join(folder, `.${id}.${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
  try {
    const file = openSync(unfinished, "wx");
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, partPath(folder, id));
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

/** The names in a folder are kept, whatever happens to the machine. */
export function syncFolder(folder: string): void {
  const directory = openSync(folder, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** The part in this file; a text says why there is none, null that there is no file. */
export async function partFile(path: string): Promise<Part | string | null> {
  try {
    const { size } = await stat(path);
    if (size > MAX_PART_BYTES) return `larger than ${MAX_PART_BYTES} bytes`;
    return readPart(await readFile(path, "utf8"), sha256);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/**
 * The parts in a folder, one after the other. `remark` hears of files with a part's name that hold
 * none; other files, unfinished ones among them, are nobody's.
 */
export async function* partsIn(
  folder: string,
  remark: (line: string) => void,
): AsyncGenerator<Part> {
  for (const name of (await readdir(folder)).sort()) {
    const match = /^([0-9a-f]{32})\.json$/.exec(name);
    if (!match) continue;
    const part = await partFile(join(folder, name));
    if (typeof part === "string") remark(`${join(folder, name)}: ${part}`);
    else if (part && part.id !== match[1])
      remark(`${join(folder, name)}: the part of another case`);
    else if (part) yield part;
  }
}

/** Errors of the machine that another try, or another machine, may not meet. */
const TRANSIENT = new Set([
  ...["EIO", "ENOSPC", "EDQUOT", "ENOMEM", "EMFILE", "ENFILE", "EAGAIN", "EBUSY", "ESTALE"],
  ...["ETIMEDOUT", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "EROFS", "ENOENT", "EINTR"],
  ...["EACCES", "EPERM", "ENODEV", "ENXIO", "ENOTCONN", "EPIPE"],
]);

/** Whether an error, or what caused it, says nothing about the recording. */
export function isTransient(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; depth++) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === "string" && TRANSIENT.has(code)) return true;
    // What V8 throws when this host has no memory left for a buffer.
    if (at instanceof RangeError && /allocat/i.test(at.message)) return true;
    at = at.cause;
  }
  return false;
}
