/**
 * tar archives, by offset: where each regular file lies. ustar and pax of POSIX (pax(1), "ustar
 * Interchange Format" and "pax Interchange Format"), long names and large sizes of GNU tar (its manual,
 * "Basic Tar Format"). Ours, because a library gives members as streams in order, and a trace.dat in an
 * archive is read by offset.
 */
import { atByte, RecordingError } from "../model/place.ts";
import { type Head, latin1 } from "./head.ts";
import { rangeSource } from "./range.ts";
import type { RandomAccess, Source } from "./source.ts";

const BLOCK = 512;
/** Of a long name and of a pax header; real ones have a few hundred bytes. */
const EXTENSION_LIMIT = 1 << 20;
const MEMBER_LIMIT = 100_000;

/** A regular file in an archive. */
export interface TarMember {
  /** The path, as it stands in the archive. */
  readonly name: string;
  /** Of its first byte in the archive. */
  readonly offset: number;
  /** Bytes that are there: fewer than the header says where the archive is cut off. */
  readonly size: number;
  readonly cut: boolean;
}

/** Whether a file begins with a header block whose checksum is right. */
export function isTar({ bytes }: Head): boolean {
  return bytes.length >= BLOCK && isHeader(bytes.subarray(0, BLOCK));
}

/** A member as a source; `archive` stays open, it is the caller's. */
export function tarMemberSource(file: string, archive: RandomAccess, member: TarMember): Source {
  const name = `${file}/${member.name.replace(/^(?:\.?\/)+/, "")}`;
  return rangeSource(name, archive, member.offset, member.offset + member.size);
}

/**
 * The regular files of an archive, in their order. An archive that is cut off or damaged gives those
 * before the damage. Throws RecordingError when there is no header at the start, and for more than
 * 100,000 members.
 */
export async function tarMembers(file: string, archive: RandomAccess): Promise<TarMember[]> {
  const members: TarMember[] = [];
  let at = 0;
  let extended: Extended = {};
  for (;;) {
    const block = await bytesAt(archive, at, BLOCK);
    if (block.length < BLOCK || !isHeader(block)) {
      if (at > 0) return members;
      throw new RecordingError({ file, at: "" }, "a tar archive", "no header");
    }
    const type = String.fromCharCode(block[156] ?? 0);
    const size = extended.size ?? number(block.subarray(124, 136));
    const start = at + BLOCK;
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    if (type === "L" || type === "x") {
      const text = await bytesAt(archive, start, Math.min(size, EXTENSION_LIMIT));
      extended = { ...extended, ...(type === "L" ? { name: untilNul(text) } : paxOf(text)) };
      continue;
    }
    if (type === "g" || type === "K") continue;
    if (type === "0" || type === "\0" || type === "7") {
      if (members.length === MEMBER_LIMIT) {
        throw new RecordingError({ file, at: atByte(start) }, `at most ${MEMBER_LIMIT} members`);
      }
      const there = Math.max(0, Math.min(size, archive.size - start));
      const name = extended.name ?? nameOf(block);
      members.push({ name, offset: start, size: there, cut: there < size });
    }
    extended = {};
  }
}

/** What an extension says of the member behind it. */
interface Extended {
  name?: string;
  size?: number;
}

async function bytesAt(access: RandomAccess, offset: number, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  const got = await access.readAt(bytes, offset);
  return bytes.subarray(0, got);
}

/** The checksum is the sum of the header's bytes, its own eight taken as blanks. */
function isHeader(block: Uint8Array): boolean {
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  const stated = /^[ \0]*([0-7]{1,7})[ \0]/.exec(latin1(block.subarray(148, 157)));
  return stated !== null && Number.parseInt(stated[1]!, 8) === sum && block[0] !== 0;
}

/** Octal text; binary where the first bit is set (GNU tar, above 8 GiB). */
function number(field: Uint8Array): number {
  if (((field[0] ?? 0) & 0x80) === 0) {
    return Number.parseInt(untilNul(field).trim() || "0", 8) || 0;
  }
  let value = (field[0] ?? 0) & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function nameOf(block: Uint8Array): string {
  const name = untilNul(block.subarray(0, 100));
  const prefix =
    latin1(block.subarray(257, 262)) === "ustar" ? untilNul(block.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Records `LENGTH KEY=VALUE\n`, of which path and size are used. */
function paxOf(bytes: Uint8Array): Extended {
  const found: Extended = {};
  for (let at = 0; at < bytes.length; ) {
    const digits = /^(\d{1,7}) /.exec(latin1(bytes.subarray(at, at + 9)));
    const length = Number(digits?.[1] ?? 0);
    if (length <= (digits?.[0].length ?? 0)) break;
    const record = new TextDecoder().decode(
      bytes.subarray(at + digits![0].length, at + length - 1),
    );
    const equals = record.indexOf("=");
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === "path") found.name = value;
    if (key === "size" && /^\d{1,15}$/.test(value)) found.size = Number(value);
    at += length;
  }
  return found;
}
