import { decodeText } from "./cursor.ts";

/** A few distinct probe addresses are asked for, over and over. */
const CACHE_LIMIT = 1024;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Symbol lookup in the text of /proc/kallsyms, `ffffffffc0671c40 t vhost_poll_wakeup\t[vhost]` a
 * line in no order. The text stays bytes: as a map it would be many times its size. `load` is
 * called at the first lookup; null: there are no symbols.
 */
export function symbolLookup(
  load: () => Promise<Uint8Array | null>,
): (address: bigint) => Promise<string | null> {
  let loading: Promise<Uint8Array | null> | undefined;
  const known = new Map<bigint, string | null>();
  return async (address) => {
    const cached = known.get(address);
    if (cached !== undefined) return cached;
    loading ??= load();
    const text = await loading;
    const found = text === null ? null : functionAt(text, address);
    if (known.size === CACHE_LIMIT) known.clear();
    known.set(address, found);
    return found;
  };
}

/**
 * The name of the symbol with the highest address that is not above `address`, if it is a
 * function (type t or w); null otherwise, and where the kernel hid the addresses
 * (kptr_restrict shows them as 0). One pass over the text; every address has as many digits as
 * the first, because the kernel pads them (`%px`, kernel/kallsyms.c s_show()).
 */
export function functionAt(text: Uint8Array, address: bigint): string | null {
  // Digits are checked of the answer alone, of all lines only where that one has others.
  const found = highestBelow(text, address, false);
  if (found === null || isAddress(text, found.at, found.digits)) return nameOf(text, found);
  return nameOf(text, highestBelow(text, address, true));
}

interface Line {
  at: number;
  digits: number;
  isFunction: boolean;
}

function nameOf(text: Uint8Array, line: Line | null): string | null {
  return line?.isFunction ? nameAt(text, line.at + line.digits + 3) : null;
}

function highestBelow(text: Uint8Array, address: bigint, strict: boolean): Line | null {
  const digits = text.indexOf(SPACE);
  const hex = address.toString(16);
  if (digits < 1 || digits > 16) return null;
  // An address above all that these digits can tell is above every symbol.
  const padded = hex.length > digits ? "f".repeat(digits) : hex.padStart(digits, "0");
  const want = Uint8Array.from(padded, (c) => c.charCodeAt(0));
  // Where the best line so far starts, and whether it is a function.
  let best = -1;
  let bestIsFunction = false;
  for (let at = 0; at + digits + 3 < text.length; ) {
    // Padded digits compare as text: no number is made of a line (measured: a fifth of the time).
    if (text[at + digits] === SPACE && text[at + digits + 2] === SPACE) {
      const order = best < 0 ? 1 : compare(text, at, text, best, digits);
      if (
        order >= 0 &&
        compare(text, at, want, 0, digits) <= 0 &&
        (!strict || isAddress(text, at, digits))
      ) {
        const isFunction = isFunctionType(text[at + digits + 1]!);
        if (order > 0 || (isFunction && !bestIsFunction)) {
          best = at;
          bestIsFunction = isFunction;
        }
      }
    }
    const newline = text.indexOf(NEWLINE, at);
    if (newline < 0) break;
    at = newline + 1;
  }
  return best < 0 ? null : { at: best, digits, isFunction: bestIsFunction };
}

/** Below 0, 0 or above 0, as the bytes at `a` are below, equal to or above those at `b`. */
function compare(left: Uint8Array, a: number, right: Uint8Array, b: number, count: number): number {
  for (let i = 0; i < count; i++) {
    const difference = left[a + i]! - right[b + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Lower-case hex digits, not all 0. */
function isAddress(text: Uint8Array, at: number, digits: number): boolean {
  let any = false;
  for (let i = at; i < at + digits; i++) {
    const byte = text[i]!;
    if (!((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))) return false;
    if (byte !== 0x30) any = true;
  }
  return any;
}

function nameAt(text: Uint8Array, start: number): string {
  let end = start;
  while (end < text.length && end - start < 512) {
    const byte = text[end]!;
    if (byte === NEWLINE || byte === TAB || byte === SPACE || byte === 0) break;
    end++;
  }
  return decodeText(text.subarray(start, end));
}

function isFunctionType(byte: number): boolean {
  const letter = byte | 0x20;
  return letter === 0x74 || letter === 0x77;
}
