/**
 * What stands in front of the event's name: command, pid, CPU, flags, time. The command's name may
 * hold anything, so the anchor is `[cpu]` at column 18 or later, with a pid in front of it.
 */
import { EVENT_CPU, EVENT_PID } from "../abi";
import { noteThread } from "../known/worker";
import { isDigit, parseTime, SPACE } from "./number";
import { Stream } from "./stream";

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
export function linePrefix(s: Stream, line: usize, end: usize, record: usize): usize {
  let anchor = line + s.anchor;
  // Most lines have the CPU in the same column as the one before; and three digits.
  if (
    !s.anchor ||
    anchor + 5 >= end ||
    load<u8>(anchor) != 0x5b ||
    load<u8>(anchor + 4) != 0x5d ||
    load<u8>(anchor - 1) != SPACE ||
    !isDigit(load<u8>(anchor + 1)) ||
    !isDigit(load<u8>(anchor + 2)) ||
    !isDigit(load<u8>(anchor + 3)) ||
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
    noteName(line, anchor, pid);
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
