/** Signatures of files that more than one room tells from others. */
import { type Head, latin1, magic } from "./head.ts";

/** trace-cmd.dat.v7(5): 17 08 44, `tracing`, the version as text and a NUL. Null: it is none. */
export function traceDatVersion({ bytes }: Head): string | null {
  if (latin1(bytes.subarray(0, 10)) !== "\x17\x08\x44tracing") return null;
  return /^\d+/.exec(latin1(bytes.subarray(10, 18)))?.[0] ?? "";
}

/** The header of a simpletrace. */
export interface SimpletraceHeader {
  version: string;
  bigEndian: boolean;
}

/** trace/simple.c of QEMU: the header's event id ~0, then the magic number, in host order. */
export function simpletraceHeader({ bytes }: Head): SimpletraceHeader | null {
  if (bytes.length < 24 || bytes.subarray(0, 8).some((byte) => byte !== 0xff)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 24);
  for (const littleEndian of [true, false]) {
    if (view.getBigUint64(8, littleEndian) === 0xf2b177cb0aa429b4n) {
      const version = view.getBigUint64(16, littleEndian).toString();
      return { version, bigEndian: !littleEndian };
    }
  }
  return null;
}

/** The byte order mark of UTF-16 text, as a PowerShell redirection writes it. */
export function utf16Mark({ bytes }: Head): "utf16le" | "utf16be" | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf16le";
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "utf16be" : null;
}

export const isElf = magic([0x7f, 0x45, 0x4c, 0x46]);
export const isKdump = magic("KDUMP   ", "DISKDUMP", "makedumpfile\0");
export const isMigrationStream = magic("QEVM\0\0\0\x02", "QEVM\0\0\0\x03");
