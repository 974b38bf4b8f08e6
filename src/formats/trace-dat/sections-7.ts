/** Sections of a version 7 file: trace-cmd.dat.v7(5). */
import { atByte, type Place, RecordingError } from "../../model/place.ts";
import type { Cursor } from "./cursor.ts";
import { cursorAt, frameCursor, type SeekableFile } from "./decompress.ts";

export const SECTION_HEADER_BYTES = 16;
const FLAG_COMPRESSED = 1;

export interface Section {
  id: number;
  compressed: boolean;
  /** Of what follows the header; `end` is as stated, and may lie behind the end of the file. */
  start: number;
  end: number;
  place: Place;
}

/**
 * Reads a section's header: u16 id, u16 flags, u32 description, u64 size of what follows. `named` is
 * where the offset was found.
 */
export async function readHeader(
  file: SeekableFile,
  offset: number,
  named: Place,
): Promise<Section> {
  const header = cursorAt(file, offset, offset + SECTION_HEADER_BYTES, named);
  const place = header.place();
  const id = await header.u16("a section's id");
  const flags = await header.u16("a section's flags");
  await header.u32("a section's description");
  const size = await header.size("a section's size");
  const start = offset + SECTION_HEADER_BYTES;
  return { id, compressed: (flags & FLAG_COMPRESSED) !== 0, start, end: start + size, place };
}

/** Reads the header of the section `id`, which is to be whole. */
export async function readSection(
  file: SeekableFile,
  offset: number,
  id: number,
  named: Place,
): Promise<Section> {
  const section = await readHeader(file, offset, named);
  const { place, start, end } = section;
  if (section.id !== id) throw new RecordingError(place, `section ${id}`, `section ${section.id}`);
  if (end > file.random.size) {
    const found = `${file.random.size - start} to the end`;
    throw new RecordingError(place, `${end - start} bytes of section ${id}`, found);
  }
  return section;
}

/** What is in a section, uncompressed. */
export async function openSection(file: SeekableFile, section: Section): Promise<Cursor> {
  const cursor = cursorAt(file, section.start, section.end, section.place);
  return section.compressed ? frameCursor(cursor, file) : cursor;
}

/** Bytes behind a damaged header in which the next one is looked for. */
const LOOKED_AT = 1 << 20;
/** Damaged headers behind which is looked: each may cost that many bytes. */
const MOST_DAMAGE = 16;
/** Descriptions are offsets into a table of texts. */
const MOST_DESCRIPTION = 1 << 20;

/**
 * The sections one after the other, as trace-cmd writes them, from `first` on, each with its offset. Behind a
 * damaged header they go on at the next that another one follows, or the end of the file.
 */
export async function* sectionsInOrder(
  file: SeekableFile,
  first: number,
): AsyncGenerator<{ offset: number; section: Section }> {
  let damage = 0;
  for (let offset: number | null = first; offset !== null; ) {
    const section: Section | null = await headerAt(file, offset);
    if (section) {
      yield { offset, section };
      offset = section.end;
    } else offset = damage++ < MOST_DAMAGE ? await nextHeader(file, offset + 1) : null;
  }
}

/** The section whose header is at `offset`; null: there is none. */
async function headerAt(file: SeekableFile, offset: number): Promise<Section | null> {
  if (offset + SECTION_HEADER_BYTES > file.random.size) return null;
  const bytes = new Uint8Array(SECTION_HEADER_BYTES);
  await file.random.readAt(bytes, offset);
  const header = new DataView(bytes.buffer);
  if (!plausible(header, 0, file)) return null;
  return readHeader(file, offset, { file: file.name, at: atByte(offset) });
}

/** Whether this may be a header: options, a buffer, or what trace-cmd 3 writes besides (16 to 22). */
function plausible(view: DataView, at: number, file: SeekableFile): boolean {
  const little = !file.bigEndian;
  const id = view.getUint16(at, little);
  return (
    (id === 0 || id === 3 || (id >= 16 && id <= 22)) &&
    view.getUint16(at + 2, little) <= FLAG_COMPRESSED &&
    view.getUint32(at + 4, little) < MOST_DESCRIPTION &&
    view.getBigUint64(at + 8, little) <= BigInt(Number.MAX_SAFE_INTEGER)
  );
}

/** Where the next header is, in the bytes from `from` on. */
async function nextHeader(file: SeekableFile, from: number): Promise<number | null> {
  const { size } = file.random;
  const bytes = new Uint8Array(Math.max(0, Math.min(LOOKED_AT, size - from)));
  await file.random.readAt(bytes, from);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + SECTION_HEADER_BYTES <= bytes.length; at++) {
    if (!plausible(view, at, file)) continue;
    const length = Number(view.getBigUint64(at + 8, !file.bigEndian));
    const end = from + at + SECTION_HEADER_BYTES + length;
    // Zeros look like the header of an empty section.
    if (length > 0 && (end === size || (await headerAt(file, end)))) return from + at;
  }
  return null;
}
