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
import { Status } from "../abi";
import { EVENT_KIND, EVENT_PLACE, EVENT_TS, EventKind } from "../event-abi";
import { LogShape, MAX_NAMES, Problem } from "../decode-abi";
import { isDigit, SPACE } from "./number";
import { EventPlan, findName, Plan } from "./plan";
import { readTextArguments, startsLike } from "./qemu-arguments";
import { hasMark, logPrefix } from "./qemu-prefix";
import { blankColours, finishText, firstUnread, nextLine, refuse, skipSeen, textEnd } from "./text-lines";
import { clearRecord, noteTime, placeRecord, recordAt, Stream } from "./stream";

/** A name of trace-events: small letters, digits, underscores. */
function isEventName(p: usize, end: usize): bool {
  for (; p < end; ++p) {
    let c = <u32>load<u8>(p);
    if (c - 0x61 >= 26 && !isDigit(c) && c != 0x5f) return false;
  }
  return true;
}

/** Length of the name at `p`: up to a blank, or `end`. */
// @ts-ignore: decorator
@inline
function nameLength(p: usize, end: usize): u32 {
  // 32 bytes at once: few names are longer.
  let blank = i8x16.splat(<i8>SPACE);
  let hits =
    <u32>i8x16.bitmask(i8x16.eq(v128.load(p), blank)) |
    (<u32>i8x16.bitmask(i8x16.eq(v128.load(p, 16), blank)) << 16);
  if (hits) return min<u32>(ctz<u32>(hits), <u32>(end - p));
  let stop = p;
  while (stop < end && load<u8>(stop) != SPACE) ++stop;
  return <u32>(stop - p);
}

/** A character of an event's name. */
// @ts-ignore: decorator
@inline
function isNameChar(c: u32): bool {
  return c - 0x61 < 26 || isDigit(c) || c == 0x5f;
}

/**
 * Where in [p, end) an event stands that the replay needs: its name, and what its arguments begin with,
 * or the colon that QEMU puts in front. 0: nowhere. A name alone says nothing: `-trace NAME` in a
 * command line has it, too.
 */
function findEvent(plan: Plan, p: usize, end: usize): usize {
  let from = p;
  while (p < end) {
    if (!isNameChar(load<u8>(p))) {
      ++p;
      continue;
    }
    let name = p;
    while (p < end && isNameChar(load<u8>(p))) ++p;
    let length = <u32>(p - name);
    if (length < 4 || load<u8>(p) != SPACE) continue;
    let at = findName(plan, name, length);
    if (!at || changetype<EventPlan>(at).kind == EventKind.Other) continue;
    let colon = name > from && load<u8>(name - 1) == 0x3a;
    if (colon || startsLike(changetype<EventPlan>(at), p + 1, end)) return name;
  }
  return 0;
}

/** A line that is no event: QEMU's own words, -d output. The host hears of one that names an event. */
function otherLine(s: Stream, line: usize, last: usize): u32 {
  let named = findEvent(changetype<Plan>(s.plan), line, last);
  if (named) return refuse(s, Problem.Named, named - line);
  // Its first line is told, all are counted.
  if (s.lineLength > 1 && !s.foreignLines++) s.firstForeign = s.place;
  skipSeen(s);
  return Status.Ok;
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
    let last = <usize>s.lineEnd;
    blankColours(line, last);
    let record = recordAt(s, tail);
    clearRecord(record);
    s.lineTs = s.lastTs;
    let name = logPrefix(s, line, last, record);
    if (name && s.shape == LogShape.Bare && name < last) {
      // Behind another tool's words there is a known event, or it is none.
      let known = findEvent(plan, line, last);
      if (known) name = known;
    }
    if (name > line && (s.anchor || s.shape == LogShape.Bare)) {
      last = textEnd(line, name, last);
      // Two writers in one line: what stands in front is lost.
      let lost = s.anchor ? findEvent(plan, line, line + s.anchor) : 0;
      if (lost) {
        status = refuse(s, Problem.Named, lost - line);
        break;
      }
    }
    let length = name ? nameLength(name, last) : 0;
    let end = name + length;
    let first = <u32>load<u8>(name);
    let at = length && length <= 128 && (first | 0x20) - 0x61 < 26 ? findName(plan, name, length) : 0;
    if (!at && (!length || length > 128 || (first | 0x20) - 0x61 >= 26 || !isEventName(name, end))) {
      status = otherLine(s, line, last);
      if (status != Status.Ok) break;
      continue;
    }
    if (!at) {
      // Beyond the names that are told apart it is counted with the lines that are no event.
      if (plan.events < <u32>MAX_NAMES) {
        s.problemAt = <u32>(name - line);
        status = Status.NewName;
        break;
      }
      status = otherLine(s, line, last);
      if (status != Status.Ok) break;
      continue;
    }
    let event = changetype<EventPlan>(at);
    let kind = event.kind;
    let ts = load<u64>(record + EVENT_TS) + <u64>s.offset;
    s.lineTs = ts;
    if (kind != EventKind.Other) {
      if (end < last) ++end;
      if (!readTextArguments(event, end, last, record)) {
        status = refuse(s, Problem.Arguments, name - line);
        break;
      }
      store<u64>(record + EVENT_PLACE, s.place);
      store<u8>(record + EVENT_KIND, <u8>kind);
      store<u64>(record + EVENT_TS, ts);
      placeRecord(s, tail++, ts);
    } else if (s.shape != LogShape.Bare && hasMark(s, end, last)) {
      // Two writers in one line: an event that is needed behind one that is not.
      let lost = findEvent(plan, end, last);
      if (lost) {
        status = refuse(s, Problem.Named, lost - line);
        break;
      }
    }
    noteTime(s, ts);
    event.count++;
    s.decoded++;
    skipSeen(s);
  }
  return finishText(s, tail, status);
}
