/**
 * Arguments of QEMU's trace events, by a pattern that the host compiled from the event's format
 * string in `trace-events`: literal text, a conversion, literal text … An event whose format
 * changed between versions has several patterns; the first that fits the whole line is taken.
 *
 * In the binary form (simpletrace) there is no text: every argument is 8 bytes, or a string with
 * its length in front.
 */
import { EVENT_SLOT } from "../event-abi";
import { take } from "../base/memory";
import { hexDigits, hexValue, isDigit, notDigits, packDigits, SPACE } from "./number";
import { EventPlan } from "./plan";
import { intern } from "../known/string";
import { equalUnder, firstBytes, sameText } from "../base/vector";

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
  /** The first 16 bytes of the literal text, and which of them there are. */
  first: v128;
  firstMask: v128;
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
  memory.copy(changetype<usize>(piece) + offsetof<Piece>("first"), text, min<u32>(length, 16));
  piece.firstMask = firstBytes(min<u32>(length, 16));
  piece.conversion = conversion;
  piece.slot = slot;
  if (conversion != Conversion.None) pattern.bytes += conversion == Conversion.Text ? 4 : 8;
}

let value: u64 = 0;

/** Reads hex digits, at most 16, at `p`; returns where they end, 0 when it is no such number. */
// @ts-ignore: decorator
@inline
function readHex(p: usize, end: usize): usize {
  let text = v128.load(p);
  let digits = min<u32>(hexDigits(text), <u32>(end - p));
  if (digits == 16 && p + 16 < end && hexDigits(v128.load(p, 16))) return 0;
  value = hexValue(text, digits);
  return digits ? p + digits : 0;
}

/** Reads decimal digits, at most 20, at `p`; returns where they end, 0 when it is no such number. */
// @ts-ignore: decorator
@inline
function readDecimal(p: usize, end: usize): usize {
  let x = load<u64>(p) ^ 0x3030303030303030;
  let wrong = notDigits(x);
  let bits = <u32>ctz<u64>(wrong) & 0x38;
  if (!wrong || p + (bits >> 3) > end) return readLongDecimal(p, end);
  if (!bits) return 0;
  value = packDigits(x << (64 - bits));
  return p + (bits >> 3);
}

function readLongDecimal(p: usize, end: usize): usize {
  let start = p;
  let v: u64 = 0;
  while (p < end && isDigit(load<u8>(p))) v = v * 10 + (load<u8>(p++) - 0x30);
  value = v;
  return p > start && p - start <= 20 ? p : 0;
}

/** Reads one value at `p`; returns where it ends, 0 when there is none. */
// @ts-ignore: decorator
@inline
function readValue(conversion: u32, p: usize, end: usize): usize {
  if (conversion == Conversion.Pointer) {
    if (p + 2 < end && load<u16>(p) == 0x7830) return readHex(p + 2, end);
    if (p + 5 > end || load<u32>(p) != 0x6c696e28 || load<u8>(p + 4) != 0x29) return 0;
    value = 0; // "(nil)"
    return p + 5;
  }
  if (conversion == Conversion.Hex) return readHex(p, end);
  if (conversion != Conversion.Signed || p == end || load<u8>(p) != 0x2d) {
    return readDecimal(p, end);
  }
  p = readDecimal(p + 1, end);
  value = 0 - value;
  return p;
}

/** Whether the literal text of a piece stands at `p`. */
// @ts-ignore: decorator
@inline
function isLiteral(piece: Piece, p: usize, end: usize): bool {
  let length = piece.length;
  if (p + length > end) return false;
  if (length > 16) return sameText(p, piece.text, length);
  return equalUnder(piece.firstMask, v128.load(p), piece.first);
}

/** The first place from `p` on where the literal text of a piece stands, 0 when there is none. */
// @ts-ignore: decorator
@inline
function findLiteral(piece: Piece, p: usize, end: usize): usize {
  if (!piece.length) return p;
  let first = i8x16.splat(i8x16.extract_lane_s(piece.first, 0));
  for (; p < end; p += 16) {
    let hits = i8x16.bitmask(i8x16.eq(v128.load(p), first));
    for (; hits; hits &= hits - 1) {
      let at = p + ctz<u32>(hits);
      if (isLiteral(piece, at, end)) return at;
    }
  }
  return 0;
}

function fits(pattern: Pattern, p: usize, end: usize, record: usize): bool {
  let at = pattern.pieces;
  for (let i: u32 = 0, n = pattern.count; i < n; ++i, at += offsetof<Piece>()) {
    let piece = changetype<Piece>(at);
    if (!isLiteral(piece, p, end)) return false;
    p += piece.length;
    let conversion = piece.conversion;
    if (conversion == Conversion.None) continue;
    let slot = record + EVENT_SLOT + (<usize>piece.slot << 3);
    if (conversion == Conversion.Text) {
      // Names hold no such text as the literal that follows.
      let stop =
        i + 1 < n ? findLiteral(changetype<Piece>(at + offsetof<Piece>()), p, end) : end;
      if (!stop) return false;
      if (piece.slot >= 0) store<u64>(slot, intern(p, <u32>(stop - p)));
      p = stop;
      continue;
    }
    p = readValue(conversion, p, end);
    if (!p) return false;
    if (piece.slot >= 0) store<u64>(slot, value);
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

/** Whether the text at `p`, behind a name, begins as the arguments of the event do. */
export function startsLike(event: EventPlan, p: usize, end: usize): bool {
  for (let at = event.patterns; at; at = changetype<Pattern>(at).next) {
    let pattern = changetype<Pattern>(at);
    let piece = changetype<Piece>(pattern.pieces);
    if (pattern.count && piece.length && isLiteral(piece, p, end)) return true;
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
