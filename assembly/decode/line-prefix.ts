/**
 * What stands in front of the event's name: command, pid, CPU, flags, time. The command's name may
 * hold anything, so the anchor is `[cpu]` with a pid in front of it and a time behind it.
 */
import { EVENT_CPU, EVENT_PID } from "../event-abi";
import { noteThread } from "../known/worker";
import { isDigit, parseTime, SPACE } from "./number";
import { Stream } from "./stream";

/** A column in which the `[` of a hostile command cannot stand: it has at most 15 characters. */
const SURE_COLUMN: usize = 18;
/** Flags, a tgid with its brackets: with a limit, a line full of brackets costs no square. */
const LONGEST_WORD: usize = 24;

/**
 * `[` of the CPU, with a pid before it, at least three digits in it and a time behind it; 0 when there is
 * none. A command may look like all of that, but it has no room for a time with six digits behind the
 * dot. So what stands further left, where columns were trimmed, needs such a time.
 */
function findAnchor(s: Stream, line: usize, end: usize, record: usize): usize {
  let weak: usize = 0;
  for (let p = line + 1; p + 5 < end; ++p) {
    if (load<u8>(p) != 0x5b || load<u8>(p - 1) != SPACE) continue;
    let q = p + 1;
    while (isDigit(load<u8>(q))) ++q;
    if (q - p < 4 || load<u8>(q) != 0x5d) continue;
    if (pidBefore(line, p) == -1) continue;
    let time = timeBehind(s, q + 1, end, record);
    if (!time) continue;
    if (p - line >= SURE_COLUMN || load<u8>(time - 7) == 0x2e || load<u8>(time - 10) == 0x2e) return p;
    if (!weak) weak = p;
  }
  return weak;
}

/**
 * Stores the time that stands behind the CPU, after an optional `(tgid)` (kernels 4.13 to 4.18 print it
 * there) and up to two words (flags, and what `trace-cmd report -R` adds), or glued to the bracket.
 * Returns where its colon stands, 0 when there is none.
 */
function timeBehind(s: Stream, p: usize, end: usize, record: usize): usize {
  while (p < end && load<u8>(p) == SPACE) ++p;
  if (p < end && load<u8>(p) == 0x28) {
    let limit = min<usize>(end, p + LONGEST_WORD);
    while (p < limit && load<u8>(p) != 0x29) ++p;
    ++p;
  }
  for (let word = 0; word < 3 && p < end; ++word) {
    while (p < end && load<u8>(p) == SPACE) ++p;
    let time = parseTime(s, p, end, record);
    if (time) return time;
    let limit = min<usize>(end, p + LONGEST_WORD);
    while (p < limit && load<u8>(p) != SPACE) ++p;
    if (p == limit) return 0;
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
    let first = p > line + LONGEST_WORD ? p - LONGEST_WORD : line;
    while (p > first && load<u8>(p) != 0x28) --p;
    if (load<u8>(p) != 0x28) return -1;
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
  if (p == line && isDigit(load<u8>(p)) && digits < 10) {
    // perf script without the command.
    return <i32>(value + (load<u8>(p) - 0x30) * scale);
  }
  if (!digits) return -1;
  let c = load<u8>(p);
  // "comm-pid" of ftrace, "comm pid" and "pid/tid" of perf.
  return c == 0x2d || c == SPACE || c == 0x2f ? <i32>value : -1;
}

/** Reads the digits that end before `p`; `digitsFrom` is where they begin. */
function digitsBefore(line: usize, p: usize): i32 {
  let value: u32 = 0;
  let scale: u32 = 1;
  digitsFrom = p;
  while (digitsFrom > line && isDigit(load<u8>(digitsFrom - 1)) && p - digitsFrom < 9) {
    value += (load<u8>(--digitsFrom) - 0x30) * scale;
    scale *= 10;
  }
  return <i32>value;
}
let digitsFrom: usize = 0;

/** `vhost-`, as the last of the eight bytes before its number. */
const WORKER: u64 = 0x2d74736f68760000;

/**
 * What the columns before the CPU say of the thread: `vhost-4240-4242` is a worker that 4240 made,
 * `(4240)` its process. A thread's lines are read like one of its first ones (fast-line.ts), so this
 * is done once for a thread and CPU, not for a line.
 */
function noteName(line: usize, anchor: usize, pid: i32): void {
  let process: i32 = 0;
  let p = anchor;
  while (p > line && load<u8>(p - 1) == SPACE) --p;
  if (load<u8>(p - 1) == 0x29) {
    process = digitsBefore(line, p - 1);
    p = digitsFrom;
    while (p > line && load<u8>(p) != 0x28) --p;
    while (p > line && load<u8>(p - 1) == SPACE) --p;
  }
  digitsBefore(line, p);
  // perf prints "comm pid/tid", all others the thread alone.
  if (digitsFrom > line && load<u8>(digitsFrom - 1) == 0x2f) process = digitsBefore(line, digitsFrom - 1);
  let end = digitsFrom - 1;
  while (end > line && load<u8>(end - 1) == SPACE) --end;
  let owner = end > line + 6 ? digitsBefore(line, end) : 0;
  if (owner && (digitsFrom < line + 8 || (load<u64>(digitsFrom - 8) & 0xffffffffffff0000) != WORKER)) {
    owner = 0;
  }
  noteThread(pid, owner, process);
}

/**
 * Latency format has no brackets: `comm-pid` cut to 8 columns of comm, then CPU and flags glued, then
 * the time in microseconds. The command may have a console's time in front of it. Returns where the
 * time's colon stands, 0 when the line is none of these.
 */
function latencyPrefix(s: Stream, line: usize, end: usize, record: usize): usize {
  for (let p = line + 1; p + 8 < end; ++p) {
    if (load<u8>(p) != 0x2d || !isDigit(load<u8>(p + 1))) continue;
    let time = latencyBehind(s, p + 1, end, record);
    if (time) return time;
  }
  return 0;
}

/** The same from the first digit of the pid on. */
function latencyBehind(s: Stream, p: usize, end: usize, record: usize): usize {
  let pid: u32 = 0;
  let from = p;
  while (p < end && isDigit(load<u8>(p)) && p - from < 10) pid = pid * 10 + (load<u8>(p++) - 0x30);
  let space = p;
  while (p < end && load<u8>(p) == SPACE) ++p;
  if (p == space) return 0;
  let cpu: u32 = 0;
  from = p;
  while (p < end && isDigit(load<u8>(p)) && p - from < 4) cpu = cpu * 10 + (load<u8>(p++) - 0x30);
  if (p == from) return 0;
  // Four, five or, with PREEMPT_RT, seven characters of flags.
  from = p;
  while (p < end && isFlag(load<u8>(p)) && p - from < 8) ++p;
  if (p - from < 4 || p - from > 7 || load<u8>(p) != SPACE) return 0;
  while (p < end && load<u8>(p) == SPACE) ++p;
  let time = parseTime(s, p, end, record);
  if (!time) return 0;
  store<i32>(record + EVENT_PID, <i32>pid);
  store<u16>(record + EVENT_CPU, <u16>cpu);
  return time;
}

/** trace_print_lat_fmt(): letters, hex digits, dots, and `#` for what is out of range. */
// @ts-ignore: decorator
@inline
function isFlag(c: u32): bool {
  return c == 0x2e || c == 0x23 || isDigit(c) || (c | 0x20) - 0x61 < 26;
}

/** Where the event's name starts, after pid, CPU and time are stored; 0 when it is no event line. */
// @ts-ignore: decorator
@inline
export function linePrefix(s: Stream, line: usize, end: usize, record: usize): usize {
  let anchor = line + s.anchor;
  let p: usize = 0;
  // Most lines have the CPU in the same column as the one before; and three digits.
  if (
    s.anchor &&
    anchor + 5 < end &&
    load<u8>(anchor) == 0x5b &&
    load<u8>(anchor + 4) == 0x5d &&
    load<u8>(anchor - 1) == SPACE &&
    isDigit(load<u8>(anchor + 1)) &&
    isDigit(load<u8>(anchor + 2)) &&
    isDigit(load<u8>(anchor + 3)) &&
    !findEarlier(line, anchor) &&
    pidBefore(line, anchor) != -1
  ) {
    p = timeBehind(s, anchor + 5, end, record);
  }
  if (!p) {
    anchor = findAnchor(s, line, end, record);
    if (!anchor) {
      p = latencyPrefix(s, line, end, record);
      if (!p) return 0;
    } else s.anchor = <u32>(anchor - line);
  }
  if (anchor) {
    let pid = pidBefore(line, anchor);
    store<i32>(record + EVENT_PID, pid);
    noteName(line, anchor, pid);
    let q = anchor + 1;
    let cpu: u32 = 0;
    while (isDigit(load<u8>(q))) cpu = cpu * 10 + (load<u8>(q++) - 0x30);
    store<u16>(record + EVENT_CPU, <u16>cpu);
    if (!p) p = timeBehind(s, q + 1, end, record);
    if (!p) return 0;
  }
  ++p;
  while (p < end && load<u8>(p) == SPACE) ++p;
  if (load<u8>(p) == 0x28 && load<u8>(p + 1) == 0x2b) {
    // `--ts-diff`: "(+2658)".
    while (p < end && load<u8>(p) != 0x29) ++p;
    ++p;
    while (p < end && load<u8>(p) == SPACE) ++p;
  }
  // perf script with the field period: a number before the name.
  let q = p;
  while (q < end && isDigit(load<u8>(q))) ++q;
  if (q > p && load<u8>(q) == SPACE) {
    p = q;
    while (p < end && load<u8>(p) == SPACE) ++p;
  }
  return p < end ? p : 0;
}

/** Whether an anchor-like text stands before the remembered column: then look from the start. */
// @ts-ignore: decorator
@inline
function findEarlier(line: usize, anchor: usize): bool {
  for (let p = line + 1; p < anchor; ++p) if (load<u8>(p) == 0x5b) return true;
  return false;
}
