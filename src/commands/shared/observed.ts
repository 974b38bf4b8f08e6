/** Observed dirty-log images: `3.bin`, `03.bin` or `003.bin` in a folder. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ObservedImages } from "../../answers/observed.ts";
import { atByte, RecordingError, UsageError } from "../../model/place.ts";
import { STAGE } from "./log-directory.ts";

/** One bit a page, 16 TiB of guest memory. */
const MOST_BYTES = 2 ** 29;

/**
 * Lists a folder's images. Throws UsageError when the folder cannot be listed, has no image, or has
 * two for one sync; RecordingError when an image is larger than a log can be.
 */
export async function observedImages(folder: string): Promise<ObservedImages> {
  const files = new Map<number, string>();
  const names = (await list(folder)).sort();
  if (names.includes(STAGE)) {
    throw new UsageError(
      `${folder}: log was cut off while it wrote here, and its images may be of two runs; run it again`,
    );
  }
  for (const name of names) {
    const match = /^(\d{1,9})\.bin$/.exec(name);
    if (!match) continue;
    const number = Number(match[1]);
    const other = files.get(number);
    if (other !== undefined) {
      throw new UsageError(`${folder}: ${other} and ${name} are both of sync ${number}`);
    }
    files.set(number, name);
  }
  if (files.size === 0) throw new UsageError(`${folder}: no N.bin, NN.bin or NNN.bin in it`);
  return {
    name: folder,
    numbers: [...files.keys()].sort((a, b) => a - b),
    file: (number) => files.get(number),
    async read(number) {
      const path = join(folder, files.get(number)!);
      const { size } = await stat(path);
      if (size > MOST_BYTES) {
        throw new RecordingError(
          { file: path, at: atByte(MOST_BYTES) },
          `at most ${MOST_BYTES} bytes of dirty log`,
          `${size} bytes`,
        );
      }
      return readFile(path);
    },
  };
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") throw new UsageError(`${folder}: no such folder`);
    if (code === "ENOTDIR") throw new UsageError(`${folder}: not a folder`);
    throw error;
  }
}
