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
 * (kptr_restrict shows them as 0). One pass over the text.
 */
export function functionAt(text: Uint8Array, address: bigint): string | null {
  // Addresses are compared in halves: a BigInt a line would be most of the work.
  const wantHigh = Number(BigInt.asUintN(32, address >> 32n));
  const wantLow = Number(BigInt.asUintN(32, address));
  let bestHigh = 0;
  let bestLow = 0;
  let bestAt = -1;
  let bestIsFunction = false;
  let at = 0;
  while (at < text.length) {
    const newline = text.indexOf(NEWLINE, at);
    const end = newline < 0 ? text.length : newline;
    let high = 0;
    let low = 0;
    let digits = 0;
    let pos = at;
    for (; pos < end; pos++) {
      const digit = hexDigit(text[pos]!);
      if (digit < 0) break;
      high = ((high << 4) | (low >>> 28)) >>> 0;
      low = ((low << 4) | digit) >>> 0;
      digits++;
    }
    const readable =
      digits > 0 && digits <= 16 && text[pos] === SPACE && text[pos + 2] === SPACE && pos + 3 < end;
    const notAbove = high < wantHigh || (high === wantHigh && low <= wantLow);
    if (readable && notAbove && (high !== 0 || low !== 0)) {
      const same = high === bestHigh && low === bestLow;
      const higher = high > bestHigh || (high === bestHigh && low > bestLow);
      const isFunction = isFunctionType(text[pos + 1]!);
      if (higher || (same && isFunction && !bestIsFunction)) {
        bestHigh = high;
        bestLow = low;
        bestAt = pos + 3;
        bestIsFunction = isFunction;
      }
    }
    at = end + 1;
  }
  return bestIsFunction ? nameAt(text, bestAt) : null;
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

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
