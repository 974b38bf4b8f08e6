/**
 * Arguments of QEMU's trace events, by a pattern that the host compiled from the event's format
 * string in `trace-events`: literal text, a conversion, literal text … An event whose format
 * changed between versions has several patterns; the first that fits the whole line is taken.
 *
 * In the binary form (simpletrace) there is no text: every argument is 8 bytes, or a string with
 * its length in front.
 */
import { EVENT_SLOT } from "./abi";
import { take } from "./memory";
import { isDigit, SPACE } from "./number";
import { EventPlan } from "./plan";
import { intern } from "./string";

/** Conversions; the host's names for them are in src/qemu/pattern.ts. */
export enum Conversion {
  /** Nothing: literal text up to the end. */
  None = 0,
  /** %p: `0x…`, or `(nil)`. */
  Pointer,
  /** %x: hex digits. */
  Hex,
  /** %u. */
  Unsigned,
  /** %d. */
  Signed,
  /** %s: up to the literal that follows, or the end of the line. */
  Text,
}

@unmanaged
export class Pattern {
  next: usize;
  pieces: usize;
  count: u32;
  /** Bytes that the arguments have at least in the binary form. */
  bytes: u32;
}

@unmanaged
class Piece {
  /** Literal text in front of the conversion. */
  text: usize;
  length: u32;
  conversion: u32;
  /** Slot of the event, -1 when the value is not needed. */
  slot: i32;
}

/** Adds a pattern of `count` pieces to an event. Returns it, 0: no memory. */
export function addPattern(event: usize, count: u32): usize {
  let at = take(<u32>offsetof<Pattern>());
  if (!at) return 0;
  let pattern = changetype<Pattern>(at);
  pattern.count = count;
  pattern.pieces = take(max<u32>(count, 1) * <u32>offsetof<Piece>());
  if (!pattern.pieces) return 0;
  let plan = changetype<EventPlan>(event);
  if (!plan.patterns) plan.patterns = at;
  else {
    let last = changetype<Pattern>(plan.patterns);
    while (last.next) last = changetype<Pattern>(last.next);
    last.next = at;
  }
  return at;
}

/** Piece number `i`; `text` is a copy that the host made and that stays. */
export function setPiece(
  at: usize,
  i: u32,
  text: usize,
  length: u32,
  conversion: u32,
  slot: i32,
): void {
  let pattern = changetype<Pattern>(at);
  let piece = changetype<Piece>(pattern.pieces + i * offsetof<Piece>());
  piece.text = text;
  piece.length = length;
  piece.conversion = conversion;
  piece.slot = slot;
  if (conversion != Conversion.None) pattern.bytes += conversion == Conversion.Text ? 4 : 8;
}

let value: u64 = 0;

// @ts-ignore: decorator
@inline
function hexDigit(c: u32): u32 {
  if (isDigit(c)) return c - 0x30;
  c = (c | 0x20) - 0x61;
  return c < 6 ? c + 10 : 16;
}

/** Reads one value at `p`; returns where it ends, 0 when there is none. */
// @ts-ignore: decorator
@inline
function readValue(conversion: u32, p: usize, end: usize): usize {
  let start = p;
  let v: u64 = 0;
  if (conversion == Conversion.Pointer) {
    if (p + 2 < end && load<u16>(p) == 0x7830) {
      p += 2;
      start = p;
      conversion = Conversion.Hex;
    } else if (p + 5 <= end && load<u32>(p) == 0x6c696e28 && load<u8>(p + 4) == 0x29) {
      value = 0; // "(nil)"
      return p + 5;
    } else return 0;
  }
  if (conversion == Conversion.Hex) {
    while (p < end) {
      let digit = hexDigit(load<u8>(p));
      if (digit > 15) break;
      v = (v << 4) | digit;
      ++p;
    }
    value = v;
    return p > start && p - start <= 16 ? p : 0;
  }
  let negative = conversion == Conversion.Signed && p < end && load<u8>(p) == 0x2d;
  if (negative) start = ++p;
  while (p < end && isDigit(load<u8>(p))) v = v * 10 + (load<u8>(p++) - 0x30);
  value = negative ? 0 - v : v;
  return p > start && p - start <= 20 ? p : 0;
}

// @ts-ignore: decorator
@inline
function isText(p: usize, text: usize, length: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(p + i) != load<u64>(text + i)) return false;
  for (; i < length; ++i) if (load<u8>(p + i) != load<u8>(text + i)) return false;
  return true;
}

function fits(pattern: Pattern, p: usize, end: usize, record: usize): bool {
  let at = pattern.pieces;
  for (let i: u32 = 0, n = pattern.count; i < n; ++i, at += offsetof<Piece>()) {
    let piece = changetype<Piece>(at);
    let length = piece.length;
    if (p + length > end || !isText(p, piece.text, length)) return false;
    p += length;
    let conversion = piece.conversion;
    if (conversion == Conversion.None) continue;
    if (conversion == Conversion.Text) {
      let stop = end;
      if (i + 1 < n) {
        // The first place where the next literal stands; names hold no such text.
        let next = changetype<Piece>(at + offsetof<Piece>());
        stop = p;
        while (stop + next.length <= end && !isText(stop, next.text, next.length)) ++stop;
        if (stop + next.length > end) return false;
      }
      if (piece.slot >= 0) {
        store<u64>(record + EVENT_SLOT + (<usize>piece.slot << 3), intern(p, <u32>(stop - p)));
      }
      p = stop;
      continue;
    }
    p = readValue(conversion, p, end);
    if (!p) return false;
    if (piece.slot >= 0) store<u64>(record + EVENT_SLOT + (<usize>piece.slot << 3), value);
  }
  while (p < end && load<u8>(p) == SPACE) ++p;
  return p == end;
}

/** Reads the arguments of an event from the text [p, end) into the record. False: no pattern fits. */
export function readTextArguments(event: EventPlan, p: usize, end: usize, record: usize): bool {
  for (let at = event.patterns; at; at = changetype<Pattern>(at).next) {
    if (fits(changetype<Pattern>(at), p, end, record)) return true;
  }
  return false;
}

function fitsBinary(pattern: Pattern, p: usize, end: usize, swap: bool, record: usize): bool {
  if (p + pattern.bytes > end) return false;
  let at = pattern.pieces;
  for (let i: u32 = 0, n = pattern.count; i < n; ++i, at += offsetof<Piece>()) {
    let piece = changetype<Piece>(at);
    if (piece.conversion == Conversion.None) continue;
    let slot = record + EVENT_SLOT + (<usize>piece.slot << 3);
    if (piece.conversion == Conversion.Text) {
      if (p + 4 > end) return false;
      let length = load<u32>(p);
      if (swap) length = bswap<u32>(length);
      p += 4;
      if (length > <u32>(end - p)) return false;
      if (piece.slot >= 0) store<u64>(slot, intern(p, length));
      p += length;
      continue;
    }
    if (p + 8 > end) return false;
    let v = load<u64>(p);
    if (piece.slot >= 0) store<u64>(slot, swap ? bswap<u64>(v) : v);
    p += 8;
  }
  return p == end;
}

/** The same from simpletrace's arguments, which fill [p, end) exactly when a pattern fits. */
export function readBinaryArguments(
  event: EventPlan,
  p: usize,
  end: usize,
  swap: bool,
  record: usize,
): bool {
  for (let at = event.patterns; at; at = changetype<Pattern>(at).next) {
    if (fitsBinary(changetype<Pattern>(at), p, end, swap, record)) return true;
  }
  return false;
}
