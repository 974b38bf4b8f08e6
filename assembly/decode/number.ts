/** Numbers and times in text. */
import { EVENT_TS } from "../event-abi";
import { Stream } from "./stream";

export const SPACE: u32 = 0x20;

// @ts-ignore: decorator
@inline
export function isDigit(c: u32): bool {
  return c - 0x30 < 10;
}

/** Result of parsing a number: its value, and whether it is one. */
export let number: u64 = 0;
export let numberEnd: usize = 0;

/** How many of the 16 bytes, from the first on, are hex digits. */
// @ts-ignore: decorator
@inline
export function hexDigits(text: v128): u32 {
  let lower = v128.or(text, i8x16.splat(0x20));
  let letter = i8x16.lt_u(i8x16.sub(lower, i8x16.splat(0x61)), i8x16.splat(6));
  let digit = i8x16.lt_u(i8x16.sub(text, i8x16.splat(0x30)), i8x16.splat(10));
  return ctz<u32>(~i8x16.bitmask(v128.or(digit, letter)));
}

/** For `n` digits, from 16 - n on: n-1, n-2 … 0, then indexes of no byte. */
const REVERSED: usize = memory.data<u8>([
  15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
]);

/**
 * The value of the first `digits` bytes, hex digits all: kernel addresses have 16, and one digit
 * after the other was the largest part of reading a line (measured).
 */
// @ts-ignore: decorator
@inline
export function hexValue(text: v128, digits: u32): u64 {
  // The value of a digit is its low nibble, of a letter 9 more. Least significant first.
  let letter = i8x16.gt_s(text, i8x16.splat(0x39));
  let nibbles = i8x16.swizzle(
    i8x16.add(v128.and(text, i8x16.splat(0x0f)), v128.and(letter, i8x16.splat(9))),
    v128.load(REVERSED + 16 - digits),
  );
  let pairs = v128.and(v128.or(nibbles, i16x8.shr_u(nibbles, 4)), i16x8.splat(0xff));
  return i64x2.extract_lane(i8x16.narrow_i16x8_u(pairs, pairs), 0);
}

/** Eight digits, the first in the low byte, as 0 to 9 each, to a number. */
// @ts-ignore: decorator
@inline
export function packDigits(x: u64): u64 {
  x = x * 10 + (x >> 8);
  return (
    ((x & 0x000000ff000000ff) * 0x000f424000000064 +
      ((x >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >>
    32
  );
}

/** The high bit of every byte that is no digit, from values 0 to 9 up; exact up to the first one. */
// @ts-ignore: decorator
@inline
export function notDigits(x: u64): u64 {
  return ((x + 0x7676767676767676) | x) & 0x8080808080808080;
}

// @ts-ignore: decorator
@inline
function parseHex(p: usize, end: usize): bool {
  let text = v128.load(p);
  let digits = min<u32>(hexDigits(text), <u32>(end - p));
  number = hexValue(text, digits);
  numberEnd = p + digits;
  return digits != 0 && (numberEnd >= end || load<u8>(numberEnd) == SPACE);
}

/** A value up to a space or the end of the line: 0x hex, decimal, negative, or bare hex. */
// @ts-ignore: decorator
@inline
export function parseNumber(p: usize, end: usize): bool {
  if (load<u8>(p) == 0x30 && load<u8>(p + 1) == 0x78) {
    p += 2;
    return parseHex(p, end);
  }
  return parseDecimal(p, end);
}

function parseDecimal(p: usize, end: usize): bool {
  let negative = load<u8>(p) == 0x2d;
  if (negative) ++p;
  let start = p;
  let value: u64 = 0;
  let overflow = false;
  while (p < end && isDigit(load<u8>(p))) {
    let digit = <u64>(load<u8>(p) - 0x30);
    if (value > 1844674407370955161 || (value == 1844674407370955161 && digit > 5)) overflow = true;
    value = value * 10 + digit;
    ++p;
  }
  numberEnd = p;
  number = negative ? ~value + 1 : value;
  if (p > start && (p >= end || load<u8>(p) == SPACE)) return !overflow;
  if (negative) return false;
  // `trace-cmd report -R` prints addresses as hex without 0x.
  p = start;
  value = 0;
  while (p < end) {
    let c = <u32>load<u8>(p);
    let digit = isDigit(c) ? c - 0x30 : (c | 0x20) - 0x57;
    if (digit > 15) break;
    value = (value << 4) | digit;
    ++p;
  }
  number = value;
  numberEnd = p;
  return p > start && p - start <= 16 && (p >= end || load<u8>(p) == SPACE);
}

/** Stores a value in a field of 1, 2, 4 or 8 bytes; false when it does not fit, signed or unsigned. */
// @ts-ignore: decorator
@inline
export function storeSized(at: usize, size: u32, value: u64): bool {
  if (size == 8) {
    store<u64>(at, value);
    return true;
  }
  let bits = size << 3;
  let top = <i64>value >> (bits - 1);
  if (value >> bits != 0 && top != -1) return false;
  if (size == 4) store<u32>(at, <u32>value);
  else if (size == 2) store<u16>(at, <u16>value);
  else store<u8>(at, <u8>value);
  return true;
}

/** `12.345678` to nanoseconds; a number without a dot is taken as it is. Ends at `:`; 0 if not a time. */
export function parseTime(s: Stream, p: usize, end: usize, record: usize): usize {
  let seconds: u64 = 0;
  let start = p;
  while (p < end && isDigit(load<u8>(p))) {
    seconds = seconds * 10 + (load<u8>(p) - 0x30);
    ++p;
  }
  if (p == start || p - start > 19) return 0;
  if (load<u8>(p) == 0x3a) {
    s.rawClock = 1;
    store<u64>(record + EVENT_TS, seconds);
    return p;
  }
  if (load<u8>(p) == 0x75 && load<u8>(p + 1) == 0x73) {
    // Latency format: microseconds since the start of the buffer, then a mark for the next gap.
    p += 2;
    while (p < end && load<u8>(p) != 0x3a && p - start < 24) ++p;
    store<u64>(record + EVENT_TS, seconds * 1000);
    return load<u8>(p) == 0x3a ? p : 0;
  }
  if (load<u8>(p) != 0x2e) return 0;
  ++p;
  let fraction: u64 = 0;
  let digits = 0;
  while (p < end && isDigit(load<u8>(p)) && digits < 9) {
    fraction = fraction * 10 + (load<u8>(p) - 0x30);
    ++digits;
    ++p;
  }
  if (load<u8>(p) != 0x3a || !digits) return 0;
  while (digits < 9) {
    fraction *= 10;
    ++digits;
  }
  store<u64>(record + EVENT_TS, seconds * 1000000000 + fraction);
  return p;
}
