/** Observed dirty-log images: `3.bin`, `03.bin` or `003.bin` in a folder. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ObservedImages } from "../../answers/observed.ts";
import { readFully, type Source } from "../../bytes/source.ts";
import { atByte, RecordingError, UsageError } from "../../model/place.ts";
import { STAGE } from "./log-directory.ts";

/** One bit a page, 16 TiB of guest memory. */
const MOST_BYTES = 2 ** 29;

/**
 * Lists a folder's images. Throws UsageError when the folder cannot be listed, has no image, or has
 * two for one sync; RecordingError when an image is larger than a log can be.
 */
export async function observedImages(folder: string): Promise<ObservedImages> {
  return imagesNamed(folder, await list(folder), async (name) => {
    const path = join(folder, name);
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw tooLarge(path, size);
    return readFile(path);
  });
}

/** The same of images in an archive, by the names of its members. */
export async function observedMembers(
  folder: string,
  members: ReadonlyMap<string, Source>,
): Promise<ObservedImages> {
  const inside = [...members.keys()].filter((name) => dirname(name) === folder);
  return imagesNamed(
    folder,
    inside.map((name) => basename(name)),
    async (name) => {
      const source = members.get(`${folder}/${name}`)!;
      if ((source.size ?? 0) > MOST_BYTES) throw tooLarge(source.name, source.size ?? 0);
      const bytes = new Uint8Array(source.size ?? 0);
      const stream = source.stream();
      const count = await readFully(stream, bytes);
      stream.close();
      return bytes.subarray(0, count);
    },
  );
}

function tooLarge(file: string, size: number): RecordingError {
  return new RecordingError(
    { file, at: atByte(MOST_BYTES) },
    `at most ${MOST_BYTES} bytes of dirty log`,
    `${size} bytes`,
  );
}

function imagesNamed(
  folder: string,
  names: string[],
  read: (name: string) => Promise<Uint8Array>,
): ObservedImages {
  const files = new Map<number, string>();
  if (names.includes(STAGE)) {
    throw new UsageError(
      `${folder}: log was cut off while it wrote here, and its images may be of two runs; run it again`,
    );
  }
  for (const name of names.sort()) {
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
    read: (number) => read(files.get(number)!),
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
