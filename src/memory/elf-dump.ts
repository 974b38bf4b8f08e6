/**
 * ELF files of QEMU's `dump-guest-memory` (dump/dump.c) and other core files whose PT_LOAD headers
 * give physical addresses: `System V ABI, chapter 5, Program Header`. Only headers are read; memory
 * is read where it lies.
 */

import type { RandomAccess } from "../bytes/source.ts";
import { atByte, RecordingError } from "../model/place.ts";
import { type GuestImage, readWhole, type Segment, segmentImage } from "./guest-image.ts";

const ET_CORE = 4;
const PT_LOAD = 1;
/** e_phnum says that the number is in sh_info of section 0 (gABI, "Extended Numbering"). */
const PN_XNUM = 0xffff;
/** Far more than a guest has parts of memory. */
const MOST_HEADERS = 1 << 20;
const HEADERS_AT_ONCE = 4096;

/** Offsets of the fields of one ELF class, in bytes. */
interface Layout {
  bits: 32 | 64;
  header: number;
  phoff: number;
  shoff: number;
  phentsize: number;
  phnum: number;
  program: { size: number; offset: number; paddr: number; filesz: number; memsz: number };
  section: { size: number; info: number };
}

const ELF32: Layout = {
  bits: 32,
  ...{ header: 52, phoff: 28, shoff: 32, phentsize: 42, phnum: 44 },
  program: { size: 32, offset: 4, paddr: 12, filesz: 16, memsz: 20 },
  section: { size: 40, info: 28 },
};
const ELF64: Layout = {
  bits: 64,
  ...{ header: 64, phoff: 32, shoff: 40, phentsize: 54, phnum: 56 },
  program: { size: 56, offset: 8, paddr: 24, filesz: 32, memsz: 40 },
  section: { size: 64, info: 44 },
};

/** A file with what its ELF identification says. */
interface Elf {
  name: string;
  access: RandomAccess;
  layout: Layout;
  littleEndian: boolean;
}

/**
 * Opens an ELF core file as an image of guest memory. Owns `access` from then on. Throws
 * RecordingError for what is no ELF core file, for a segment that ends behind the file's end, for
 * segments that give one address two contents, and for addresses beyond 2^53.
 */
export async function openElfDump(name: string, access: RandomAccess): Promise<GuestImage> {
  const identification = new Uint8Array(16);
  if (!(await readWhole(access, identification, 0))) throw notElf(name, "a shorter file");
  if (!isElf(identification)) throw notElf(name, "another file");
  const elf: Elf = { name, access, ...encodingOf(name, identification) };
  const header = await bytesAt(elf, 0, elf.layout.header, "ELF header");
  const type = header.getUint16(16, elf.littleEndian);
  if (type !== ET_CORE) {
    throw new RecordingError(
      { file: name, at: atByte(16) },
      "an ELF core file (ET_CORE)",
      `e_type ${type}`,
    );
  }
  const { segments, hollow } = await loadSegments(elf, header);
  const notes: string[] = [];
  if (hollow > 0)
    notes.push(`${hollow} bytes of its segments are not in the file and count as missing`);
  const order = elf.littleEndian ? "little" : "big";
  const format = `ELF dump (ELF${elf.layout.bits}, ${order} endian)`;
  return segmentImage(name, format, access, disjoint(name, segments), notes);
}

function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

function notElf(name: string, found: string): RecordingError {
  return new RecordingError({ file: name, at: "" }, "an ELF file", found);
}

function encodingOf(name: string, bytes: Uint8Array): { layout: Layout; littleEndian: boolean } {
  const layout = [undefined, ELF32, ELF64][bytes[4]!];
  if (!layout) {
    throw new RecordingError(
      { file: name, at: atByte(4) },
      "ELFCLASS32 or ELFCLASS64",
      `${bytes[4]}`,
    );
  }
  if (bytes[5] !== 1 && bytes[5] !== 2) {
    throw new RecordingError(
      { file: name, at: atByte(5) },
      "ELFDATA2LSB or ELFDATA2MSB",
      `${bytes[5]}`,
    );
  }
  return { layout, littleEndian: bytes[5] === 1 };
}

async function bytesAt(elf: Elf, offset: number, size: number, what: string): Promise<DataView> {
  const bytes = new Uint8Array(size);
  if (!(await readWhole(elf.access, bytes, offset))) {
    const found = `the end of the file at ${elf.access.size} bytes`;
    throw new RecordingError({ file: elf.name, at: atByte(offset) }, `the ${what}`, found);
  }
  return new DataView(bytes.buffer);
}

/** A field of the size of an address. */
function word(elf: Elf, view: DataView, at: number, fileOffset: number): number {
  if (elf.layout.bits === 32) return view.getUint32(at, elf.littleEndian);
  const value = Number(view.getBigUint64(at, elf.littleEndian));
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  const place = { file: elf.name, at: atByte(fileOffset) };
  throw new RecordingError(place, "a number below 2^53", `0x${value.toString(16)}`);
}

async function headerCount(elf: Elf, header: DataView): Promise<number> {
  const { layout, littleEndian } = elf;
  const phnum = header.getUint16(layout.phnum, littleEndian);
  if (phnum !== PN_XNUM) return phnum;
  const shoff = word(elf, header, layout.shoff, layout.shoff);
  const section = await bytesAt(elf, shoff, layout.section.size, "section header 0");
  return section.getUint32(layout.section.info, littleEndian);
}

/** Of PT_LOAD headers, those with contents; `hollow` counts bytes that are not in the file. */
async function loadSegments(
  elf: Elf,
  header: DataView,
): Promise<{ segments: (Segment & { header: number })[]; hollow: number }> {
  const { layout, littleEndian, name, access } = elf;
  const { program } = layout;
  const table = word(elf, header, layout.phoff, layout.phoff);
  const entry = header.getUint16(layout.phentsize, littleEndian);
  const count = await headerCount(elf, header);
  if (entry < program.size) {
    const place = { file: name, at: atByte(layout.phentsize) };
    throw new RecordingError(place, `e_phentsize of at least ${program.size}`, `${entry}`);
  }
  if (count > MOST_HEADERS) {
    const place = { file: name, at: atByte(layout.phnum) };
    throw new RecordingError(place, `at most ${MOST_HEADERS} program headers`, `${count}`);
  }
  const segments: (Segment & { header: number })[] = [];
  let hollow = 0;
  for (let done = 0; done < count; done += HEADERS_AT_ONCE) {
    const some = Math.min(HEADERS_AT_ONCE, count - done);
    const from = table + done * entry;
    const view = await bytesAt(elf, from, some * entry, "program headers");
    for (let at = 0; at < some * entry; at += entry) {
      if (view.getUint32(at, littleEndian) !== PT_LOAD) continue;
      const field = (offset: number) => word(elf, view, at + offset, from + at + offset);
      const [offset, size] = [field(program.offset), field(program.filesz)];
      hollow += Math.max(0, field(program.memsz) - size);
      if (size === 0) continue;
      const gpa = field(program.paddr);
      if (gpa + size > Number.MAX_SAFE_INTEGER) {
        const place = { file: name, at: atByte(from + at) };
        throw new RecordingError(place, "a segment that ends below 2^53", `0x${gpa.toString(16)}`);
      }
      if (offset + size > access.size) {
        throw new RecordingError(
          { file: name, at: atByte(from + at) },
          `memory from 0x${gpa.toString(16)} up to byte ${offset + size} of the file`,
          `a file of ${access.size} bytes: it is cut off`,
        );
      }
      segments.push({ gpa, size, offset, header: from + at });
    }
  }
  return { segments, hollow };
}

/**
 * Segments in ascending order without overlap. Dumps with paging have a header for every mapping,
 * so one part of memory may be in several of them; they must then mean the same bytes of the file.
 */
function disjoint(name: string, segments: (Segment & { header: number })[]): Segment[] {
  segments.sort((a, b) => a.gpa - b.gpa || b.size - a.size);
  const result: Segment[] = [];
  for (const { gpa, size, offset, header } of segments) {
    const before = result.at(-1);
    const end = before ? before.gpa + before.size : 0;
    if (!before || gpa >= end) {
      result.push({ gpa, size, offset });
      continue;
    }
    if (offset - gpa !== before.offset - before.gpa) {
      throw new RecordingError(
        { file: name, at: atByte(header) },
        "each address in one segment",
        `0x${gpa.toString(16)} in two with different bytes`,
      );
    }
    before.size = Math.max(before.size, gpa + size - before.gpa);
  }
  return result;
}
