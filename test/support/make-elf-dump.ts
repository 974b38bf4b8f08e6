/** Writes ELF core files as dump-guest-memory does, and as it never would. */

/** A PT_LOAD header and its bytes. */
export interface LoadSegment {
  paddr: number | bigint;
  bytes: Uint8Array;
  /** Default: as many as there are bytes. */
  memsz?: number;
  /** Where the bytes are; default: behind those of the segments before. */
  offset?: number;
}

export interface ElfOptions {
  bits?: 32 | 64;
  bigEndian?: boolean;
  /** The number of program headers goes into section header 0 (PN_XNUM). */
  extended?: boolean;
  type?: number;
}

/** An ELF core file with a PT_NOTE header first. */
export function makeElfDump(segments: LoadSegment[], options: ElfOptions = {}): Uint8Array {
  const { bits = 64, bigEndian = false, extended = false, type = 4 } = options;
  const little = !bigEndian;
  const wide = bits === 64;
  const [ehsize, phentsize, shentsize] = wide ? [64, 56, 64] : [52, 32, 40];
  const phnum = segments.length + 1;
  const shoff = extended ? ehsize : 0;
  const phoff = ehsize + (extended ? shentsize : 0);
  let end = phoff + phnum * phentsize;
  const offsets = segments.map((segment) => {
    const offset = segment.offset ?? end;
    if (segment.offset === undefined) end += segment.bytes.length;
    return offset;
  });
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  const word = (at: number, value: number | bigint): void => {
    if (wide) view.setBigUint64(at, BigInt(value), little);
    else view.setUint32(at, Number(value), little);
  };
  file.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, bigEndian ? 2 : 1, 1]);
  view.setUint16(16, type, little);
  word(wide ? 32 : 28, phoff);
  word(wide ? 40 : 32, shoff);
  view.setUint16(wide ? 54 : 42, phentsize, little);
  view.setUint16(wide ? 56 : 44, extended ? 0xffff : phnum, little);
  if (extended) view.setUint32(shoff + (wide ? 44 : 28), phnum, little);
  view.setUint32(phoff, 4, little);
  segments.forEach((segment, index) => {
    const at = phoff + (index + 1) * phentsize;
    view.setUint32(at, 1, little);
    const [offset, paddr, filesz, memsz] = wide ? [8, 24, 32, 40] : [4, 12, 16, 20];
    word(at + offset!, offsets[index]!);
    word(at + paddr!, segment.paddr);
    word(at + filesz!, segment.bytes.length);
    word(at + memsz!, segment.memsz ?? segment.bytes.length);
    if (segment.offset === undefined) file.set(segment.bytes, offsets[index]);
  });
  return file;
}

/** Pages, each filled with one byte. */
export function pagesOf(...fill: number[]): Uint8Array {
  const bytes = new Uint8Array(fill.length * 4096);
  fill.forEach((value, index) => {
    bytes.fill(value, index * 4096, (index + 1) * 4096);
  });
  return bytes;
}
