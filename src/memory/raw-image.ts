/** Raw guest memory: what QMP `pmemsave` writes, pages from an address on with nothing around. */

import type { RandomAccess } from "../bytes/source.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import { RecordingError } from "../model/place.ts";
import { type GuestImage, segmentImage } from "./guest-image.ts";

/**
 * Opens a file as guest memory from guest-physical address `base` on. Owns `access` from then on.
 * Throws RecordingError when it is not a whole number of pages or empty: it is no memory then.
 */
export function openRawImage(name: string, access: RandomAccess, base: number): GuestImage {
  if (access.size === 0 || access.size % PAGE_BYTES !== 0) {
    throw new RecordingError(
      { file: name, at: "" },
      "guest memory: an ELF file of dump-guest-memory, a mapped-ram migration file, or raw pages",
      `${access.size} bytes of something else`,
    );
  }
  const format = `raw memory from 0x${base.toString(16)}`;
  return segmentImage(name, format, access, [{ gpa: base, size: access.size, offset: 0 }], []);
}
