/**
 * ftrace text to records. One line of the kernel's `trace`, of `trace-cmd report`, of perf script:
 *
 *   "             vhx-547     [001] .....    30.514131: ioctl_ret: (…) ret=0"
 *   "             vhx-241   [001]     5.393553: ioctl_ret:            (ffff… <- ffff…) ret=0"
 *   "     my worker-2 19394 [001]  2970.769470: vl:desc: (563…) vq=0x… gpa=0x… len=51 …"
 *
 * The command's name may hold anything, so the anchor is `[cpu]` at column 18 or later, with a pid
 * in front of it. A line that is none of these goes to the host, which counts it.
 */
import {
  EVENT_CPU,
  EVENT_FLAGS,
  EVENT_HAS_VQ,
  EVENT_IP,
  EVENT_KIND,
  EVENT_LEN,
  EVENT_PID,
  EVENT_PLACE,
  EVENT_TEXT,
  EVENT_TS,
  EVENT_VQ,
  EventKind,
  Status,
} from "./abi";
import { take } from "./memory";
import { EventPlan, FieldPlan, findName, MAX_NAMES, Plan } from "./plan";
import { clearRecord, HELD, makeRoom, noteCpu, recordAt, sortRecords, Stream } from "./stream";

/** Longer lines than this are no event lines. */
export const MAX_LINE: u32 = 65536;
/** Longest text of a marker that is kept. */
const MAX_MARKER: u32 = 1024;

/** What is wrong with a line of an event that the replay needs; the host has the words. */
export enum Problem {
  None = 0,
  /** A value is no number, or too big for its field. */
  Value,
  /** A field of this event is missing. */
  Missing,
}

const SPACE: u32 = 0x20;

// @ts-ignore: decorator
@inline
function isDigit(c: u32): bool {
  return c - 0x30 < 10;
}

/** The end of the line that starts at `p`: the newline's address, or `end`. */
// @ts-ignore: decorator
@inline
function lineEnd(p: usize, end: usize): usize {
  let newline = i8x16.splat(10);
  while (p < end) {
    let hits = i8x16.bitmask(i8x16.eq(v128.load(p), newline));
    if (hits) {
      p += ctz<u32>(hits);
      return p < end ? p : end;
    }
    p += 16;
  }
  return end;
}

/** `[` of the CPU, with a pid before it and at least three digits in it; 0 when there is none. */
function findAnchor(line: usize, end: usize): usize {
  for (let p = line + 18; p + 5 < end; ++p) {
    if (load<u8>(p) != 0x5b || load<u8>(p - 1) != SPACE) continue;
    let q = p + 1;
    while (isDigit(load<u8>(q))) ++q;
    if (q - p < 4 || load<u8>(q) != 0x5d) continue;
    if (pidBefore(line, p) != -1) return p;
  }
  return 0;
}

/** The pid that ends before `[`, after an optional `(tgid)`; -1 when there is none. */
// @ts-ignore: decorator
@inline
function pidBefore(line: usize, anchor: usize): i32 {
  let p = anchor - 1;
  while (p > line && load<u8>(p) == SPACE) --p;
  if (load<u8>(p) == 0x29) {
    while (p > line && load<u8>(p) != 0x28) --p;
    --p;
    while (p > line && load<u8>(p) == SPACE) --p;
  }
  let value: u32 = 0;
  let scale: u32 = 1;
  let digits = 0;
  while (p > line && isDigit(load<u8>(p)) && digits < 10) {
    value += (load<u8>(p) - 0x30) * scale;
    scale *= 10;
    ++digits;
    --p;
  }
  if (!digits) return -1;
  let c = load<u8>(p);
  // "comm-pid" of ftrace, "comm pid" and "pid/tid" of perf.
  return c == 0x2d || c == SPACE || c == 0x2f ? <i32>value : -1;
}

/** Result of parsing a number: its value, and whether it is one. */
let number: u64 = 0;
let numberEnd: usize = 0;

/** A value up to a space or the end of the line: 0x hex, decimal, negative, or bare hex. */
// @ts-ignore: decorator
@inline
function parseNumber(p: usize, end: usize): bool {
  let value: u64 = 0;
  let c: u32 = load<u8>(p);
  if (c == 0x30 && load<u8>(p + 1) == 0x78) {
    p += 2;
    let start = p;
    while (p < end) {
      c = load<u8>(p);
      let digit = c - 0x30;
      if (digit > 9) {
        digit = (c | 0x20) - 0x57;
        if (digit < 10 || digit > 15) break;
      }
      value = (value << 4) | digit;
      ++p;
    }
    number = value;
    numberEnd = p;
    return p > start && p - start <= 16 && (p >= end || load<u8>(p) == SPACE);
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
function storeSized(at: usize, size: u32, value: u64): bool {
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
function parseTime(s: Stream, p: usize, end: usize, record: usize): usize {
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

/**
 * Latency format has no brackets: `comm-pid` cut to 8 columns of comm, then CPU and flags glued,
 * then the time in microseconds. Returns where the time starts, 0 when the line is none of these.
 */
function latencyPrefix(line: usize, end: usize, record: usize): usize {
  let p = line + 8;
  if (p >= end || load<u8>(p) != 0x2d) return 0;
  ++p;
  let pid: u32 = 0;
  let from = p;
  while (p < end && isDigit(load<u8>(p))) pid = pid * 10 + (load<u8>(p++) - 0x30);
  if (p == from) return 0;
  let space = p;
  while (p < end && load<u8>(p) == SPACE) ++p;
  let cpu: u32 = 0;
  from = p;
  while (p < end && isDigit(load<u8>(p)) && p - from < 4) cpu = cpu * 10 + (load<u8>(p++) - 0x30);
  if (p == from || from == space) return 0;
  // Four or five characters of flags.
  from = p;
  while (p < end && load<u8>(p) != SPACE && p - from < 6) ++p;
  if (p - from < 4 || p - from > 5) return 0;
  while (p < end && load<u8>(p) == SPACE) ++p;
  let q = p;
  while (q < end && isDigit(load<u8>(q))) ++q;
  if (q == p || load<u8>(q) != 0x75 || load<u8>(q + 1) != 0x73) return 0;
  store<i32>(record + EVENT_PID, <i32>pid);
  store<u16>(record + EVENT_CPU, <u16>cpu);
  return p;
}

/** Where the event's name starts, after pid, CPU and time are stored; 0 when it is no event line. */
// @ts-ignore: decorator
@inline
function linePrefix(s: Stream, line: usize, end: usize, record: usize): usize {
  let anchor = line + s.anchor;
  // Most lines have the CPU in the same column as the one before; and three digits.
  if (
    !s.anchor ||
    anchor + 5 >= end ||
    load<u8>(anchor) != 0x5b ||
    load<u8>(anchor + 4) != 0x5d ||
    load<u8>(anchor - 1) != SPACE ||
    !isDigit(load<u8>(anchor + 1)) ||
    findEarlier(line, anchor)
  ) {
    anchor = findAnchor(line, end);
    if (anchor) s.anchor = <u32>(anchor - line);
  }
  let p: usize = 0;
  if (!anchor) {
    p = latencyPrefix(line, end, record);
    if (!p) return 0;
    p = parseTime(s, p, end, record);
    if (!p) return 0;
  } else {
    let pid = pidBefore(line, anchor);
    if (pid == -1) return 0;
    store<i32>(record + EVENT_PID, pid);
    p = anchor + 1;
    let cpu: u32 = 0;
    while (isDigit(load<u8>(p))) cpu = cpu * 10 + (load<u8>(p++) - 0x30);
    store<u16>(record + EVENT_CPU, <u16>cpu);
    ++p;
    // The flags column is absent, 4 or 5 characters; the time may be glued to the bracket.
    let time: usize = 0;
    for (let token = 0; token < 3 && p < end; ++token) {
      while (p < end && load<u8>(p) == SPACE) ++p;
      time = parseTime(s, p, end, record);
      if (time) break;
      while (p < end && load<u8>(p) != SPACE) ++p;
    }
    if (!time) return 0;
    p = time;
  }
  ++p;
  while (p < end && load<u8>(p) == SPACE) ++p;
  if (load<u8>(p) == 0x28 && load<u8>(p + 1) == 0x2b) {
    // `--ts-diff`: "(+2658)".
    while (p < end && load<u8>(p) != 0x29) ++p;
    ++p;
    while (p < end && load<u8>(p) == SPACE) ++p;
  }
  return p < end ? p : 0;
}

/** Whether an anchor-like text stands before the remembered column: then look from the start. */
// @ts-ignore: decorator
@inline
function findEarlier(line: usize, anchor: usize): bool {
  for (let p = line + 18; p < anchor; ++p) if (load<u8>(p) == 0x5b) return true;
  return false;
}

/**
 * Where the fields start: after `(function+0x4/0x9b0 [module])`. The symbol's name is interned at
 * EVENT_IP for the events that the host sees.
 */
// @ts-ignore: decorator
@inline
function skipProbeAddress(p: usize, end: usize): usize {
  if (load<u8>(p) != 0x28) return p;
  let q = p;
  while (q < end && load<u8>(q) != 0x29) ++q;
  return q < end ? q + 1 : p;
}

const symbols: usize = memory.data(64 * 4);
let symbolCount: u32 = 0;

/** A kept copy {u32 length, bytes} of a probe's symbol; 0 when it is an address or there are too many. */
function internSymbol(p: usize, end: usize): usize {
  if (load<u8>(p) != 0x28) return 0;
  ++p;
  let q = p;
  while (q < end && q - p < 64) {
    let c = <u32>load<u8>(q);
    if (c == 0x2b || c == 0x29 || c == SPACE) break;
    ++q;
  }
  let length = <u32>(q - p);
  if (!length || length >= 64 || load<u8>(q) != 0x2b) return 0;
  for (let i: u32 = 0; i < symbolCount; ++i) {
    let known = <usize>load<u32>(symbols + (i << 2));
    if (load<u32>(known) == length && memory.compare(known + 4, p, length) == 0) return known;
  }
  if (symbolCount == 64) return 0;
  let copy = take(length + 4);
  if (!copy) return 0;
  store<u32>(copy, length);
  memory.copy(copy + 4, p, length);
  store<u32>(symbols + (symbolCount++ << 2), <u32>copy);
  return copy;
}

/** Parses the fields of one event. Returns Problem. */
function parseFields(s: Stream, event: EventPlan, p: usize, end: usize, record: usize): u32 {
  let n = event.fieldCount;
  let fields = event.fields;
  let i: u32 = 0;
  let seen: u32 = 0;
  while (true) {
    while (p < end && load<u8>(p) == SPACE) ++p;
    if (p >= end) break;
    let key = load<u64>(p);
    let found = i;
    let field = changetype<FieldPlan>(fields + i * offsetof<FieldPlan>());
    if (i >= n || (key & field.mask) != field.key) {
      // Not the field expected here: look through all of them.
      found = 0;
      while (found < n) {
        field = changetype<FieldPlan>(fields + found * offsetof<FieldPlan>());
        if ((key & field.mask) == field.key) break;
        ++found;
      }
      if (found == n) {
        p = skipToken(p, end);
        continue;
      }
    }
    p += field.length;
    if (
      p >= end ||
      !parseNumber(p, end) ||
      !storeSized(record + field.target, field.targetSize, number)
    ) {
      s.problemAt = <u32>p;
      return Problem.Value;
    }
    seen |= 1 << found;
    i = found + 1;
    p = numberEnd;
  }
  if ((seen & event.required) != event.required) {
    s.problemAt = ctz<u32>(event.required & ~seen);
    return Problem.Missing;
  }
  return Problem.None;
}

/** Past a `name=value` that is not needed; a quoted string may hold spaces. */
function skipToken(p: usize, end: usize): usize {
  while (p < end) {
    let c = load<u8>(p);
    if (c == SPACE) return p;
    if (c == 0x22) {
      ++p;
      while (p < end && load<u8>(p) != 0x22) ++p;
    }
    ++p;
  }
  return end;
}

/** Keeps a marker's text; the record's TEXT and LEN say where. */
export function keepText(record: usize, p: usize, length: u32): bool {
  if (length > MAX_MARKER) length = MAX_MARKER;
  let copy = take(length + 8);
  if (!copy) return false;
  memory.copy(copy, p, length);
  store<u64>(record + EVENT_TEXT, <u64>copy);
  store<u32>(record + EVENT_LEN, length);
  return true;
}

const TRACING_MARK: u64 = 0x5f676e6963617274; // "tracing_"

/** Past `tracing_mark_write: ` and, from trace-cmd 3.4, the address in front of it. */
function markerText(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) == SPACE) ++p;
  if (load<u64>(p) == TRACING_MARK && p + 19 <= end && load<u8>(p + 18) == 0x3a) {
    p += 19;
    if (load<u8>(p) == SPACE) ++p;
  }
  return p;
}

/** Set by the host after it looked at a line: go on behind it. */
export const LINE_SKIP: u32 = 1;
/** Set by the host after it added a name: scan the line again. */
export const LINE_AGAIN: u32 = 2;

/**
 * Scans lines into records until the room for records is used up. Ok: there are records to take,
 * or the stream is at its end.
 */
export function scanText(s: Stream): u32 {
  let plan = changetype<Plan>(s.plan);
  makeRoom(s);
  if (s.verdict == LINE_SKIP) {
    s.pos += s.lineLength;
    s.place++;
  }
  s.verdict = 0;
  let buf = s.buf;
  let end = buf + s.len;
  let tail = s.tail;
  let status: u32 = Status.Ok;
  while (tail < s.recordCap) {
    let line = buf + s.pos;
    let stop = lineEnd(line, end);
    let whole = stop < end;
    if (!whole && !s.ended) {
      // The line may go on in the next chunk; one that fills the buffer is cut.
      if (stop - line < MAX_LINE) {
        status = Status.NeedBytes;
        break;
      }
    }
    if (line >= end) break;
    s.lineLength = <u32>(stop - line) + (whole ? 1 : 0);
    let last = stop;
    if (last > line && load<u8>(last - 1) == 0x0d) --last;
    let record = recordAt(s, tail);
    clearRecord(record);
    let name = stop - line < MAX_LINE ? linePrefix(s, line, last, record) : 0;
    if (!name) {
      status = Status.HostLine;
      break;
    }
    let nameEnd = name;
    while (nameEnd < last && load<u8>(nameEnd) != SPACE) ++nameEnd;
    let args = nameEnd;
    if (load<u8>(nameEnd - 1) != 0x3a) {
      status = Status.HostLine;
      break;
    }
    --nameEnd;
    let length = <u32>(nameEnd - name);
    let at = length ? findName(plan, name, length) : 0;
    if (!at) {
      status = length && plan.events < MAX_NAMES ? Status.NewName : Status.HostLine;
      break;
    }
    let event = changetype<EventPlan>(at);
    let kind = event.kind;
    if (kind == EventKind.Marker) {
      let text = markerText(args, last);
      if (!keepText(record, text, <u32>(last - text))) return Status.NoMemory;
    } else if (kind != EventKind.Other) {
      while (args < last && load<u8>(args) == SPACE) ++args;
      if (kind == EventKind.Ioctl) store<u64>(record + EVENT_IP, <u64>internSymbol(args, last));
      let problem = parseFields(s, event, skipProbeAddress(args, last), last, record);
      if (problem) {
        s.problem = problem;
        if (problem == Problem.Value) s.problemAt -= <u32>line;
        status = Status.HostLine;
        break;
      }
    }
    event.count++;
    s.decoded++;
    noteCpu(load<u16>(record + EVENT_CPU));
    if (kind != EventKind.Other) {
      store<u64>(record + EVENT_PLACE, s.place);
      store<u8>(record + EVENT_KIND, <u8>kind);
      if (load<u64>(record + EVENT_VQ)) store<u8>(record + EVENT_FLAGS, EVENT_HAS_VQ);
      let ts = load<u64>(record + EVENT_TS);
      if (ts < s.lastTs) s.disordered = 1;
      s.lastTs = ts;
      ++tail;
    }
    s.pos += s.lineLength;
    s.place++;
  }
  s.tail = tail;
  if (s.disordered) sortRecords(s);
  let finished = s.ended && s.pos >= s.len && status == Status.Ok;
  // A line that the host must see is not in order with records that are held back: it is no event.
  s.ready = finished ? tail : tail > HELD ? tail - HELD : 0;
  if (s.ready == 0 && status == Status.Ok && !finished) s.ready = tail;
  return s.ready ? Status.Ok : status;
}
