/** Where the members of a structure lie. */
import { type Btf, BtfKind } from "./btf.ts";

/** A member, found. */
export interface Layout {
  /** Bytes from the start of the structure. */
  offset: number;
  /** Bytes; null for a type that has none (a function, a structure that is only declared). */
  size: number | null;
}

/** Deeper nesting than any kernel's: a typedef or an anonymous union that contains itself. */
const MAX_DEPTH = 32;

const TRANSPARENT: ReadonlySet<number> = new Set([
  BtfKind.Typedef,
  BtfKind.Volatile,
  BtfKind.Const,
  BtfKind.Restrict,
  BtfKind.TypeTag,
]);

/** A type without typedefs and qualifiers. Throws RecordingError; null for one without end. */
export function resolve(btf: Btf, id: number): number | null {
  let type = id;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (!TRANSPARENT.has(btf.kind(type))) return type;
    type = btf.sizeOrType(type);
  }
  return null;
}

/** Bytes of a type; null when it has no size. Pointers have 8: only 64-bit kernels are read. */
export function sizeOf(btf: Btf, id: number, depth = 0): number | null {
  const type = resolve(btf, id);
  if (type === null || depth > MAX_DEPTH) return null;
  switch (btf.kind(type)) {
    case BtfKind.Int:
    case BtfKind.Enum:
    case BtfKind.Enum64:
    case BtfKind.Float:
    case BtfKind.Struct:
    case BtfKind.Union:
      return btf.sizeOrType(type);
    case BtfKind.Ptr:
      return 8;
    case BtfKind.Array: {
      const { type: element, count } = btf.arrayOf(type);
      const size = sizeOf(btf, element, depth + 1);
      return size === null ? null : size * count;
    }
    default:
      return null;
  }
}

/**
 * Looks a member up by name, also inside anonymous structures and unions. A text says why there is
 * none: no such structure, no such member, a bit-field (a probe reads whole bytes).
 */
export function memberOf(btf: Btf, structure: string, member: string): Layout | string {
  const kinds = [BtfKind.Struct, BtfKind.Union];
  const own = btf.find(structure, kinds);
  const id = own ?? btf.base?.find(structure, kinds) ?? null;
  if (id === null) return `no struct ${structure} in the BTF of ${btf.name}`;
  return (
    within(btf, id, member, 0, structure) ?? `struct ${structure} has no member ${member} here`
  );
}

function within(
  btf: Btf,
  id: number,
  member: string,
  depth: number,
  structure: string,
): Layout | string | null {
  if (depth > MAX_DEPTH) return null;
  for (const { name, type, bitOffset, bits } of btf.members(id)) {
    if (name === member) {
      if (bits > 0 || bitOffset % 8 !== 0) return `${structure}.${member} is a bit-field`;
      return { offset: bitOffset / 8, size: sizeOf(btf, type) };
    }
    if (name !== "") continue;
    const kind = btf.kind(type);
    if (kind !== BtfKind.Struct && kind !== BtfKind.Union) continue;
    const found = within(btf, type, member, depth + 1, structure);
    if (found === null || typeof found === "string") {
      if (found !== null) return found;
      continue;
    }
    return { offset: found.offset + bitOffset / 8, size: found.size };
  }
  return null;
}
