/** A folder of dirty-log images, written all or not at all. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../../model/place.ts";
import { writeSparse } from "../../node/sparse-file.ts";
import { LOG_INDEX_SCHEMA } from "../../report/json/log-index.ts";

const INDEX = "index.json";
/** A folder of an earlier version of ours is ours as well. */
const ANY_NUMBER = LOG_INDEX_SCHEMA.replace(/\/\d{1,9}$/, "/");
/**
 * New files wait here until all of them are complete. While it stands in a folder, what else is there
 * may be of two runs: readers refuse it (observed.ts), and the next run of `log` takes it away.
 */
export const STAGE = ".vhost-replay-part";
/**
 * Bytes of all images together, holes included: so much has to be looked at, and whoever copies the
 * folder may make it dense.
 */
const MOST_IN_ALL = 2 ** 36;

/** Files on their way into a folder. */
export interface LogDirectory {
  add(name: string, content: Uint8Array): Promise<void>;
  /** Moves everything to its place, the index last. Files of an earlier run go. */
  commit(index: string): Promise<void>;
  /** Removes what was staged; the folder is as before. */
  discard(): Promise<void>;
}

/**
 * Opens a folder for writing, making it where it is missing. Throws UsageError for a folder that
 * holds anything and was not written by `log`.
 */
export async function openLogDirectory(path: string): Promise<LogDirectory> {
  const previous = await ownFiles(path);
  const stage = join(path, STAGE);
  await rm(stage, { recursive: true, force: true });
  await mkdir(stage, { recursive: true });
  const added: string[] = [];
  let bytes = 0;
  return {
    async add(name, content) {
      bytes += content.length;
      if (bytes > MOST_IN_ALL) {
        throw new UsageError(
          `${path}: the images have more than ${MOST_IN_ALL / 2 ** 30} GiB in all; give a smaller --log-size`,
        );
      }
      await writeSparse(join(stage, name), content);
      added.push(name);
    },
    async commit(index) {
      await writeFile(join(stage, INDEX), index);
      // Without its index the folder is nobody's answer, until the new one is there.
      await rm(join(path, INDEX), { force: true });
      for (const name of previous) {
        if (!added.includes(name)) await rm(join(path, name), { force: true });
      }
      for (const name of added) await rename(join(stage, name), join(path, name));
      await rename(join(stage, INDEX), join(path, INDEX));
      await rm(stage, { recursive: true, force: true });
    },
    discard: () => rm(stage, { recursive: true, force: true }),
  };
}

/** Names of the images an earlier run left. Throws UsageError when the folder is someone else's. */
async function ownFiles(path: string): Promise<string[]> {
  let names: string[];
  let unfinished = false;
  try {
    const all = await readdir(path);
    names = all.filter((name) => name !== STAGE);
    unfinished = names.length < all.length;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return [];
    if (code === "ENOTDIR") throw new UsageError(`${path}: not a folder`);
    throw error;
  }
  if (names.length === 0) return [];
  const images = names.filter((name) => /^\d{3,}\.bin$/.test(name));
  if (images.length + 1 === names.length && (await isOwnIndex(join(path, INDEX)))) return images;
  // Cut off while its files took their places: the index goes first and comes last.
  if (unfinished && images.length === names.length) return images;
  throw new UsageError(`${path}: not empty, and not a folder that log wrote; name another one`);
}

async function isOwnIndex(path: string): Promise<boolean> {
  try {
    const index: unknown = JSON.parse(await readFile(path, "utf8"));
    const schema = (index as { schema?: unknown } | null)?.schema;
    return typeof schema === "string" && schema.replace(/\/\d{1,9}$/, "/") === ANY_NUMBER;
  } catch {
    return false;
  }
}
