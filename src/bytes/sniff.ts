/**
 * What kind of file this is, told from its first bytes: `docs/formats`. The rows of KINDS are
 * tried in order and the first that matches wins: magic numbers first, then text, then what only
 * looks like something.
 */

import { looksLikeFtraceText, looksLikeQemuLog } from "./sniff-text.ts";

export type SniffedFormat =
  | "gzip"
  | "zstd"
  | "xz"
  | "trace-dat"
  | "ftrace-text"
  | "ndjson"
  | "qemu-log"
  | "qemu-simple"
  | "perf-data"
  | "perfetto"
  | "ctf"
  | "elf"
  | "kdump"
  | "migration-stream"
  | "utf16le"
  | "utf16be"
  | "empty"
  | "unknown";

export interface Sniffed {
  format: SniffedFormat;
  /** The variant: `7` for trace.dat version 7, `trace-cmd report`, `perf script` … */
  detail?: string;
}

/** How many bytes of the beginning `sniff` looks at. */
export const SNIFF_BYTES = 65536;
const SNIFF_LINES = 50;
const LINE_LIMIT = 1024;

interface Head {
  bytes: Uint8Array;
  /** The first lines, as latin1. */
  lines: string[];
}

interface Kind {
  format: SniffedFormat;
  /** The variant when the head is of this kind (empty when there are none), null when it is not. */
  matches(head: Head): string | null;
}

const KINDS: readonly Kind[] = [
  { format: "empty", matches: (head) => (head.bytes.length === 0 ? "" : null) },
  { format: "gzip", matches: magic([0x1f, 0x8b, 0x08]) },
  { format: "zstd", matches: zstdFrame },
  { format: "xz", matches: magic([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) },
  { format: "trace-dat", matches: traceDat },
  { format: "perf-data", matches: magic("PERFILE2", "2ELIFREP", "PERFFILE") },
  { format: "qemu-simple", matches: simpletrace },
  { format: "elf", matches: magic([0x7f, 0x45, 0x4c, 0x46]) },
  { format: "kdump", matches: magic("KDUMP   ", "DISKDUMP", "makedumpfile\0") },
  { format: "migration-stream", matches: magic("QEVM\0\0\0\x02", "QEVM\0\0\0\x03") },
  {
    format: "ctf",
    matches: magic(
      "/* CTF ",
      [0xc1, 0x1f, 0xfc, 0xc1],
      [0xc1, 0xfc, 0x1f, 0xc1],
      [0x57, 0x1d, 0xd1, 0x75],
      [0x75, 0xd1, 0x1d, 0x57],
    ),
  },
  { format: "utf16le", matches: magic([0xff, 0xfe]) },
  { format: "utf16be", matches: magic([0xfe, 0xff]) },
  { format: "perfetto", matches: perfetto },
  { format: "ndjson", matches: jsonObject },
  { format: "ftrace-text", matches: (head) => looksLikeFtraceText(head.lines) },
  { format: "qemu-log", matches: (head) => looksLikeQemuLog(head.lines) },
];

/**
 * Tells what kind of file begins with these bytes. `head` is the beginning of the file: all of it
 * or at least 64 KiB; more is ignored. Never throws; `unknown` when no row of the table matches.
 */
export function sniff(head: Uint8Array): Sniffed {
  const bytes = head.subarray(0, SNIFF_BYTES);
  const seen: Head = { bytes, lines: firstLines(bytes) };
  for (const kind of KINDS) {
    const detail = kind.matches(seen);
    if (detail !== null) return detail === "" ? { format: kind.format } : toDetailed(kind, detail);
  }
  return { format: "unknown" };
}

function toDetailed(kind: Kind, detail: string): Sniffed {
  return { format: kind.format, detail };
}

function firstLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  let start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (start < bytes.length && lines.length < SNIFF_LINES) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    lines.push(latin1(bytes.subarray(start, Math.min(end, start + LINE_LIMIT))));
    start = end + 1;
  }
  return lines;
}

/** One character a byte: names in a trace are bytes, not UTF-8. At most a few thousand bytes. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function magic(...signatures: (string | readonly number[])[]): (head: Head) => string | null {
  const all = signatures.map((signature) =>
    typeof signature === "string"
      ? Array.from(signature, (character) => character.charCodeAt(0))
      : signature,
  );
  return ({ bytes }) =>
    all.some((signature) => signature.every((byte, i) => bytes[i] === byte)) ? "" : null;
}

/** RFC 8878: a Zstandard frame, or one of the sixteen kinds of skippable frames. */
function zstdFrame({ bytes }: Head): string | null {
  const [a = 0, b, c, d] = bytes;
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return "";
  return (a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18 ? "" : null;
}

/** trace-cmd.dat.v7(5): 17 08 44, `tracing`, the version as text and a NUL. */
function traceDat({ bytes }: Head): string | null {
  if (latin1(bytes.subarray(0, 10)) !== "\x17\x08\x44tracing") return null;
  return /^\d+/.exec(latin1(bytes.subarray(10, 18)))?.[0] ?? "";
}

/** trace/simple.c of QEMU: the header's event id ~0, then the magic number, in host order. */
function simpletrace({ bytes }: Head): string | null {
  if (bytes.length < 24 || bytes.subarray(0, 8).some((byte) => byte !== 0xff)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 24);
  for (const littleEndian of [true, false]) {
    if (view.getBigUint64(8, littleEndian) === 0xf2b177cb0aa429b4n) {
      const version = view.getBigUint64(16, littleEndian).toString();
      return littleEndian ? version : `${version} big-endian`;
    }
  }
  return null;
}

/** trace.proto of Perfetto: nothing but length-delimited fields number 1, one a packet. */
function perfetto({ bytes }: Head): string | null {
  if (!bytes.subarray(0, 256).some((byte) => byte < 9)) return null;
  let at = 0;
  for (let packets = 0; packets < 4 && at < bytes.length; packets++) {
    if (bytes[at] !== 0x0a) return null;
    let length = 0;
    let scale = 1;
    let byte = 0x80;
    for (at++; byte >= 0x80; at++, scale *= 128) {
      byte = bytes[at] ?? 0xff;
      if (scale > 128 ** 4) return null;
      length += (byte & 0x7f) * scale;
    }
    // The first field of a packet: a number from 1 on, with one of the wire types in use.
    const tag = bytes[at];
    if (tag !== undefined && (tag < 8 || ![0, 1, 2, 5].includes(tag & 7))) return null;
    at += length;
  }
  return "";
}

/** A JSON object: `{`, then a name or the end of the object. */
function jsonObject({ lines }: Head): string | null {
  const first = lines.find((line) => line.trim() !== "");
  return first !== undefined && /^\s*\{\s*(?:"|\}|$)/.test(first) ? "" : null;
}
