/**
 * Text of QEMU's `log` trace backend to records. One line of QEMU up to 10, of QEMU 11, and of
 * either without `-msg timestamp=on`:
 *
 *   21328@1795395668.353301:virtqueue_pop vq 0x55557c5cf168 elem 0x55557cfca9f0 in_num 2 out_num 1
 *   2026-11-23T01:01:42.071256Z virtqueue_pop vq 0x555595e0b940 elem 0x5555963ae330 in_num 2 out_num 1
 *   virtqueue_pop vq 0x555595e0b940 elem 0x5555963ae330 in_num 2 out_num 1
 *
 * The same file holds QEMU's warnings and errors: a line that is none of these is counted.
 * scripts/tracetool/backend/log.py.
 */
import { EVENT_KIND, EVENT_PID, EVENT_PLACE, EVENT_TS, EventKind, Status } from "./abi";
import { isDigit, SPACE } from "./number";
import { EventPlan, findName, MAX_NAMES, Plan } from "./plan";
import { readTextArguments } from "./qemu-arguments";
import { finishText, firstUnread, nextLine, skipSeen } from "./text-lines";
import { clearRecord, placeRecord, recordAt, Stream } from "./stream";

/** Shapes of a line; the host tells which one a file has (src/recording/sniff-text.ts). */
export const LOG_TID_TIME: u32 = 1;
export const LOG_ISO: u32 = 2;
export const LOG_BARE: u32 = 3;

/** `problem` of a stream: the arguments of a known event fit none of its patterns. */
export const PROBLEM_ARGUMENTS: u32 = 3;

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
// @ts-ignore: decorator
@inline
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

/** `2026-11-23T00:56:10.525334Z `, after an optional guest name. */
function isoTime(p: usize, end: usize, record: usize): usize {
  if (p + 28 > end) return 0;
  if (load<u8>(p + 10) != 0x54 || load<u8>(p + 26) != 0x5a) {
    // -msg guest-name=on
    let q = p;
    while (q < end && load<u8>(q) != SPACE) ++q;
    p = q + 1;
    if (p + 28 > end || load<u8>(p + 10) != 0x54 || load<u8>(p + 26) != 0x5a) return 0;
  }
  if (!allDigits(p, 4) || !allDigits(p + 5, 2) || !allDigits(p + 8, 2)) return 0;
  if (!allDigits(p + 11, 2) || !allDigits(p + 14, 2) || !allDigits(p + 17, 2)) return 0;
  if (!allDigits(p + 20, 6) || load<u8>(p + 27) != SPACE) return 0;
  let year = two(p) * 100 + two(p + 2);
  let month = two(p + 5);
  let day = two(p + 8);
  if (year < 1970 || month - 1 > 11 || day - 1 > 30) return 0;
  let seconds = daysOf(year, month, day) * 86400 + two(p + 11) * 3600 + two(p + 14) * 60 + two(p + 17);
  let micros = <u64>two(p + 20) * 10000 + two(p + 22) * 100 + two(p + 24);
  store<u64>(record + EVENT_TS, (seconds * 1000000 + micros) * 1000);
  return p + 28;
}

/** Where the event's name starts, after thread and time are stored; 0 when it is no event line. */
// @ts-ignore: decorator
@inline
function prefix(s: Stream, line: usize, end: usize, record: usize): usize {
  if (s.shape == LOG_TID_TIME) return tidTime(line, end, record);
  if (s.shape == LOG_ISO) return isoTime(line, end, record);
  // Without a time the order of the lines is all there is.
  store<u64>(record + EVENT_TS, s.place);
  return line;
}

/** A name of trace-events: small letters, digits, underscores. */
function isEventName(p: usize, end: usize): bool {
  for (; p < end; ++p) {
    let c = <u32>load<u8>(p);
    if (c - 0x61 >= 26 && !isDigit(c) && c != 0x5f) return false;
  }
  return true;
}

/** Scans lines into records until the room for records is used up; as scanText(). */
export function scanQemuLog(s: Stream): u32 {
  let plan = changetype<Plan>(s.plan);
  firstUnread(s);
  let tail = s.tail;
  let status: u32 = Status.Ok;
  while (tail < s.recordCap) {
    status = nextLine(s);
    if (status != Status.Ok || !s.lineLength) break;
    let line = s.buf + s.pos;
    let last = s.lineEnd;
    let record = recordAt(s, tail);
    clearRecord(record);
    let name = prefix(s, line, last, record);
    let end = name;
    while (end < last && load<u8>(end) != SPACE) ++end;
    let length = <u32>(end - name);
    let first = name ? <u32>load<u8>(name) : 0;
    if (!length || length > 128 || (first | 0x20) - 0x61 >= 26) {
      // QEMU's own words, or -d output. Its first line is told, all are counted.
      if (s.lineLength > 1 && !s.foreignLines++) s.firstForeign = s.place;
      skipSeen(s);
      continue;
    }
    let at = findName(plan, name, length);
    if (!at && !isEventName(name, end)) {
      if (!s.foreignLines++) s.firstForeign = s.place;
      skipSeen(s);
      continue;
    }
    if (!at) {
      status = plan.events < MAX_NAMES ? Status.NewName : Status.HostLine;
      break;
    }
    let event = changetype<EventPlan>(at);
    let kind = event.kind;
    if (kind != EventKind.Other) {
      if (end < last) ++end;
      if (!readTextArguments(event, end, last, record)) {
        s.problem = PROBLEM_ARGUMENTS;
        s.problemAt = <u32>(end - line);
        status = Status.HostLine;
        break;
      }
      store<u64>(record + EVENT_PLACE, s.place);
      store<u8>(record + EVENT_KIND, <u8>kind);
      let ts = load<u64>(record + EVENT_TS) + <u64>s.offset;
      store<u64>(record + EVENT_TS, ts);
      placeRecord(s, tail++, ts);
    }
    event.count++;
    s.decoded++;
    skipSeen(s);
  }
  return finishText(s, tail, status);
}
