/**
 * Lines like the ones before. A recording repeats a few shapes of lines millions of times: the same
 * columns, the same threads, the same events with the same fields in the same order. The tolerant
 * reader (text.ts) reads a line of a new shape and leaves the shape here; a line is then only
 * compared with it, and its numbers are parsed where they must stand. Whatever does not compare goes
 * to the tolerant reader, so this one never decides what a line means: it takes a line only where
 * the other one would find the same.
 *
 *   "       vhost-198-199     [001] .N...     6.207789: rearm: (vhost_enable_notify+0x0/0x230 …) vq=0x…"
 *                    └ window, 16 ┘flags└ second ┘└┘└ name ┘                                └ steps
 */
import { EVENT_CPU, EVENT_PID, EVENT_TS } from "../event-abi";
import { lineEnd } from "../base/line-end";
import { take } from "../base/memory";
import {
  hexDigits,
  hexValue,
  isDigit,
  notDigits,
  packDigits,
  SPACE,
  storeSized,
} from "./number";
import { EventPlan, FieldPlan, Plan } from "./plan";
import { Stream } from "./stream";
import { equal, equalUnder } from "../base/vector";

const NEWLINE: u32 = 10;
const BRACKET: u32 = 0x5b;
const QUOTE: u32 = 0x22;

// ---------------------------------------------------------------- what stands before the name

/** Columns of a stream's lines, as the tolerant reader found them last. */
@unmanaged
export class Columns {
  /** 15 bytes up to the dot of the time and the dot, and which of them are blanks and seconds. */
  second: v128;
  secondMask: v128;
  /** Column of the dot; 0: nothing is known. */
  dot: u32;
  /** Column of the CPU's `[`, and of the byte after its `]`. */
  anchor: u32;
  close: u32;
  /** High bits of the flags' bytes, in the eight bytes from `close` on; 0: no flags. */
  flags: u64;
  /** Digits after the dot: 6 or 9. */
  fraction: u32;
  /** The seconds in nanoseconds. */
  base: u64;
}

/** Bytes of the window before `[`: a dash or blank, up to 7 digits of the pid, a blank. */
const BEFORE: u32 = 9;
/** The text before the window is looked at as one vector. */
const MAX_ANCHOR: u32 = 16 + BEFORE;

/** A window that was met: the 16 bytes around `[`, and what they say. Direct mapped. */
@unmanaged
class Window {
  text: v128;
  pid: i32;
  cpu: u32;
  /** Column after `]`, counted from `[`. 0: free. */
  close: u32;
  reserved: u32;
}
const WINDOWS: u32 = 256;
const windows: usize = memory.data(256 * 32, 16);

// @ts-ignore: decorator
@inline
function slotOf(text: v128): u32 {
  let mixed = (i64x2.extract_lane(text, 0) ^ i64x2.extract_lane(text, 1)) * 0x9e3779b97f4a7c15;
  return <u32>(<u64>mixed >> 56);
}

/** Stores pid, CPU and time of a line that has the known columns; where its name starts, or 0. */
// @ts-ignore: decorator
@inline
export function fastPrefix(columns: Columns, line: usize, record: usize): usize {
  let dot = columns.dot;
  if (!dot) return 0;
  let anchor = columns.anchor;
  let text = v128.load(line + anchor - BEFORE);
  let window = changetype<Window>(windows + slotOf(text) * offsetof<Window>());
  let close = line + columns.close;
  let flags = load<u64>(close);
  let visible = ((flags & 0x7f7f7f7f7f7f7f7f) + 0x5f5f5f5f5f5f5f5f) | flags;
  if (
    !equal(text, window.text) ||
    window.close + anchor != columns.close ||
    !equalUnder(columns.secondMask, v128.load(line + dot - 15), columns.second) ||
    // A line break before the window: a shorter line stands in front of another one.
    v128.any_true(i8x16.eq(v128.load(line), i8x16.splat(<i8>NEWLINE)))
  ) {
    return 0;
  }
  if (columns.flags) {
    // A blank, then as many flags as before, none of them a blank; no time begins there.
    if ((visible & columns.flags) != columns.flags || <u32>(flags & 0xff) != SPACE) return 0;
    if (isDigit(<u32>(flags >> 8) & 0xff)) return 0;
  }
  let p = line + dot + 1;
  let raw = load<u64>(p);
  let x = raw ^ 0x3030303030303030;
  let ns: u64 = 0;
  if (columns.fraction == 6) {
    if (raw >> 48 != 0x203a || (notDigits(x) & 0x0000ffffffffffff) != 0) return 0;
    ns = packDigits(x << 16) * 1000;
    p += 8;
  } else {
    let last = <u32>load<u8>(p, 8);
    if (notDigits(x) || !isDigit(last) || load<u16>(p, 9) != 0x203a) return 0;
    ns = packDigits(x) * 10 + (last - 0x30);
    p += 11;
  }
  while (load<u8>(p) == SPACE) ++p;
  // `--ts-diff` puts a number in brackets before the name.
  if (load<u8>(p) == 0x28) return 0;
  store<u64>(record + EVENT_TS, columns.base + ns);
  store<i32>(record + EVENT_PID, window.pid);
  store<u16>(record + EVENT_CPU, <u16>window.cpu);
  return p;
}

/** Learns the columns of a line whose prefix was read: `anchor` is where its `[` stands. */
export function learnColumns(s: Stream, line: usize, end: usize, record: usize): void {
  let columns = changetype<Columns>(s.columns);
  columns.dot = 0;
  let anchor = s.anchor;
  if (anchor < 18 || anchor > MAX_ANCHOR) return;
  let bracket = line + anchor;
  let close = bracket + 1;
  while (isDigit(load<u8>(close))) ++close;
  ++close;
  if (close > bracket + 16 - BEFORE) return;
  // The pid and the character before it must be in the window, and no other `[`.
  let p = bracket - 1;
  while (load<u8>(p) == SPACE && p > bracket - BEFORE) --p;
  let digits = p;
  while (isDigit(load<u8>(p)) && p > bracket - BEFORE) --p;
  if (p == digits || isDigit(load<u8>(p))) return;
  for (let q = bracket - BEFORE; q < bracket; ++q) if (load<u8>(q) == BRACKET) return;
  // One blank and 4, 5 or 7 flags, or nothing; then blanks and the seconds.
  if (load<u8>(close) != SPACE) return;
  let from = close;
  p = close + 1;
  let flags: u64 = 0;
  if (load<u8>(p) != SPACE && !isDigit(load<u8>(p))) {
    while (p < end && load<u8>(p) > SPACE) ++p;
    let count = <u32>(p - close) - 1;
    if (count < 4 || count > 7 || load<u8>(close + 1) == 0x28) return;
    flags = (0x8080808080808080 >> ((7 - count) << 3)) & ~(<u64>0xff);
    from = p;
  }
  while (p < end && load<u8>(p) == SPACE) ++p;
  if (p == from) return;
  let seconds: u64 = 0;
  while (p < end && isDigit(load<u8>(p))) seconds = seconds * 10 + (load<u8>(p++) - 0x30);
  let dot = p;
  if (load<u8>(dot) != 0x2e || dot - from > 15 || !isDigit(load<u8>(dot - 1))) return;
  do ++p;
  while (p < end && isDigit(load<u8>(p)));
  let fraction = <u32>(p - dot) - 1;
  if ((fraction != 6 && fraction != 9) || load<u16>(p) != 0x203a) return;
  let text = v128.load(bracket - BEFORE);
  let window = changetype<Window>(windows + slotOf(text) * offsetof<Window>());
  window.text = text;
  window.pid = load<i32>(record + EVENT_PID);
  window.cpu = load<u16>(record + EVENT_CPU);
  window.close = <u32>(close - bracket);
  columns.anchor = anchor;
  columns.close = <u32>(close - line);
  columns.flags = flags;
  columns.second = v128.load(dot - 15);
  // Zeros for the bytes before the blanks: an unaligned load from a ramp.
  columns.secondMask = v128.load(MASKS + <usize>(dot - from) + 1);
  columns.fraction = fraction;
  columns.base = seconds * 1000000000;
  columns.dot = <u32>(dot - line);
}

/** 16 bytes of zeros, 16 of ones: from byte `n` on, a mask of the last `n`. */
const MASKS: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
]);

// ---------------------------------------------------------------- the event's name

/** A name that was met: its first 16 bytes with what follows, and its plan. Direct mapped. */
@unmanaged
export class Name {
  text: v128;
  event: usize;
  length: u32;
}

// @ts-ignore: decorator
@inline
function nameSlot(plan: Plan, text: v128): Name {
  return changetype<Name>(plan.names + slotOf(text) * offsetof<Name>());
}

/** The name that stands at `p` with its colon, when it is a known one, otherwise 0. */
// @ts-ignore: decorator
@inline
export function fastName(plan: Plan, p: usize): usize {
  let text = v128.load(p);
  let name = nameSlot(plan, text);
  return equal(text, name.text) && name.event ? changetype<usize>(name) : 0;
}

/** Keeps a name of `length` bytes at `p` that a colon and a blank follow. */
export function learnName(plan: Plan, p: usize, length: u32, event: usize): void {
  if (length + 2 > 16 || load<u8>(p + length + 1) != SPACE) return;
  let text = v128.load(p);
  let name = nameSlot(plan, text);
  name.text = text;
  name.event = event;
  name.length = length + 1;
}

// ---------------------------------------------------------------- the fields

/** One field of an event, or a token that is not needed, in the order in which they stand. */
@unmanaged
class Step {
  /** `name=` in the low bytes, and a mask of as many bytes. */
  key: u64;
  mask: u64;
  length: u32;
  /** Where the value goes; size 0: nowhere. */
  target: u32;
  targetSize: u32;
  /** Hex digits of the value before this one. */
  digits: u32;
}
const MAX_STEPS: u32 = 24;

/**
 * Stores the fields of an event whose tokens are those of `event.steps`, each after one blank, with
 * numbers as the kernel prints them. Returns where the line ends, 0 when it is not like that.
 */
// @ts-ignore: decorator
@inline
export function fastFields(event: EventPlan, start: usize, end: usize, record: usize): usize {
  let p = start;
  // `trace-cmd report` pads the name.
  while (load<u8>(p) == SPACE) ++p;
  if (load<u8>(p) == 0x28) {
    // Past the probe's `(function+0x4/0x9b0 [module])`.
    while (true) {
      let text = v128.load(p);
      let hits = i8x16.bitmask(
        v128.or(
          i8x16.eq(text, i8x16.splat(0x29)),
          i8x16.eq(text, i8x16.splat(<i8>NEWLINE)),
        ),
      );
      if (hits) {
        p += ctz<u32>(hits);
        break;
      }
      p += 16;
      if (p >= end) return 0;
    }
    if (load<u16>(p) != 0x2029) return 0;
    p += 2;
  }
  let at = event.steps;
  let last = at + event.stepCount * offsetof<Step>();
  if (at == last) return 0;
  while (true) {
    let step = changetype<Step>(at);
    if ((load<u64>(p) & step.mask) != step.key) return 0;
    p += step.length;
    let size = step.targetSize;
    let value: u64 = 0;
    if (load<u16>(p) == 0x7830) {
      let text = v128.load(p, 2);
      let digits = hexDigits(text);
      if (!digits) return 0;
      value = hexValue(text, digits);
      // Addresses have as many digits as the one before: guessing that, the next field is looked
      // at before this one is parsed (measured).
      if (digits == step.digits) {
        p += step.digits + 2;
      } else {
        step.digits = digits;
        p += digits + 2;
      }
    } else if (size) {
      let x = load<u64>(p) ^ 0x3030303030303030;
      let wrong = notDigits(x);
      // No digit, or eight and perhaps more.
      if (!wrong || wrong & 0x80) return 0;
      let bits = <u64>ctz<u64>(wrong) & 0x38;
      value = packDigits(x << (64 - bits));
      p += <usize>(bits >> 3);
    } else {
      while (load<u8>(p) > SPACE && load<u8>(p) != QUOTE) ++p;
    }
    if (size && !storeSized(record + step.target, size, value)) return 0;
    at += offsetof<Step>();
    let stop = <u32>load<u8>(p);
    if (at == last) return stop == NEWLINE && p < end ? p : 0;
    if (stop != SPACE) return 0;
    ++p;
  }
}

/** Learns the tokens of an event whose fields were read: they begin at `p`. */
export function learnSteps(event: EventPlan, p: usize, end: usize): void {
  event.stepCount = 0;
  if (!event.steps) event.steps = take(MAX_STEPS * <u32>offsetof<Step>());
  if (!event.steps) return;
  let count: u32 = 0;
  let expected: u32 = 0;
  while (p < end) {
    if (count == MAX_STEPS || load<u8>(p) == SPACE) return;
    let step = changetype<Step>(event.steps + count++ * offsetof<Step>());
    let length: u32 = 0;
    while (p + length < end && load<u8>(p + length) != 0x3d) {
      if (load<u8>(p + length) <= SPACE || ++length == 8) return;
    }
    ++length;
    step.length = length;
    step.mask = length >= 8 ? ~(<u64>0) : ~(~(<u64>0) << (length << 3));
    step.key = load<u64>(p) & step.mask;
    step.digits = 0;
    step.targetSize = 0;
    // As parseFields(): the field after the one before, or else the first one of that name.
    for (let i: u32 = 0; i <= event.fieldCount; ++i) {
      let field = fieldOf(event, i ? i - 1 : expected);
      if (!field || field.key != step.key || field.mask != step.mask) continue;
      step.target = field.target;
      step.targetSize = field.targetSize;
      expected = (i ? i - 1 : expected) + 1;
      break;
    }
    p += length;
    while (p < end && load<u8>(p) != SPACE) if (load<u8>(p++) == QUOTE) return;
    if (p < end && ++p == end) return;
  }
  event.stepCount = count;
}

function fieldOf(event: EventPlan, i: u32): FieldPlan | null {
  if (i >= event.fieldCount) return null;
  return changetype<FieldPlan>(event.fields + i * offsetof<FieldPlan>());
}

/** Where a line ends of which nothing is needed, 0 when its end is not in the buffer. */
// @ts-ignore: decorator
@inline
export function fastEnd(p: usize, end: usize): usize {
  let stop = lineEnd(p, end);
  return stop < end ? stop : 0;
}
