/** A program as uprobes need it: symbols, their code, and where an address lies in the file. */
import { atByte, RecordingError } from "../model/place.ts";
import { elfSection, type Inflate, looksLikeElf } from "./btf/elf-section.ts";

const EM_X86_64 = 62;
const PT_LOAD = 1;
const SYMBOL = 24;
const STT_FUNC = 2;

/** A function of the program. */
export interface ElfFunction {
  address: number;
  size: number;
}

/** A 64-bit little-endian ELF file (gABI). */
export class ElfImage {
  readonly file: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #inflate: Inflate | undefined;
  readonly #functions = new Map<string, ElfFunction>();

  /** Throws RecordingError for a file that is no program for x86-64, or whose tables are broken. */
  constructor(bytes: Uint8Array, file: string, inflate?: Inflate) {
    this.file = file;
    this.#inflate = inflate;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!looksLikeElf(bytes)) throw this.#broken(0, "an ELF file");
    // Checks header and section table as well.
    this.#addSymbols(".dynsym", ".dynstr");
    if (this.#view.getUint16(18, true) !== EM_X86_64) {
      throw this.#broken(18, "a program for x86-64 (uprobes of back ends know its registers)");
    }
    this.#addSymbols(".symtab", ".strtab");
  }

  #broken(at: number, expected: string): RecordingError {
    return new RecordingError({ file: this.file, at: atByte(at) }, expected);
  }

  #addSymbols(table: string, strings: string): void {
    const symbols = elfSection(this.#bytes, this.file, table);
    const names = elfSection(this.#bytes, this.file, strings);
    if (!symbols || !names) return;
    const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
    for (let at = 0; at + SYMBOL <= symbols.length; at += SYMBOL) {
      const kind = symbols[at + 4]! & 15;
      const address = Number(view.getBigUint64(at + 8, true));
      if (kind !== STT_FUNC || address === 0) continue;
      const from = view.getUint32(at, true);
      const end = names.indexOf(0, from);
      if (end < 0) continue;
      const name = new TextDecoder().decode(names.subarray(from, end));
      this.#functions.set(name, { address, size: Number(view.getBigUint64(at + 16, true)) });
    }
  }

  #debug: ElfImage | null = null;

  /** A section of the program, or of its debug file. */
  debugSection(name: string): Uint8Array | null {
    return this.section(name) ?? this.#debug?.section(name) ?? null;
  }

  /** Takes over the functions and the DWARF of a debug file of the same build. */
  addDebug(debug: ElfImage): void {
    this.#debug = debug;
    for (const [name, found] of debug.#functions) {
      if (!this.#functions.has(name)) this.#functions.set(name, found);
    }
  }

  /** The function of this name; null when no table has it. */
  function(name: string): ElfFunction | null {
    return this.#functions.get(name) ?? null;
  }

  get functions(): number {
    return this.#functions.size;
  }

  /** `.note.gnu.build-id` in hex; null without one. */
  get buildId(): string | null {
    const note = elfSection(this.#bytes, this.file, ".note.gnu.build-id");
    if (!note || note.length <= 16) return null;
    return Array.from(note.subarray(16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** Where an address lies in the file, which is what uprobe_events takes; null: in no segment. */
  fileOffset(address: number): number | null {
    const table = Number(this.#view.getBigUint64(32, true));
    const entry = this.#view.getUint16(54, true);
    const count = this.#view.getUint16(56, true);
    for (let i = 0; i < count; i++) {
      const at = table + i * entry;
      if (at + 56 > this.#bytes.length) return null;
      if (this.#view.getUint32(at, true) !== PT_LOAD) continue;
      const start = Number(this.#view.getBigUint64(at + 16, true));
      const size = Number(this.#view.getBigUint64(at + 32, true));
      if (address < start || address >= start + size) continue;
      return address - start + Number(this.#view.getBigUint64(at + 8, true));
    }
    return null;
  }

  /** At most `size` bytes of code at an address; empty where there are none. */
  code(address: number, size: number): Uint8Array {
    const offset = this.fileOffset(address);
    return offset === null ? new Uint8Array() : this.#bytes.subarray(offset, offset + size);
  }

  /** A section by its name; null when there is none. */
  section(name: string): Uint8Array | null {
    return elfSection(this.#bytes, this.file, name, this.#inflate);
  }
}
