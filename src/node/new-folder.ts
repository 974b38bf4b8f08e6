/** A folder that is there whole or not at all: made beside its place, and given its name at the end. */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../model/place.ts";

/**
 * Calls `fill` with an empty folder, which becomes `path` when it returns. Throws UsageError where
 * `path` is there already and not empty: nothing of the user's is replaced.
 */
export async function newFolder(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  await refuseFull(path);
  const place = resolve(path);
  const name = `.${basename(place)}.${randomBytes(6).toString("hex")}.part`;
  const unfinished = join(dirname(place), name);
  await mkdir(unfinished, { recursive: true });
  try {
    await fill(unfinished);
    // An empty folder of this name gives way; one that was filled meanwhile does not.
    await rename(unfinished, place);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

async function refuseFull(path: string): Promise<void> {
  try {
    if ((await readdir(path)).length === 0) return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    if (code === "ENOTDIR") throw new UsageError(`${path}: not a folder`);
    throw error;
  }
  throw new UsageError(`${path}: not empty; name a folder that is not there yet`);
}
