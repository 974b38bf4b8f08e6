/**
 * Offsets of members of structures, from the DWARF that a compiler leaves in a program: versions 2 to 5, of
 * gcc and clang. Only what leads to a structure and its members is read; everything else is skipped by
 * its form. DWARF 5, 7.5.
 */
import { RecordingError } from "../model/place.ts";

/** Sections of a program, by name; null: it has none. */
export type Sections = (name: string) => Uint8Array | null;

/** Offsets in bytes by structure and member; a member that the structure does not have is missing. */
export type Offsets = ReadonlyMap<string, ReadonlyMap<string, number>>;

const TAG_MEMBER = 0x0d;
const TAG_STRUCTURE = 0x13;
const AT_NAME = 0x03;
const AT_LOCATION = 0x38;
const AT_DECLARATION = 0x3c;
const AT_STR_OFFSETS_BASE = 0x72;
/** DW_OP_plus_uconst: how versions 2 and 3 say an offset. */
const OP_PLUS = 0x23;

const FORM_IMPLICIT = 0x21;
const FORM_INDIRECT = 0x16;
/** Bytes of the forms that have always the same. */
const FIXED: Readonly<Record<number, number>> = {
  ...{ 5: 2, 6: 4, 7: 8, 11: 1, 12: 1, 17: 1, 18: 2, 19: 4, 20: 8, 25: 0, 28: 4, 30: 16 },
  ...{ 32: 8, 33: 0, 36: 8, 37: 1, 38: 2, 39: 3, 40: 4, 41: 1, 42: 2, 43: 3, 44: 4 },
};
/** Forms that are an offset into a section, of 4 or 8 bytes; those that are one LEB128 number. */
const OFFSETS: ReadonlySet<number> = new Set([0x0e, 0x17, 0x1d, 0x1f, 0x1f20, 0x1f21]);
const LEB: ReadonlySet<number> = new Set([0x0f, 0x15, 0x1a, 0x1b, 0x22, 0x23, 0x1f01, 0x1f02]);
const STRX: ReadonlySet<number> = new Set([0x1a, 0x25, 0x26, 0x27, 0x28, 0x1f02]);

interface Attribute {
  name: number;
  form: number;
  /** DW_FORM_implicit_const. */
  value: number;
}
interface Abbreviation {
  tag: number;
  children: boolean;
  attributes: Attribute[];
}

/** A cursor that throws at the end of its bytes. */
class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }
  skip(count: number): void {
    if (count < 0 || this.at + count > this.bytes.length)
      throw new RangeError("end of the section");
    this.at += count;
  }
  number(size: number): number {
    const from = this.at;
    this.skip(size);
    if (size === 8) return Number(this.#view.getBigUint64(from, true));
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.bytes[from + i]!;
    return value;
  }
  /** LEB128; signed ones are read over as well. */
  leb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.number(1);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
}

/** A structure whose members are read. */
interface Open {
  depth: number;
  members: Map<string, number>;
  names: readonly string[];
}

interface Unit {
  version: number;
  addressSize: number;
  offsetSize: number;
  end: number;
  strOffsetsBase: number;
  abbreviations: ReadonlyMap<number, Abbreviation>;
}

/**
 * The offsets of these members. Null: there is no DWARF. Throws RecordingError where it cannot be read; a
 * structure that no unit defines is not in the answer.
 */
export function memberOffsets(
  sections: Sections,
  file: string,
  wanted: ReadonlyMap<string, readonly string[]>,
): Offsets | null {
  const info = sections(".debug_info");
  const abbrev = sections(".debug_abbrev");
  if (!info || !abbrev || info.length === 0) return null;
  try {
    return new Walk(sections, info, abbrev, wanted).run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RecordingError({ file, at: "" }, "DWARF of version 2 to 5", error.message);
  }
}

class Walk {
  readonly #sections: Sections;
  readonly #info: Uint8Array;
  readonly #abbrev: Uint8Array;
  readonly #wanted: ReadonlyMap<string, readonly string[]>;
  readonly #found = new Map<string, Map<string, number>>();
  readonly #tables = new Map<number, Map<number, Abbreviation>>();

  constructor(
    sections: Sections,
    info: Uint8Array,
    abbrev: Uint8Array,
    wanted: ReadonlyMap<string, readonly string[]>,
  ) {
    this.#sections = sections;
    this.#info = info;
    this.#abbrev = abbrev;
    this.#wanted = wanted;
  }

  run(): Offsets {
    const reader = new Reader(this.#info);
    while (reader.at < this.#info.length && this.#found.size < this.#wanted.size) {
      this.#entries(reader, this.#unit(reader));
    }
    return this.#found;
  }

  /** A unit's header. */
  #unit(reader: Reader): Unit {
    const first = reader.number(4);
    const offsetSize = first === 0xffffffff ? 8 : 4;
    const length = offsetSize === 8 ? reader.number(8) : first;
    const end = reader.at + length;
    if (length === 0 || end > this.#info.length) throw new RangeError("a unit beyond the section");
    const version = reader.number(2);
    if (version < 2 || version > 5) throw new RangeError(`version ${version}`);
    const type = version === 5 ? reader.number(1) : 1;
    let addressSize = version === 5 ? reader.number(1) : 0;
    const abbreviations = this.#table(reader.number(offsetSize));
    if (version < 5) addressSize = reader.number(1);
    // Type units have a signature and an offset behind that, skeletons and split units their number.
    if (type === 2 || type === 6) reader.skip(8 + offsetSize);
    else if (type === 4 || type === 5) reader.skip(8);
    const strOffsetsBase = offsetSize === 8 ? 16 : 8;
    return { version, addressSize, offsetSize, end, strOffsetsBase, abbreviations };
  }

  #table(at: number): Map<number, Abbreviation> {
    const known = this.#tables.get(at);
    if (known) return known;
    const table = new Map<number, Abbreviation>();
    const reader = new Reader(this.#abbrev, at);
    for (let code = reader.leb(); code !== 0; code = reader.leb()) {
      const tag = reader.leb();
      const children = reader.number(1) !== 0;
      const attributes: Attribute[] = [];
      for (;;) {
        const [name, form] = [reader.leb(), reader.leb()];
        const value = form === FORM_IMPLICIT ? reader.leb() : 0;
        if (name === 0 && form === 0) break;
        attributes.push({ name, form, value });
      }
      table.set(code, { tag, children, attributes });
    }
    this.#tables.set(at, table);
    return table;
  }

  /** The entries of a unit: looks for structures that are wanted, and the members one level below. */
  #entries(reader: Reader, unit: Unit): void {
    let depth = 0;
    let open: Open | null = null;
    while (reader.at < unit.end) {
      const code = reader.leb();
      if (code === 0) {
        depth--;
        if (open && depth < open.depth) open = null;
        continue;
      }
      const entry = unit.abbreviations.get(code);
      if (!entry) throw new RangeError(`abbreviation ${code}`);
      const structure = entry.tag === TAG_STRUCTURE;
      const member = open !== null && depth === open.depth && entry.tag === TAG_MEMBER;
      const { name, offset, declared } = this.#attributes(reader, unit, entry, structure || member);
      if (member && open && offset !== null && open.names.includes(name)) {
        open.members.set(name, offset);
      }
      if (entry.children) depth++;
      const names: readonly string[] | undefined =
        structure && !declared ? this.#wanted.get(name) : undefined;
      if (names && entry.children && !this.#found.has(name)) {
        open = { depth, members: new Map(), names };
        this.#found.set(name, open.members);
      }
    }
  }

  #attributes(
    reader: Reader,
    unit: Unit,
    { attributes }: Abbreviation,
    wanted: boolean,
  ): { name: string; offset: number | null; declared: boolean } {
    const told = { name: "", offset: null as number | null, declared: false };
    for (const { name, form, value } of attributes) {
      const from = reader.at;
      this.#skip(reader, unit, form);
      const number = (): number => this.#number(from, reader.at, form, value);
      if (name === AT_STR_OFFSETS_BASE) unit.strOffsetsBase = number();
      if (!wanted) continue;
      if (name === AT_NAME) told.name = this.#string(from, reader.at, unit, form);
      else if (name === AT_LOCATION) told.offset = number();
      else if (name === AT_DECLARATION) told.declared = true;
    }
    return told;
  }

  #skip(reader: Reader, unit: Unit, form: number): void {
    reader.skip(this.#size(reader, unit, form));
  }

  /** Bytes that are left of a value, once its length is read, where it has one. */
  #size(reader: Reader, unit: Unit, form: number): number {
    const fixed = FIXED[form];
    if (fixed !== undefined) return fixed;
    if (OFFSETS.has(form)) return unit.offsetSize;
    if (LEB.has(form) || form === 0x0d) {
      reader.leb();
      return 0;
    }
    switch (form) {
      case 0x01:
        return unit.addressSize;
      case 0x03:
        return reader.number(2);
      case 0x04:
        return reader.number(4);
      case 0x08: {
        const end = this.#info.indexOf(0, reader.at);
        if (end < 0) throw new RangeError("a string without an end");
        return end + 1 - reader.at;
      }
      case 0x09:
      case 0x18:
        return reader.leb();
      case 0x0a:
        return reader.number(1);
      case 0x10:
        return unit.version === 2 ? unit.addressSize : unit.offsetSize;
      case FORM_INDIRECT:
        return this.#size(reader, unit, reader.leb());
      default:
        throw new RangeError(`form 0x${form.toString(16)}`);
    }
  }

  /** A constant, or the operand of an expression that adds one. */
  #number(from: number, to: number, form: number, implicit: number): number {
    if (form === FORM_IMPLICIT) return implicit;
    const reader = new Reader(this.#info, from);
    if (form === 0x0a || form === 0x09 || form === 0x18) {
      if (form === 0x0a) reader.skip(1);
      else reader.leb();
      if (reader.number(1) !== OP_PLUS) throw new RangeError("an offset that is computed");
      return reader.leb();
    }
    return LEB.has(form) || form === 0x0d ? reader.leb() : reader.number(to - from);
  }

  #string(from: number, to: number, unit: Unit, form: number): string {
    if (form === 0x08) return textAt(this.#info, from);
    const reader = new Reader(this.#info, from);
    if (STRX.has(form)) {
      const index = form === 0x1a || form === 0x1f02 ? reader.leb() : reader.number(to - from);
      const offsets = this.#sections(".debug_str_offsets");
      if (!offsets) return "";
      const entry = new Reader(offsets, unit.strOffsetsBase + index * unit.offsetSize);
      return textAt(this.#sections(".debug_str"), entry.number(unit.offsetSize));
    }
    const section = form === 0x1f ? ".debug_line_str" : form === 0x0e ? ".debug_str" : null;
    return section === null ? "" : textAt(this.#sections(section), reader.number(unit.offsetSize));
  }
}

/** Names of structures and members are short; others are no names that are asked for. */
const MOST_NAME = 64;

function textAt(bytes: Uint8Array | null, at: number): string {
  if (!bytes || at >= bytes.length) return "";
  let end = at;
  while (end < bytes.length && bytes[end] !== 0 && end - at < MOST_NAME) end++;
  return String.fromCharCode(...bytes.subarray(at, end));
}
