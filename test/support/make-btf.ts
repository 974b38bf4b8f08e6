/** Builds BTF blobs for tests, type by type, after include/uapi/linux/btf.h. */

export interface TypeWords {
  name: string;
  kind: number;
  /** vlen of the info word; members bring theirs. */
  entries?: number;
  packed?: boolean;
  sizeOrType: number;
  rest?: (number | string)[];
}

/** A blob; strings in `rest` become offsets. `base` is what it is split from. */
export function makeBtf(
  types: readonly TypeWords[],
  base: { stringBytes: number } | null = null,
): Uint8Array<ArrayBuffer> {
  const strings: number[] = base ? [] : [0];
  const first = base?.stringBytes ?? 0;
  const offsets = new Map<string, number>([["", 0]]);
  const offsetOf = (text: string): number => {
    const known = offsets.get(text);
    if (known !== undefined) return known;
    const offset = first + strings.length;
    strings.push(...new TextEncoder().encode(text), 0);
    offsets.set(text, offset);
    return offset;
  };
  const words = types.flatMap(({ name, kind, entries = 0, packed, sizeOrType, rest = [] }) => [
    offsetOf(name),
    ((packed ? 0x80000000 : 0) + kind * 0x1000000 + entries) >>> 0,
    sizeOrType,
    ...rest.map((word) => (typeof word === "string" ? offsetOf(word) : word)),
  ]);
  const bytes = new Uint8Array(24 + 4 * words.length + strings.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xeb9f, true);
  view.setUint8(2, 1);
  view.setUint32(4, 24, true);
  view.setUint32(12, 4 * words.length, true);
  view.setUint32(16, 4 * words.length, true);
  view.setUint32(20, strings.length, true);
  words.forEach((word, index) => {
    view.setUint32(24 + 4 * index, word, true);
  });
  bytes.set(strings, 24 + 4 * words.length);
  return bytes;
}

/** A member: name, type, and its offset in bits, or with the width of a bit-field above it. */
export type Member = [name: string, type: number, offset: number];

export const int = (name: string, size: number): TypeWords => ({
  name,
  kind: 1,
  sizeOrType: size,
  rest: [8 * size],
});
export const pointer = (to: number): TypeWords => ({ name: "", kind: 2, sizeOrType: to });
export const array = (type: number, count: number): TypeWords => ({
  name: "",
  kind: 3,
  sizeOrType: 0,
  rest: [type, 0, count],
});
export const struct = (
  name: string,
  size: number,
  members: Member[],
  options: { union?: boolean; packed?: boolean } = {},
): TypeWords => ({
  name,
  kind: options.union ? 5 : 4,
  entries: members.length,
  packed: options.packed ?? false,
  sizeOrType: size,
  rest: members.flat(),
});
export const typedef = (name: string, type: number): TypeWords => ({
  name,
  kind: 8,
  sizeOrType: type,
});
export const func = (name: string, proto: number): TypeWords => ({
  name,
  kind: 12,
  sizeOrType: proto,
});
export const proto = (returns: number, parameters: [string, number][]): TypeWords => ({
  name: "",
  kind: 13,
  entries: parameters.length,
  sizeOrType: returns,
  rest: parameters.flat(),
});
