/**
 * What stands before the name in a line of QEMU's log: thread and time. A second has thousands of
 * lines, so the bytes up to its dot are kept for each thread and only compared; the readers of whole
 * prefixes read the first line, and every one that does not compare: only they say what a line is.
 */
import { EVENT_PID, EVENT_TS } from "../event-abi";
import { LogShape } from "../decode-abi";
import { isDigit, notDigits, packDigits, SPACE } from "./number";
import { SECONDS, Stream } from "./stream";
import { equalUnder, firstBytes } from "../base/vector";

// @ts-ignore: decorator
@inline
function two(p: usize): u32 {
  return (<u32>load<u8>(p) - 0x30) * 10 + (<u32>load<u8>(p + 1) - 0x30);
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. */
function daysOf(year: u32, month: u32, day: u32): u64 {
  // The year begins in March, so that the leap day is its last.
  let y = month < 3 ? year - 1 : year;
  let era = y / 400;
  let ofEra = y - era * 400;
  let ofYear = (153 * (month < 3 ? month + 9 : month - 3) + 2) / 5 + day - 1;
  return <u64>era * 146097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719468;
}

function allDigits(p: usize, n: u32): bool {
  for (let i: u32 = 0; i < n; ++i) if (!isDigit(load<u8>(p + i))) return false;
  return true;
}

/** `24371@1795394503.432892:`; returns where the name starts, 0 when the line is none. */
function tidTime(p: usize, end: usize, record: usize): usize {
  let start = p;
  let tid: u32 = 0;
  while (p < end && isDigit(load<u8>(p))) tid = tid * 10 + (load<u8>(p++) - 0x30);
  if (p == start || p - start > 10 || load<u8>(p) != 0x40) return 0;
  start = ++p;
  let seconds: u64 = 0;
  while (p < end && isDigit(load<u8>(p))) seconds = seconds * 10 + (load<u8>(p++) - 0x30);
  if (p == start || p - start > 12 || p + 8 > end || load<u8>(p) != 0x2e) return 0;
  ++p;
  let micros: u64 = 0;
  for (let i = 0; i < 6; ++i) {
    let c = <u32>load<u8>(p++);
    if (!isDigit(c)) return 0;
    micros = micros * 10 + (c - 0x30);
  }
  if (load<u8>(p) != 0x3a) return 0;
  store<i32>(record + EVENT_PID, <i32>tid);
  store<u64>(record + EVENT_TS, (seconds * 1000000 + micros) * 1000);
  return p + 1;
}

/** `2026-11-23T00:56:10.525334Z `. */
function isoTime(p: usize, end: usize, record: usize): usize {
  if (p + 28 > end || load<u8>(p + 10) != 0x54 || load<u8>(p + 26) != 0x5a) return 0;
  if (!allDigits(p, 4) || !allDigits(p + 5, 2) || !allDigits(p + 8, 2)) return 0;
  if (!allDigits(p + 11, 2) || !allDigits(p + 14, 2) || !allDigits(p + 17, 2)) return 0;
  if (!allDigits(p + 20, 6) || load<u8>(p + 27) != SPACE) return 0;
  if (load<u8>(p + 4) != 0x2d || load<u8>(p + 7) != 0x2d) return 0;
  if (load<u8>(p + 13) != 0x3a || load<u8>(p + 16) != 0x3a || load<u8>(p + 19) != 0x2e) return 0;
  let year = two(p) * 100 + two(p + 2);
  let month = two(p + 5);
  let day = two(p + 8);
  if (year < 1970 || month - 1 > 11 || day - 1 > 30) return 0;
  let seconds = daysOf(year, month, day) * 86400 + two(p + 11) * 3600 + two(p + 14) * 60 + two(p + 17);
  let micros = <u64>two(p + 20) * 10000 + two(p + 22) * 100 + two(p + 24);
  store<u64>(record + EVENT_TS, (seconds * 1000000 + micros) * 1000);
  return p + 28;
}

/** `24371@1795394503432892000 `: tracetool's format log-stap. */
function stapTime(p: usize, end: usize, record: usize): usize {
  let start = p;
  let pid: u32 = 0;
  while (p < end && isDigit(load<u8>(p))) pid = pid * 10 + (load<u8>(p++) - 0x30);
  if (p == start || p - start > 10 || load<u8>(p) != 0x40) return 0;
  start = ++p;
  let ns: u64 = 0;
  while (p < end && isDigit(load<u8>(p))) ns = ns * 10 + (load<u8>(p++) - 0x30);
  if (p - start < 16 || p - start > 19 || load<u8>(p) != SPACE) return 0;
  store<i32>(record + EVENT_PID, <i32>pid);
  store<u64>(record + EVENT_TS, ns);
  return p + 1;
}

/** The whole prefix of a shape at `p`; returns where the name starts, 0 when there is none. */
function wholePrefix(s: Stream, p: usize, end: usize, record: usize): usize {
  if (s.shape == LogShape.Iso) return isoTime(p, end, record);
  return s.shape == LogShape.Stap ? stapTime(p, end, record) : tidTime(p, end, record);
}

/**
 * Where QEMU's own line starts behind what another tool put in front (journald, syslog, a container's
 * log, a guest's name, quotes, a line's number): the last place that has a whole prefix; 0: none.
 */
function findStart(s: Stream, line: usize, end: usize, record: usize): usize {
  let found: usize = 0;
  let mark: u32 = s.shape == LogShape.Iso ? 0x54 : 0x40;
  for (let p = line + 1; p < end; ++p) {
    if (<u32>load<u8>(p) != mark) continue;
    let start = p - 10;
    if (s.shape != LogShape.Iso) for (start = p; start > line && isDigit(load<u8>(start - 1)); --start);
    if (start < line || (start > line && isWord(load<u8>(start - 1)))) continue;
    if (wholePrefix(s, start, end, record)) found = start;
  }
  return found;
}

/** Letters and digits: a prefix does not begin in the middle of them. */
function isWord(c: u32): bool {
  return isDigit(c) || (c | 0x20) - 0x61 < 26;
}

/** A thread and second that were met: the bytes up to the dot, and what they say. Direct mapped. */
@unmanaged
class Second {
  /** Up to 32 bytes, and which of them. */
  text: v128;
  rest: v128;
  textMask: v128;
  restMask: v128;
  /** The second in nanoseconds. */
  base: u64;
  tid: i32;
  /** Bytes up to the dot, with it; 0: free. */
  length: u32;
}

/** One of SECONDS, by the first eight bytes, which tell threads apart and not the seconds of one. */
// @ts-ignore: decorator
@inline
function secondOf(s: Stream, line: usize): Second {
  let slot = <u32>((load<u64>(line) * 0x9e3779b97f4a7c15) >> 56) & (SECONDS - 1);
  return changetype<Second>(s.columns + slot * offsetof<Second>());
}

/** What stands behind the microseconds of a shape: `:`, or `Z `. */
// @ts-ignore: decorator
@inline
function isAfterTime(shape: u32, bytes: u64): bool {
  return shape == LogShape.TidTime ? (bytes & 0xff) == 0x3a : bytes == 0x205a;
}

/** The six digits of microseconds in the first bytes, as 0 to 9 each, in nanoseconds. */
// @ts-ignore: decorator
@inline
function sixDigits(digits: u64): u64 {
  return packDigits(digits << 16) * 1000;
}

/** As the readers of whole prefixes, for a thread and second that were met; 0: for those to say. */
// @ts-ignore: decorator
@inline
function knownSecond(s: Stream, line: usize, end: usize, record: usize): usize {
  let second = secondOf(s, line);
  let length = second.length;
  let raw = load<u64>(line + length);
  let digits = raw ^ 0x3030303030303030;
  let after = s.shape == LogShape.TidTime ? 7 : 8;
  if (
    !length ||
    !equalUnder(second.textMask, v128.load(line), second.text) ||
    !equalUnder(second.restMask, v128.load(line, 16), second.rest) ||
    (notDigits(digits) & 0x0000ffffffffffff) != 0 ||
    !isAfterTime(s.shape, raw >> 48) ||
    // Of a line that the end of the file cuts, the bytes behind it are none of its own.
    line + length + after > end
  ) {
    return 0;
  }
  store<i32>(record + EVENT_PID, second.tid);
  store<u64>(record + EVENT_TS, second.base + sixDigits(digits));
  return line + length + after;
}

/** Keeps thread and second of a line whose prefix was read and ends at `name`. */
function learnSecond(s: Stream, line: usize, name: usize, record: usize): void {
  let length = <u32>(name - line) - (s.shape == LogShape.TidTime ? 7 : 8);
  if (length > 32) return;
  let second = secondOf(s, line);
  let digits = load<u64>(line + length) ^ 0x3030303030303030;
  second.text = v128.load(line);
  second.rest = v128.load(line, 16);
  second.textMask = firstBytes(min<u32>(length, 16));
  second.restMask = firstBytes(length - min<u32>(length, 16));
  second.base = load<u64>(record + EVENT_TS) - sixDigits(digits);
  second.tid = load<i32>(record + EVENT_PID);
  second.length = length;
}

/**
 * Where the event's name starts, after thread and time are stored; 0 when it is no event line. What
 * stands in front of QEMU's own line has `s.anchor` bytes.
 */
// @ts-ignore: decorator
@inline
export function logPrefix(s: Stream, line: usize, end: usize, record: usize): usize {
  if (s.shape == LogShape.Bare) {
    // Without a time the order of the lines is all there is.
    store<u64>(record + EVENT_TS, s.place);
    return line;
  }
  let start = line + s.anchor;
  if (s.anchor) {
    // A line of QEMU's own among those behind a prefix.
    let own = wholePrefix(s, line, end, record);
    if (own) {
      s.anchor = 0;
      return own;
    }
    if (start >= end || isWord(load<u8>(start - 1))) return newStart(s, line, end, record);
  }
  if (s.shape != LogShape.Stap) {
    let known = knownSecond(s, start, end, record);
    if (known && (!s.anchor || !hasMark(s, known, end))) return known;
  }
  return s.anchor ? newStart(s, line, end, record) : newSecond(s, line, end, record);
}

/** A line that begins with its own prefix, or has another tool's in front. */
function newSecond(s: Stream, line: usize, end: usize, record: usize): usize {
  let name = wholePrefix(s, line, end, record);
  if (!name) return newStart(s, line, end, record);
  if (s.shape != LogShape.Stap) learnSecond(s, line, name, record);
  return name;
}

function newStart(s: Stream, line: usize, end: usize, record: usize): usize {
  let start = findStart(s, line, end, record);
  if (!start) return 0;
  s.anchor = <u32>(start - line);
  let name = wholePrefix(s, start, end, record);
  if (s.shape != LogShape.Stap) learnSecond(s, start, name, record);
  return name;
}

/** Whether the text [p, end) may hold another prefix: of two writers in one line. */
export function hasMark(s: Stream, p: usize, end: usize): bool {
  let mark = i8x16.splat(s.shape == LogShape.Iso ? 0x5a : 0x40);
  for (; p < end; p += 16) {
    let hits = <u32>i8x16.bitmask(i8x16.eq(v128.load(p), mark));
    if (hits) return p + ctz<u32>(hits) < end;
  }
  return false;
}
