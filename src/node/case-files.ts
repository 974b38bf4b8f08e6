/** The files of a folder or a tar archive, as sources. */
import { lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { unwrap } from "../bytes/decompress.ts";
import type { RandomAccess, Source, Surroundings } from "../bytes/source.ts";
import { isTar, tarMemberSource, tarMembers } from "../bytes/tar.ts";
import { RecordingError } from "../model/place.ts";
import { fileSource } from "./file-source.ts";

const MOST_FILES = 10_000;
const MOST_DEPTH = 16;
/** An archive in an archive. */
const MOST_NESTING = 3;

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

/** A file as it is, or the members of the archive that it is, compressed or not. */
export async function fileOrMembers(
  source: Source,
  surroundings: Surroundings,
  nesting = 0,
): Promise<Source[]> {
  if (source.random === undefined || nesting === MOST_NESTING) return [source];
  const archive = await openArchive(source, surroundings);
  if (archive === null) return [source];
  const sources: Source[] = [];
  for (const member of await tarMembers(source.name, archive)) {
    const inner = tarMemberSource(source.name, archive, member);
    sources.push(...(await fileOrMembers(inner, surroundings, nesting + 1)));
  }
  return sources;
}

/** Access to a tar archive, which stays open until the process ends; null: it is none. */
async function openArchive(
  source: Source,
  surroundings: Surroundings,
): Promise<RandomAccess | null> {
  let opened: Awaited<ReturnType<typeof unwrap>>;
  try {
    // An archive that is cut off has members before that.
    opened = await unwrap(source, () => {});
  } catch (error) {
    if (error instanceof RecordingError) return null;
    throw error;
  }
  if (!isTar(opened.head)) {
    opened.stream().close();
    return null;
  }
  const why = `${source.name}: an archive is read by offset, so it is kept in a temporary file`;
  return opened.random() ?? (await surroundings.spool(source.name, opened.stream(), why));
}
