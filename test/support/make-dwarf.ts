/** DWARF of a few structures, as compilers write it, in a version and with the forms that are asked for. */
import type { ExtraSection } from "./make-elf.ts";

/** How a name is told: in place, in .debug_str, in .debug_line_str, by number. */
export type NameForm = "string" | "strp" | "line_strp" | "strx1";
/** How an offset is told: one byte, LEB128, in the abbreviation, an expression in a block. */
export type OffsetForm = "data1" | "udata" | "implicit_const" | "block1" | "exprloc";

export interface DwarfChoice {
  version: 2 | 3 | 4 | 5;
  names: NameForm;
  offsets: OffsetForm;
}

export type Structures = Readonly<Record<string, Readonly<Record<string, number>>>>;

const NAME_FORMS = { string: 0x08, strp: 0x0e, line_strp: 0x1f, strx1: 0x25 };
const OFFSET_FORMS = {
  data1: 0x0b,
  udata: 0x0f,
  implicit_const: 0x21,
  block1: 0x0a,
  exprloc: 0x18,
};

const bytesOf = (value: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) % 256);
const leb = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) | 128, ...leb(Math.floor(value / 128))];
const text = (name: string): number[] => [...new TextEncoder().encode(name), 0];

/** .debug_info and what belongs to it; each structure has a declaration in front and a nested one. */
export function makeDwarf(
  structures: Structures,
  { version, names, offsets }: DwarfChoice,
): ExtraSection[] {
  const strings: number[] = text("");
  const stringAt = (name: string): number => {
    const at = strings.length;
    strings.push(...text(name));
    return at;
  };
  const strOffsets: number[] = [];
  const name = (value: string): number[] => {
    if (names === "string") return text(value);
    const at = stringAt(value);
    if (names !== "strx1") return bytesOf(at, 4);
    strOffsets.push(...bytesOf(at, 4));
    return [strOffsets.length / 4 - 1];
  };
  const nameForm = NAME_FORMS[names];
  // 1 unit, 2 structure, 3 declaration, 4 array with a bound; members from 5 on.
  const unit = names === "strx1" ? [...leb(0x72), 0x17] : [];
  const abbrev = [
    ...[1, 0x11, 1, ...unit, 0x03, nameForm, 0, 0],
    ...[2, 0x13, 1, 0x03, nameForm, 0x0b, 0x0b, 0, 0],
    ...[3, 0x13, 0, 0x03, nameForm, 0x3c, 0x0c, 0, 0],
    ...[4, 0x01, 1, 0x49, 0x13, 0, 0, 5, 0x21, 0, 0x2f, 0x05, 0, 0],
  ];
  let next = 6;
  const member = (value: string, offset: number): number[] => {
    const code = next++;
    const implicit = offsets === "implicit_const" ? leb(offset) : [];
    abbrev.push(...[code, 0x0d, 0, 0x03, nameForm, 0x38, OFFSET_FORMS[offsets], ...implicit, 0, 0]);
    const told = {
      data1: [offset],
      udata: leb(offset),
      implicit_const: [],
      block1: [1 + leb(offset).length, 0x23, ...leb(offset)],
      exprloc: [1 + leb(offset).length, 0x23, ...leb(offset)],
    };
    return [...leb(code), ...name(value), ...told[offsets]];
  };
  const entries = Object.entries(structures).flatMap(([structure, members]) => [
    ...[3, ...name(structure), 1],
    ...[2, ...name(structure), 64],
    ...[4, ...bytesOf(0, 4), 5, 1, 0, 0],
    // A structure inside has members of the same names at other places.
    ...[2, ...name("inner"), 8, ...Object.keys(members).flatMap((each) => member(each, 7)), 0],
    ...Object.entries(members).flatMap(([each, offset]) => member(each, offset)),
    0,
  ]);
  const strBase = names === "strx1" ? bytesOf(8, 4) : [];
  const body = [1, ...strBase, ...name("like.c"), ...entries, 0];
  const header =
    version === 5
      ? [...bytesOf(5, 2), 1, 8, ...bytesOf(0, 4)]
      : [...bytesOf(version, 2), ...bytesOf(0, 4), 8];
  const info = [...bytesOf(header.length + body.length, 4), ...header, ...body];
  const section = (label: string, content: readonly number[]): ExtraSection => ({
    name: label,
    content: Uint8Array.from(content),
  });
  return [
    section(".debug_info", info),
    section(".debug_abbrev", [...abbrev, 0]),
    section(names === "line_strp" ? ".debug_line_str" : ".debug_str", strings),
    section(".debug_str_offsets", [...bytesOf(0, 8), ...strOffsets]),
  ];
}
