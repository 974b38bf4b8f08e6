/** From a file the user names to an image of guest memory: told from its first bytes. */

import { unwrap } from "../bytes/decompress.ts";
import { describeFormat } from "../bytes/describe-format.ts";
import type { SniffedFormat } from "../bytes/sniff.ts";
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

/** What may be raw memory: its first bytes look like nothing, or by chance like one of these. */
const MAY_BE_RAW: ReadonlySet<SniffedFormat> = new Set([
  "unknown",
  "perfetto",
  "utf16le",
  "utf16be",
  "empty",
]);

/**
 * Opens an ELF dump, a mapped-ram migration file or raw memory, compressed or not. What cannot be
 * read by offset (compressed, a pipe) is spooled. Throws RecordingError for everything else.
 */
export async function openGuestImage(
  source: Source,
  surroundings: Surroundings,
  options: ImageOptions = {},
): Promise<GuestImage> {
  const { access, format, description } = await accessTo(source, surroundings);
  try {
    if (format === "elf") return await openElfDump(source.name, access);
    if (format === "migration-stream") {
      if (!options.map) {
        throw new RecordingError(
          { file: source.name, at: "" },
          "a memory map with it (--mtree FILE, the answer to info mtree -f)",
          "a migration file, whose pages have offsets in RAM blocks",
        );
      }
      return await mappedRamImage(await openMappedRam(source.name, access), options.map);
    }
    if (format === "kdump") {
      throw new RecordingError(
        { file: source.name, at: "" },
        "an ELF dump (dump-guest-memory without -z, -l, -s, -w and -R)",
        "a kdump-compressed one",
      );
    }
    if (!MAY_BE_RAW.has(format)) {
      throw new RecordingError({ file: source.name, at: "" }, "guest memory", description);
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
  const { access, format, description } = await accessTo(source, surroundings);
  try {
    if (format === "migration-stream") return await openMappedRam(source.name, access);
    throw new RecordingError(
      { file: source.name, at: "" },
      "a migration file with the capability mapped-ram",
      description,
    );
  } catch (error) {
    access.close();
    throw error;
  }
}

async function accessTo(
  source: Source,
  surroundings: Surroundings,
): Promise<{ access: RandomAccess; format: SniffedFormat; description: string }> {
  const unwrapped = await unwrap(source);
  const { format, sniffed, compression } = unwrapped;
  const what = compression.length > 0 ? "is compressed" : "cannot be read by offset";
  const access =
    unwrapped.random() ??
    (await surroundings.spool(
      source.name,
      unwrapped.stream(),
      `${source.name} ${what}: it is copied to a temporary file`,
    ));
  return { access, format, description: describeFormat(sniffed).name };
}
