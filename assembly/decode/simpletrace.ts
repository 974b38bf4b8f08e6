/**
 * QEMU's `simple` trace backend to records: a header, then mappings (number and name of an event),
 * events and counts of dropped events, packed, in the host's byte order. Version 4 of trace/simple.c.
 */
import { Status } from "../abi";
import { EVENT_KIND, EVENT_LOST, EVENT_CPU, EVENT_PID, EVENT_PLACE, EVENT_TS, EventKind } from "../event-abi";
import { LOST_UNREAD, LineVerdict, MAX_LINE, RecordDamage } from "../decode-abi";
import { u32At, u64At } from "../base/byte-order";
import { EventPlan, Plan } from "./plan";
import { readBinaryArguments } from "./qemu-arguments";
import { clearRecord, makeRoom, noteTime, placeRecord, recordAt, Stream } from "./stream";
import { appendGap, finishText } from "./text-lines";

const HEADER_BYTES: u32 = 24;
const TYPE_MAPPING: u64 = 0;
const TYPE_EVENT: u64 = 1;
const DROPPED: u64 = 0xfffffffffffffffe;
/** type, id, time, length, pid. */
const EVENT_BYTES: u32 = 32;
/** A name has at most as many bytes; a record at most that many and its arguments. */
const MAX_NAME: u32 = 1024;
const MAX_IDS: u64 = 65536;

function damaged(s: Stream, kind: u32): u32 {
  s.problem = kind;
  s.problemAt = s.pos;
  return Status.Damaged;
}

/** More bytes, or a record that the file's end cuts. */
function short(s: Stream): u32 {
  if (!s.ended) return Status.NeedBytes;
  if (s.pos >= s.len) return Status.Ok;
  // A QEMU that was killed leaves the last record unfinished: told as a note, not as damage.
  s.torn = s.len - s.pos;
  s.pos = s.len;
  return Status.Ok;
}

/** Bytes of the record at `p` when it may be one, judged by its head; 0: it is none. */
function plausible(plan: Plan, p: usize, swap: bool): u32 {
  let type = u64At(p, swap);
  let id = u64At(p + 8, swap);
  if (type == TYPE_MAPPING) {
    let length = u32At(p + 16, swap);
    return length && length <= MAX_NAME && id < MAX_IDS ? 20 + length : 0;
  }
  let length = u32At(p + 24, swap);
  if (type != TYPE_EVENT || length < EVENT_BYTES - 8 || length > <u32>MAX_LINE) return 0;
  if (id != DROPPED && (id >= MAX_IDS || !load<u32>(plan.table + (<usize>id << 2)))) return 0;
  return length + 8;
}

/**
 * Behind damage: goes on to where a record may begin, with another one behind it. False: there is none in
 * what is read so far, of which only the end is kept.
 */
function seekRecord(s: Stream, plan: Plan, swap: bool): bool {
  let end = s.buf + s.len;
  for (let p = s.buf + s.pos; p + EVENT_BYTES <= end; ++p) {
    let length = plausible(plan, p, swap);
    if (!length) continue;
    let next = p + length;
    if (next + EVENT_BYTES <= end ? !plausible(plan, next, swap) : !s.ended || next > end) {
      if (next + EVENT_BYTES > end && !s.ended) {
        s.pos = <u32>(p - s.buf);
        return false;
      }
      continue;
    }
    s.pos = <u32>(p - s.buf);
    s.seeking = 0;
    return true;
  }
  if (s.ended) s.pos = s.len;
  else if (s.len >= EVENT_BYTES && s.len - s.pos >= EVENT_BYTES) s.pos = s.len - EVENT_BYTES + 1;
  return false;
}

/** After Damaged: passes over the record, and leaves a gap in the place of it. */
export function passRecordDamage(s: Stream): void {
  s.lineTs = s.lastTs;
  let at = s.place;
  s.place += s.problemAt;
  appendGap(s, 0xffff, LOST_UNREAD);
  s.place = at;
  if (s.problem == RecordDamage.Arguments) s.pos = s.problemAt + s.problemEnd;
  else {
    s.pos = s.problemAt + 1;
    s.seeking = 1;
  }
}

/**
 * Decodes records until their room is used up. NewName: a mapping, whose number is `lineNumber` and
 * whose name is the line; the host adds the event. Damaged as in ring.ts.
 */
export function scanSimple(s: Stream): u32 {
  let plan = changetype<Plan>(s.plan);
  makeRoom(s);
  let swap = plan.bigEndian != 0;
  let tail = s.tail;
  let status: u32 = Status.Ok;
  if (s.verdict == LineVerdict.Skip) s.pos += s.lineLength;
  s.verdict = 0;
  if (!s.begun) {
    if (s.len - s.pos < HEADER_BYTES) return short(s);
    s.pos += HEADER_BYTES;
    s.begun = 1;
  }
  while (tail < s.recordCap) {
    if (s.seeking && !seekRecord(s, plan, swap)) {
      status = s.ended ? Status.Ok : Status.NeedBytes;
      break;
    }
    let p = s.buf + s.pos;
    let rest = s.len - s.pos;
    if (rest < 20) {
      status = short(s);
      break;
    }
    let type = u64At(p, swap);
    let id = u64At(p + 8, swap);
    if (type == TYPE_MAPPING) {
      let length = u32At(p + 16, swap);
      if (!length || length > MAX_NAME || id >= MAX_IDS) {
        status = damaged(s, RecordDamage.Name);
        break;
      }
      if (rest < 20 + length) {
        status = short(s);
        break;
      }
      s.lineLength = 20 + length;
      status = Status.NewName;
      break;
    }
    if (type != TYPE_EVENT) {
      status = damaged(s, RecordDamage.Type);
      break;
    }
    if (rest < EVENT_BYTES) {
      status = short(s);
      break;
    }
    let length = u32At(p + 24, swap);
    if (length < EVENT_BYTES - 8 || length > <u32>MAX_LINE) {
      status = damaged(s, RecordDamage.Length);
      break;
    }
    if (rest < length + 8) {
      status = short(s);
      break;
    }
    let end = p + 8 + length;
    let ts = u64At(p + 16, swap) + <u64>s.offset;
    let record = recordAt(s, tail);
    let kind: u32 = EventKind.Other;
    if (id == DROPPED) {
      clearRecord(record);
      store<i64>(record + EVENT_LOST, length >= EVENT_BYTES ? <i64>u64At(p + EVENT_BYTES, swap) : -1);
      store<u16>(record + EVENT_CPU, 0xffff);
      kind = EventKind.Gap;
    } else {
      let at = id < MAX_IDS ? <usize>load<u32>(plan.table + (<usize>id << 2)) : 0;
      if (!at) {
        plan.unknownIds++;
      } else {
        let event = changetype<EventPlan>(at);
        kind = event.kind;
        if (kind != EventKind.Other) {
          clearRecord(record);
          if (!readBinaryArguments(event, p + EVENT_BYTES, end, swap, record)) {
            status = damaged(s, RecordDamage.Arguments);
            s.lineLength = <u32>id;
            s.problemEnd = length + 8;
            break;
          }
        }
        event.count++;
        s.decoded++;
      }
    }
    noteTime(s, ts);
    if (kind != EventKind.Other) {
      store<i32>(record + EVENT_PID, <i32>u32At(p + 28, swap));
      store<u64>(record + EVENT_TS, ts);
      store<u64>(record + EVENT_PLACE, s.place + s.pos);
      store<u8>(record + EVENT_KIND, <u8>kind);
      placeRecord(s, tail++, ts);
    }
    s.pos += length + 8;
  }
  // The time is taken before the place in the buffer: a few records are out of order.
  return finishText(s, tail, status);
}
