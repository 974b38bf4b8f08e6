/** The files of a folder, as sources. */
import { lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Source, Surroundings } from "../bytes/source.ts";
import { fileOrMembers } from "../case/archive-members.ts";
import { RecordingError } from "../model/place.ts";
import { fileSource } from "./file-source.ts";

const MOST_FILES = 10_000;
const MOST_DEPTH = 16;

/** Whether a path is a folder. False for what is not there: opening it says so. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/**
 * The regular files below a folder, by name; archives among them as what is in them. Links to folders
 * are not followed. Throws RecordingError for more than 10,000 files, and for a folder that cannot be
 * read.
 */
export async function folderSources(path: string, surroundings: Surroundings): Promise<Source[]> {
  const files: string[] = [];
  list(path, files, 0);
  const sources: Source[] = [];
  for (const file of files) sources.push(...(await fileOrMembers(fileSource(file), surroundings)));
  return sources;
}

function list(folder: string, files: string[], depth: number): void {
  let entries: string[];
  try {
    entries = readdirSync(folder).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new RecordingError({ file: folder, at: "" }, "a readable folder", code ?? "an error");
  }
  for (const entry of entries) {
    const path = join(folder, entry);
    const own = lstatSync(path);
    if (own.isDirectory()) {
      if (depth < MOST_DEPTH) list(path, files, depth + 1);
      continue;
    }
    // A pipe or a device would wait, or never end.
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    files.push(path);
    if (files.length > MOST_FILES) {
      const most = `at most ${MOST_FILES} files`;
      throw new RecordingError({ file: folder, at: "" }, most, "more");
    }
  }
}
