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
import { EVENT_KIND, EVENT_PLACE, EVENT_TS, EventKind, MAX_NAMES, Problem, Status } from "../abi";
import { isDigit, SPACE } from "./number";
import { EventPlan, findName, Plan } from "./plan";
import { readTextArguments } from "./qemu-arguments";
import { logPrefix } from "./qemu-prefix";
import { finishText, firstUnread, nextLine, skipSeen } from "./text-lines";
import { clearRecord, placeRecord, recordAt, Stream } from "./stream";

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
    let name = logPrefix(s, line, last, record);
    let length = name ? nameLength(name, last) : 0;
    let end = name + length;
    let first = <u32>load<u8>(name);
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
      status = plan.events < <u32>MAX_NAMES ? Status.NewName : Status.HostLine;
      break;
    }
    let event = changetype<EventPlan>(at);
    let kind = event.kind;
    if (kind != EventKind.Other) {
      if (end < last) ++end;
      if (!readTextArguments(event, end, last, record)) {
        s.problem = Problem.Arguments;
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
