/** The program of a back end on this host, with the symbols of its debug file. */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { inflateSync } from "node:zlib";
import { UsageError } from "../../model/place.ts";
import { type BackEndName, backEndLines } from "../../probes/back-ends.ts";
import { ElfImage } from "../../probes/elf-image.ts";

/** A program is read as a whole. */
const MOST_BYTES = 2 ** 30;
const DEBUG_FILES = "/usr/lib/debug/.build-id";

export interface BackEndProbes {
  backEnd: BackEndName;
  /** With links resolved, as uprobe_events wants it. */
  binary: string;
  buildId: string | null;
  /** Lines for uprobe_events. */
  lines: string[];
}

/** DWARF that a distribution compresses; what is longer than it says is damaged. */
function inflate(bytes: Uint8Array, size: number): Uint8Array {
  return inflateSync(bytes, { maxOutputLength: Math.max(size, 1) });
}

/** Throws UsageError and RecordingError. */
export function backEndProbes(backEnd: BackEndName, binary: string): BackEndProbes {
  const path = pathOf(binary);
  const image = new ElfImage(readFileSync(path), path, inflate);
  const { buildId } = image;
  if (buildId !== null) {
    const debug = `${DEBUG_FILES}/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
    if (existsSync(debug) && statSync(debug).size <= MOST_BYTES) {
      image.addDebug(new ElfImage(readFileSync(debug), debug, inflate));
    }
  }
  return { backEnd, binary: path, buildId, lines: backEndLines(backEnd, image, path) };
}

function pathOf(binary: string): string {
  let path: string;
  try {
    path = realpathSync(binary);
  } catch {
    throw new UsageError(`--binary: ${binary}: no such file`);
  }
  const { size } = statSync(path);
  if (!statSync(path).isFile()) throw new UsageError(`--binary: ${binary}: not a file`);
  if (size > MOST_BYTES)
    throw new UsageError(`--binary: ${binary}: larger than ${MOST_BYTES} bytes`);
  // uprobe_events reads up to the next blank, and takes the last colon for the offset's.
  if (/[\s:]/.test(path))
    throw new UsageError(`--binary: ${path}: a path without blanks and colons`);
  return path;
}
