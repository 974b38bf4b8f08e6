/** From a file the user names to an image of guest memory: told from its first bytes. */

import { unwrap } from "../bytes/decompress.ts";
import { foreignKind } from "../bytes/foreign.ts";
import { type Head, mayBeText } from "../bytes/head.ts";
import {
  isElf,
  isKdump,
  isMigrationStream,
  simpletraceHeader,
  traceDatVersion,
} from "../bytes/signatures.ts";
import type { RandomAccess, Source, Surroundings } from "../bytes/source.ts";
import { RecordingError } from "../model/place.ts";
import { openElfDump } from "./elf-dump.ts";
import type { GuestImage } from "./guest-image.ts";
import { type MappedRamFile, openMappedRam } from "./mapped-ram.ts";
import { mappedRamImage } from "./mapped-ram-image.ts";
import type { MemoryMap } from "./memory-map.ts";
import { openRawImage } from "./raw-image.ts";

export interface ImageOptions {
  /** Guest-physical address of the first byte of raw memory. */
  base?: number;
  /** For mapped-ram files, which have offsets in RAM blocks. */
  map?: MemoryMap;
}

/**
 * What a file is that cannot be raw memory, for an error; null: it may be. An empty file may, and what
 * only looks like a Perfetto trace or a zip: memory begins with any bytes.
 */
function noMemory(head: Head): string | null {
  const kind = foreignKind(head);
  if (kind) return CHANCE.has(kind.name) ? null : kind.phrase;
  if (traceDatVersion(head) !== null) return "a trace.dat of trace-cmd";
  if (simpletraceHeader(head) !== null) return "a simpletrace file of QEMU";
  return mayBeText(head) && !head.bytes.includes(0) ? "text" : null;
}

const CHANCE: ReadonlySet<string> = new Set(["empty", "perfetto"]);

/**
 * Opens an ELF dump, a mapped-ram migration file or raw memory, compressed or not. What cannot be
 * read by offset (compressed, a pipe) is spooled. Throws RecordingError for everything else.
 */
export async function openGuestImage(
  source: Source,
  surroundings: Surroundings,
  options: ImageOptions = {},
): Promise<GuestImage> {
  const { access, head } = await accessTo(source, surroundings);
  try {
    if (isElf(head)) return await openElfDump(source.name, access);
    if (isMigrationStream(head)) {
      if (!options.map) {
        throw new RecordingError(
          { file: source.name, at: "" },
          "a memory map with it (--mtree FILE, the answer to info mtree -f)",
          "a migration file, whose pages have offsets in RAM blocks",
        );
      }
      return await mappedRamImage(await openMappedRam(source.name, access), options.map);
    }
    if (isKdump(head)) {
      throw new RecordingError(
        { file: source.name, at: "" },
        "an ELF dump (dump-guest-memory without -z, -l, -s, -w and -R)",
        "a kdump-compressed one",
      );
    }
    const other = noMemory(head);
    if (other !== null) {
      throw new RecordingError({ file: source.name, at: "" }, "guest memory", other);
    }
    return openRawImage(source.name, access, options.base ?? 0);
  } catch (error) {
    access.close();
    throw error;
  }
}

/**
 * Opens a mapped-ram migration file for its bitmaps. The caller closes `access` of the result.
 * Throws RecordingError when it is none.
 */
export async function openSentPages(
  source: Source,
  surroundings: Surroundings,
): Promise<MappedRamFile> {
  const { access, head } = await accessTo(source, surroundings);
  try {
    if (isMigrationStream(head)) return await openMappedRam(source.name, access);
    throw new RecordingError(
      { file: source.name, at: "" },
      "a migration file with the capability mapped-ram",
      foreignKind(head)?.phrase ?? noMemory(head) ?? "another file",
    );
  } catch (error) {
    access.close();
    throw error;
  }
}

async function accessTo(
  source: Source,
  surroundings: Surroundings,
): Promise<{ access: RandomAccess; head: Head }> {
  const unwrapped = await unwrap(source);
  const { head, compression } = unwrapped;
  const what = compression.length > 0 ? "is compressed" : "cannot be read by offset";
  const access =
    unwrapped.random() ??
    (await surroundings.spool(
      source.name,
      unwrapped.stream(),
      `${source.name} ${what}: it is copied to a temporary file`,
    ));
  return { access, head };
}
