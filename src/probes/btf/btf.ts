/**
 * Reads BTF, the type information that a kernel carries about itself: layout after
 * Documentation/bpf/btf.rst and include/uapi/linux/btf.h. Bytes in, answers out; every access is
 * checked against the section that it lies in, whatever the bytes say.
 */
import { atByte, RecordingError } from "../../model/place.ts";

/** enum of include/uapi/linux/btf.h. */
export const BtfKind = {
  Void: 0,
  Int: 1,
  Ptr: 2,
  Array: 3,
  Struct: 4,
  Union: 5,
  Enum: 6,
  Fwd: 7,
  Typedef: 8,
  Volatile: 9,
  Const: 10,
  Restrict: 11,
  Func: 12,
  FuncProto: 13,
  Var: 14,
  Datasec: 15,
  Float: 16,
  DeclTag: 17,
  TypeTag: 18,
  Enum64: 19,
} as const;

/** Bytes behind the 12 of struct btf_type: fixed ones, and for each of its vlen entries. */
const EXTRA: readonly (readonly [fixed: number, perEntry: number])[] = [
  [0, 0], // never in a file
  [4, 0],
  [0, 0],
  [12, 0],
  [0, 12],
  [0, 12],
  [0, 8],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 8],
  [4, 0],
  [0, 12],
  [0, 0],
  [4, 0],
  [0, 0],
  [0, 12],
];

const MAGIC = 0xeb9f;
const MIN_HEADER = 24;
const TYPE_BYTES = 12;

export interface BtfMember {
  name: string;
  type: number;
  /** From the start of the structure. */
  bitOffset: number;
  /** Width of a bit-field; 0 for an ordinary member. */
  bits: number;
}

export interface BtfParameter {
  name: string;
  type: number;
}

/** Does a file start like BTF? Both byte orders, so that the wrong one can be told as such. */
export function looksLikeBtf(bytes: Uint8Array): boolean {
  const [a, b] = bytes;
  return (a === 0x9f && b === 0xeb) || (a === 0xeb && b === 0x9f);
}

/**
 * One BTF blob. That of a module is split: its type ids and string offsets go on where those of
 * its base (vmlinux) end.
 */
export class Btf {
  readonly name: string;
  readonly base: Btf | null;
  /** The first type id that this blob defines. */
  readonly firstId: number;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #offsets: Uint32Array;
  readonly #strings: Uint8Array;
  readonly #firstString: number;

  /**
   * Reads header and type index. `name` stands in error messages. Throws RecordingError for bytes
   * that are no BTF, are cut short, or have a kind of type that is not known.
   */
  constructor(bytes: Uint8Array, name: string, base: Btf | null = null) {
    this.name = name;
    this.base = base;
    this.#bytes = bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = view;
    if (bytes.length < MIN_HEADER) {
      throw this.#broken(0, "BTF", bytes.length === 0 ? "an empty file" : `${bytes.length} bytes`);
    }
    if (view.getUint16(0) === MAGIC) {
      throw this.#broken(0, "little-endian BTF", "big-endian BTF");
    }
    if (view.getUint16(0, true) !== MAGIC) {
      throw this.#broken(0, "BTF (magic 0xeb9f)", `0x${view.getUint16(0, true).toString(16)}`);
    }
    if (bytes[2] !== 1) throw this.#broken(2, "BTF version 1", `version ${bytes[2]}`);
    const header = view.getUint32(4, true);
    if (header < MIN_HEADER || header > bytes.length) {
      throw this.#broken(4, "a header length within the file", `${header}`);
    }
    const [types, typesEnd] = this.#section(header, 8);
    const [strings, stringsEnd] = this.#section(header, 16);
    this.#strings = bytes.subarray(strings, stringsEnd);
    if (this.#strings.length > 0 && this.#strings[this.#strings.length - 1] !== 0) {
      throw this.#broken(stringsEnd - 1, "strings that end with a zero byte");
    }
    this.#firstString = base ? base.stringEnd : 0;
    this.firstId = base ? base.endId : 1;
    this.#offsets = this.#index(types, typesEnd);
  }

  /** One more than the last type id. */
  get endId(): number {
    return this.firstId + this.#offsets.length;
  }

  /** One more than the last string offset. */
  get stringEnd(): number {
    return this.#firstString + this.#strings.length;
  }

  #section(header: number, field: number): [number, number] {
    const start = header + this.#view.getUint32(field, true);
    const end = start + this.#view.getUint32(field + 4, true);
    if (end > this.#bytes.length) {
      throw this.#broken(
        field,
        `a section within ${this.#bytes.length} bytes`,
        `its end at ${end}`,
      );
    }
    return [start, end];
  }

  #index(start: number, end: number): Uint32Array {
    let offsets = new Uint32Array(1024);
    let count = 0;
    for (let at = start; at < end; count++) {
      if (end - at < TYPE_BYTES) throw this.#broken(at, "a type of at least 12 bytes");
      const info = this.#view.getUint32(at + 4, true);
      const extra = EXTRA[(info >>> 24) & 0x1f];
      if (!extra || ((info >>> 24) & 0x1f) === 0) {
        throw this.#broken(at, "a kind of BTF type up to 19", `${(info >>> 24) & 0x1f}`);
      }
      if (count === offsets.length) {
        const grown = new Uint32Array(2 * count);
        grown.set(offsets);
        offsets = grown;
      }
      offsets[count] = at;
      at += TYPE_BYTES + extra[0] + extra[1] * (info & 0xffff);
      if (at > end) throw this.#broken(offsets[count] ?? at, "a type that ends within its section");
    }
    return offsets.slice(0, count);
  }

  #broken(offset: number, expected: string, found?: string): RecordingError {
    return new RecordingError({ file: this.name, at: atByte(offset) }, expected, found);
  }

  /** The blob that defines a type id, and where in it. */
  #locate(id: number): { btf: Btf; at: number } {
    if (this.base && id < this.firstId) return this.base.#locate(id);
    const at = this.#offsets[id - this.firstId];
    if (at === undefined) {
      throw this.#broken(
        0,
        `type ids below ${this.endId}`,
        `${id} (is its base another kernel's?)`,
      );
    }
    return { btf: this, at };
  }

  /** Kind of a type; 0 (void) for id 0. Throws RecordingError for an id beyond the last. */
  kind(id: number): number {
    if (id === 0) return BtfKind.Void;
    const { btf, at } = this.#locate(id);
    return (btf.#view.getUint32(at + 4, true) >>> 24) & 0x1f;
  }

  /** Name of a type, empty for an anonymous one. */
  nameOf(id: number): string {
    if (id === 0) return "void";
    const { btf, at } = this.#locate(id);
    return btf.#string(btf.#view.getUint32(at, true), at);
  }

  /** The word that is a size for some kinds and a type id for others. */
  sizeOrType(id: number): number {
    const { btf, at } = this.#locate(id);
    return btf.#view.getUint32(at + 8, true);
  }

  /** Element type and number of elements of an array. */
  arrayOf(id: number): { type: number; count: number } {
    const { btf, at } = this.#locate(id);
    return {
      type: btf.#view.getUint32(at + TYPE_BYTES, true),
      count: btf.#view.getUint32(at + TYPE_BYTES + 8, true),
    };
  }

  /** Members of a structure or union, as they stand; anonymous ones have an empty name. */
  members(id: number): BtfMember[] {
    const { btf, at } = this.#locate(id);
    const info = btf.#view.getUint32(at + 4, true);
    const members: BtfMember[] = [];
    for (let entry = 0; entry < (info & 0xffff); entry++) {
      const from = at + TYPE_BYTES + 12 * entry;
      const offset = btf.#view.getUint32(from + 8, true);
      // kind_flag: the upper byte is then the width of a bit-field (BTF_MEMBER_BITFIELD_SIZE).
      const packed = info >>> 31 === 1;
      members.push({
        name: btf.#string(btf.#view.getUint32(from, true), from),
        type: btf.#view.getUint32(from + 4, true),
        bitOffset: packed ? offset & 0xffffff : offset,
        bits: packed ? offset >>> 24 : 0,
      });
    }
    return members;
  }

  /** Parameters of a function prototype. A variadic one ends with an unnamed parameter of type 0. */
  parameters(proto: number): BtfParameter[] {
    const { btf, at } = this.#locate(proto);
    const count = btf.#view.getUint32(at + 4, true) & 0xffff;
    return Array.from({ length: count }, (_, entry) => {
      const from = at + TYPE_BYTES + 8 * entry;
      return {
        name: btf.#string(btf.#view.getUint32(from, true), from),
        type: btf.#view.getUint32(from + 4, true),
      };
    });
  }

  /**
   * The first type of one of these kinds with this name that this blob itself defines; null when
   * there is none.
   */
  find(name: string, kinds: readonly number[]): number | null {
    const wanted = new TextEncoder().encode(name);
    for (let index = 0; index < this.#offsets.length; index++) {
      const at = this.#offsets[index] ?? 0;
      if (!kinds.includes((this.#view.getUint32(at + 4, true) >>> 24) & 0x1f)) continue;
      if (this.#spells(this.#view.getUint32(at, true), wanted)) return this.firstId + index;
    }
    return null;
  }

  #spells(offset: number, wanted: Uint8Array): boolean {
    if (this.base && offset < this.#firstString) return this.base.#spells(offset, wanted);
    const from = offset - this.#firstString;
    for (let index = 0; index < wanted.length; index++) {
      if (this.#strings[from + index] !== wanted[index]) return false;
    }
    return this.#strings[from + wanted.length] === 0;
  }

  #string(offset: number, at: number): string {
    if (this.base && offset < this.#firstString) return this.base.#string(offset, at);
    const from = offset - this.#firstString;
    const end = from < this.#strings.length ? this.#strings.indexOf(0, from) : -1;
    if (end < 0) throw this.#broken(at, "a name within the strings", `string offset ${offset}`);
    return new TextDecoder().decode(this.#strings.subarray(from, end));
  }
}
