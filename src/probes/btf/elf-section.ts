/** Finds a section of an ELF file by name: kernel modules and an unpacked vmlinux carry `.BTF`. */
import { atByte, RecordingError } from "../../model/place.ts";

const SECTION_HEADER = 64;

/** ELF magic (gABI 4, e_ident). */
export function looksLikeElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Unpacks zlib, up to `size` bytes. */
export type Inflate = (bytes: Uint8Array, size: number) => Uint8Array;

const SHT_NOBITS = 8;
const SHF_COMPRESSED = 0x800n;
const ELFCOMPRESS_ZLIB = 1;
/** Of an unpacked section. */
const MOST_UNPACKED = 2n ** 30n;

/**
 * The bytes of a section, unpacked where it is compressed; null when the file has none of this name, or, as a
 * debug file, not its bytes. Throws RecordingError for a file that is not 64-bit little-endian ELF, whose
 * tables point outside of it, or whose section is compressed in a way that cannot be read.
 */
export function elfSection(
  bytes: Uint8Array,
  file: string,
  wanted: string,
  inflate?: Inflate,
): Uint8Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const broken = (at: number, expected: string, found?: string): RecordingError =>
    new RecordingError({ file, at: atByte(at) }, expected, found);
  if (bytes.length < 64) throw broken(0, "an ELF header of 64 bytes", `${bytes.length} bytes`);
  if (bytes[4] !== 2 || bytes[5] !== 1) throw broken(4, "64-bit little-endian ELF");
  const table = view.getBigUint64(40, true);
  const entry = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  const names = view.getUint16(62, true);
  if (count === 0) return null;
  if (entry !== SECTION_HEADER || names >= count) throw broken(58, "a table of section headers");
  if (table + BigInt(count * entry) > BigInt(bytes.length)) {
    throw broken(40, `a section table within ${bytes.length} bytes`, `${table}`);
  }
  const content = (index: number): Uint8Array => {
    const at = Number(table) + index * SECTION_HEADER;
    const offset = view.getBigUint64(at + 24, true);
    const size = view.getBigUint64(at + 32, true);
    if (offset + size > BigInt(bytes.length)) {
      throw broken(at, `a section within ${bytes.length} bytes`, `its end at ${offset + size}`);
    }
    return bytes.subarray(Number(offset), Number(offset + size));
  };
  const strings = content(names);
  for (let index = 1; index < count; index++) {
    const from = view.getUint32(Number(table) + index * SECTION_HEADER, true);
    const end = strings.indexOf(0, from);
    if (end < 0) throw broken(Number(table) + index * SECTION_HEADER, "a section name that ends");
    if (new TextDecoder().decode(strings.subarray(from, end)) !== wanted) continue;
    const at = Number(table) + index * SECTION_HEADER;
    if (view.getUint32(at + 4, true) === SHT_NOBITS) return null;
    const found = content(index);
    if ((view.getBigUint64(at + 8, true) & SHF_COMPRESSED) === 0n) return found;
    // Elf64_Chdr: type, padding, size, alignment.
    const packed = new DataView(found.buffer, found.byteOffset, found.byteLength);
    const size = found.length < 24 ? MOST_UNPACKED + 1n : packed.getBigUint64(8, true);
    if (!inflate || size > MOST_UNPACKED || packed.getUint32(0, true) !== ELFCOMPRESS_ZLIB) {
      throw broken(at, `${wanted} that is not compressed, or with zlib`);
    }
    return inflate(found.subarray(24), Number(size));
  }
  return null;
}
