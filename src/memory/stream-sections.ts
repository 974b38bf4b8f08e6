/**
 * The sections of a QEMU migration stream (migration/savevm.c) up to the one of RAM. All numbers
 * are big endian.
 */

import type { RandomAccess } from "../bytes/source.ts";
import { atByte, RecordingError } from "../model/place.ts";
import { readWhole } from "./guest-image.ts";

const QEMU_VM_SECTION_START = 0x01;
const QEMU_VM_SECTION_FULL = 0x04;
const QEMU_VM_SUBSECTION = 0x05;
const QEMU_VM_CONFIGURATION = 0x07;
const QEMU_VM_COMMAND = 0x08;
const MAGIC = 0x5145564d;
const STREAM_VERSION = 3;
const RAM_VERSION = 4;
/** How far behind a section of unknown length the one of RAM is looked for. */
const SEARCHED = 1 << 20;
const MOST_SECTIONS = 1024;
const LONGEST_NAME = 255;

/** Reads big-endian fields of a file in order. */
export class StreamCursor {
  readonly name: string;
  readonly access: RandomAccess;
  /** Of the next byte. */
  at = 0;
  #fieldAt = 0;

  constructor(name: string, access: RandomAccess) {
    this.name = name;
    this.access = access;
  }

  /** An error at the field that was read last. */
  error(expected: string, found?: string): RecordingError {
    return new RecordingError({ file: this.name, at: atByte(this.#fieldAt) }, expected, found);
  }

  async bytes(count: number, what: string): Promise<Uint8Array> {
    this.#fieldAt = this.at;
    const bytes = new Uint8Array(count);
    if (!(await readWhole(this.access, bytes, this.at))) {
      throw this.error(`the ${what} in a migration stream`, "the end of the file");
    }
    this.at += count;
    return bytes;
  }

  async #view(count: number, what: string): Promise<DataView> {
    return new DataView((await this.bytes(count, what)).buffer);
  }

  async u8(what: string): Promise<number> {
    return (await this.#view(1, what)).getUint8(0);
  }

  async u16(what: string): Promise<number> {
    return (await this.#view(2, what)).getUint16(0);
  }

  async u32(what: string): Promise<number> {
    return (await this.#view(4, what)).getUint32(0);
  }

  /** Throws RecordingError beyond 2^53. */
  async u64(what: string): Promise<number> {
    const value = Number((await this.#view(8, what)).getBigUint64(0));
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    throw this.error(`a ${what} below 2^53`, `0x${value.toString(16)}`);
  }

  /** A name of `length` bytes. */
  async text(length: number): Promise<string> {
    return new TextDecoder("latin1").decode(await this.bytes(length, "name"));
  }
}

/** What precedes the RAM section. */
export interface StreamStart {
  machine: string;
  /** Those that QEMU checks on the other side: mapped-ram, x-ignore-shared. */
  capabilities: string[];
}

/**
 * Moves the cursor to the payload of the RAM section's START. A section whose length only its
 * device knows may come before it (early setup of virtio-mem); then the bytes behind are searched
 * for the RAM section's header. Throws RecordingError when there is none.
 */
export async function findRamSection(cursor: StreamCursor): Promise<StreamStart> {
  const start: StreamStart = { machine: "", capabilities: [] };
  if ((await cursor.u32("magic")) !== MAGIC) throw cursor.error("a QEMU migration stream (QEVM)");
  const version = await cursor.u32("version");
  if (version !== STREAM_VERSION) {
    throw cursor.error(`a migration stream of version ${STREAM_VERSION}`, `${version}`);
  }
  for (let sections = 0; sections < MOST_SECTIONS; sections += 1) {
    const type = await cursor.u8("section");
    if (type === QEMU_VM_CONFIGURATION) await readConfiguration(cursor, start);
    else if (type === QEMU_VM_COMMAND) {
      await cursor.u16("command");
      const length = await cursor.u16("length of a command");
      cursor.at += length;
    } else if (type === QEMU_VM_SECTION_START || type === QEMU_VM_SECTION_FULL) {
      if (await isRam(cursor, type)) return start;
      await searchRam(cursor);
      return start;
    } else {
      throw cursor.error("a section before RAM", `type 0x${type.toString(16)}`);
    }
  }
  throw cursor.error(`the section of RAM among the first ${MOST_SECTIONS}`);
}

/** Reads a section's header: id, name, instance, version. */
async function isRam(cursor: StreamCursor, type: number): Promise<boolean> {
  await cursor.u32("section id");
  const name = await cursor.text(await cursor.u8("length of a section's name"));
  await cursor.u32("instance");
  const version = await cursor.u32("version of a section");
  if (name !== "ram" || type !== QEMU_VM_SECTION_START) return false;
  if (version !== RAM_VERSION) throw cursor.error(`RAM of version ${RAM_VERSION}`, `${version}`);
  return true;
}

/** vmstate_configuration: the machine's name, then subsections, of which three are known. */
async function readConfiguration(cursor: StreamCursor, start: StreamStart): Promise<void> {
  const length = await cursor.u32("length of the machine's name");
  if (length > LONGEST_NAME) throw cursor.error("a machine's name", `${length} bytes`);
  start.machine = await cursor.text(length);
  while ((await cursor.u8("section")) === QEMU_VM_SUBSECTION) {
    const name = await cursor.text(await cursor.u8("length of a subsection's name"));
    await cursor.u32("version of a subsection");
    if (name === "configuration/capabilities") await readCapabilities(cursor, start);
    else if (name === "configuration/target-page-bits") await cursor.u32("target page bits");
    else if (name === "configuration/uuid") await cursor.bytes(16, "UUID");
    else throw cursor.error("a known part of the configuration", JSON.stringify(name));
  }
  cursor.at -= 1;
}

async function readCapabilities(cursor: StreamCursor, start: StreamStart): Promise<void> {
  const count = await cursor.u32("number of capabilities");
  if (count > LONGEST_NAME) throw cursor.error("a number of capabilities", `${count}`);
  for (let index = 0; index < count; index += 1) {
    const name = await cursor.text(await cursor.u8("length of a capability's name"));
    start.capabilities.push(name);
  }
}

/** `ram`, instance 0, version 4, as the header of a section has it behind its id. */
const RAM_HEADER = [3, 0x72, 0x61, 0x6d, 0, 0, 0, 0, 0, 0, 0, RAM_VERSION];
const ID_BYTES = 4;

async function searchRam(cursor: StreamCursor): Promise<void> {
  const from = cursor.at;
  const size = Math.max(0, Math.min(SEARCHED, cursor.access.size - from));
  const bytes = await cursor.bytes(size, "section of RAM");
  for (let at = 0; at + 1 + ID_BYTES + RAM_HEADER.length <= size; at += 1) {
    if (bytes[at] !== QEMU_VM_SECTION_START) continue;
    const header = at + 1 + ID_BYTES;
    if (!RAM_HEADER.every((byte, index) => bytes[header + index] === byte)) continue;
    cursor.at = from + header + RAM_HEADER.length;
    return;
  }
  throw cursor.error(`the section of RAM in the ${SEARCHED} bytes behind`, "none");
}
