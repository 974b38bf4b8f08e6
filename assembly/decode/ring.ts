/**
 * Ring-buffer pages (sub-buffers) to records: the page header, the event header with its type_len
 * and time delta, and the payload by the plan. kernel/trace/ring_buffer.c, include/linux/ring_buffer.h
 * (enum ring_buffer_type).
 */
import { Status } from "../abi";
import { EVENT_CPU, EVENT_FLAGS, EVENT_HAS_VQ, EVENT_KIND, EVENT_LOST, EVENT_PID, EVENT_PLACE, EVENT_TS, EVENT_VQ, EventKind } from "../event-abi";
import { LOST_UNKNOWN, LOST_UNREAD, PageDamage } from "../decode-abi";
import { u32At, u64At } from "../base/byte-order";
import { MARKER_REFUSED } from "./marker";
import { decodeEvent, readRingMarker, sizedAt, toNs } from "./ring-event";
import { EventPlan, Plan } from "./plan";
import { clearRecord, compact, makeRoom, noteTime, recordAt, Stream } from "./stream";

const TYPE_PADDING: u32 = 29;
const TYPE_TIME_EXTEND: u32 = 30;
const TYPE_TIME_STAMP: u32 = 31;
const MISSED_EVENTS: u32 = 1 << 31;
const MISSED_STORED: u32 = 1 << 30;
const COMMIT_LENGTH: u32 = (1 << 27) - 1;
/** Top bits of an absolute time that a TIME_STAMP event does not carry. */
const TS_MSB: u64 = 0xf8 << 56;

function damaged(s: Stream, kind: u32, p: usize): u32 {
  s.problem = kind;
  s.problemAt = <u32>(p - s.buf);
  return Status.Damaged;
}

/** The same of one record, behind which the next one begins at `next`. */
function damagedRecord(s: Stream, kind: u32, p: usize, next: usize, delta: u64): u32 {
  s.problemEnd = <u32>(next - s.buf);
  // It is looked at again when the records before it are taken.
  s.problemTs = s.ts;
  s.ts -= delta;
  return damaged(s, kind, p);
}

function addGap(s: Stream, tail: u32, place: u64, lost: i64): void {
  let record = recordAt(s, tail);
  clearRecord(record);
  store<u64>(record + EVENT_TS, toNs(s, s.ts));
  store<u64>(record + EVENT_PLACE, place);
  store<u16>(record + EVENT_CPU, <u16>s.cpu);
  store<u8>(record + EVENT_KIND, EventKind.Gap);
  store<i64>(record + EVENT_LOST, lost);
}

/**
 * Decodes what most of a page is made of: data events of up to 112 bytes whose fields are moves. Stops
 * at anything else, at the page's end, or when the room for records is used up; returns the new tail.
 */
function scanPlain(s: Stream, plan: Plan, tail: u32): u32 {
  if (plan.bigEndian) return tail;
  let buf = s.buf;
  let p = buf + s.pos;
  let end = buf + s.pageEnd;
  let ts = s.ts;
  let place = s.place - <u64>buf;
  let table = plan.table;
  let typeOffset = plan.typeOffset;
  let pidOffset = plan.pidOffset;
  let least = max<u32>(typeOffset + 2, pidOffset + 4);
  // Times only grow within a CPU: the first and the last one are its span.
  if (s.firstSeen == ~(<u64>0) && p + 4 <= end && (load<u32>(p) & 31) - 1 < 28) {
    noteTime(s, toNs(s, ts + <u64>(load<u32>(p) >> 5)));
  }
  let decoded: u64 = 0;
  while (p + 4 <= end && tail < s.recordCap) {
    let word = load<u32>(p);
    let length = (word & 31) << 2;
    let payload = p + 4;
    let next = payload + length;
    // Not type_len 0 and not 29 and above, where the length stands elsewhere.
    if ((word & 31) - 1 > 27 || next > end || length < least) break;
    let id = <u32>load<u16>(payload + typeOffset);
    let at = <usize>load<u32>(table + (id << 2));
    if (!at) {
      plan.unknownIds++;
    } else {
      let event = changetype<EventPlan>(at);
      if (event.kind != EventKind.Other) {
        let move = event.moves;
        if (!move || length < event.bytes) break;
        let record = recordAt(s, tail);
        clearRecord(record);
        let stop = move + (event.moves8 << 3);
        for (; move < stop; move += 8) {
          store<u64>(record + load<u32>(move, 4), load<u64>(payload + load<u32>(move)));
        }
        stop += event.moves4 << 3;
        for (; move < stop; move += 8) {
          store<u32>(record + load<u32>(move, 4), load<u32>(payload + load<u32>(move)));
        }
        stop += event.moves2 << 3;
        for (; move < stop; move += 8) {
          store<u16>(record + load<u32>(move, 4), load<u16>(payload + load<u32>(move)));
        }
        stop += event.moves1 << 3;
        for (; move < stop; move += 8) {
          store<u8>(record + load<u32>(move, 4), load<u8>(payload + load<u32>(move)));
        }
        store<u64>(record + EVENT_TS, toNs(s, ts + <u64>(word >> 5)));
        store<u64>(record + EVENT_PLACE, place + <u64>p);
        store<i32>(record + EVENT_PID, load<i32>(payload + pidOffset));
        store<u16>(record + EVENT_CPU, <u16>s.cpu);
        store<u8>(record + EVENT_KIND, <u8>event.kind);
        store<u8>(record + EVENT_FLAGS, load<u64>(record + EVENT_VQ) != 0 ? EVENT_HAS_VQ : 0);
        ++tail;
      }
      event.count++;
      ++decoded;
    }
    ts += <u64>(word >> 5);
    p = next;
  }
  if (ts != s.ts) noteTime(s, toNs(s, ts));
  s.decoded += decoded;
  s.ts = ts;
  s.pos = <u32>(p - buf);
  return tail;
}

/**
 * Decodes events of the pages in the stream's buffer until the room for records is used up. The
 * host puts whole pages in; a rest of a page is Damaged, once the stream has ended.
 */
export function scanRing(s: Stream): u32 {
  let plan = changetype<Plan>(s.plan);
  let be = plan.bigEndian != 0;
  makeRoom(s);
  let tail: u32 = 0;
  let cap = s.recordCap;
  let buf = s.buf;
  let status: u32 = Status.Ok;
  // A page may begin with two gaps.
  while (tail + 2 < cap) {
    if (!s.pageEnd) {
      if (s.pos + s.subBuffer > s.len) {
        if (!s.ended) status = Status.NeedBytes;
        else if (s.pos < s.len) {
          status = damaged(s, PageDamage.Torn, buf + s.len);
        }
        break;
      }
      let page = buf + s.pos;
      s.pageStart = s.pos;
      let pageTs = u64At(page + plan.tsOffset, be);
      let commit = plan.commitSize == 8
        ? <u32>u64At(page + plan.commitOffset, be)
        : u32At(page + plan.commitOffset, be);
      let length = commit & COMMIT_LENGTH;
      if (length > s.subBuffer - plan.dataOffset) {
        status = damaged(s, PageDamage.Commit, page);
        break;
      }
      // The kernel writes no such page: one without events has a time. A hole in the file, or a crash.
      if (!pageTs && !commit) {
        status = damaged(s, PageDamage.Zeros, page);
        break;
      }
      s.ts = pageTs;
      if (s.damagedAt) {
        // What is lost lies anywhere between the time before it and this one: a gap at both ends.
        addGap(s, tail++, s.damagedAt - 1, LOST_UNREAD);
        s.damagedAt = 0;
      }
      s.pageEnd = s.pos + plan.dataOffset + length;
      // Behind the end of the file there are no events.
      if (s.torn && s.pageEnd > s.torn) s.pageEnd = s.torn;
      s.pos += plan.dataOffset;
      if (commit & MISSED_EVENTS) {
        let lost: i64 = LOST_UNKNOWN;
        let at = s.pageEnd;
        if (commit & MISSED_STORED && at + plan.commitSize <= s.pageStart + s.subBuffer) {
          lost = plan.commitSize == 8 ? <i64>u64At(buf + at, be) : <i64>u32At(buf + at, be);
        }
        addGap(s, tail++, s.place + <u64>(page - buf), lost);
      }
    }
    tail = scanPlain(s, plan, tail);
    let p = buf + s.pos;
    let end = buf + s.pageEnd;
    let odd = true;
    // One event that scanPlain() left, then that one again.
    while (p < end && tail < cap && odd) {
      odd = false;
      if (p + 4 > end) {
        status = damaged(s, PageDamage.EventEnd, p);
        break;
      }
      let word = u32At(p, be);
      let typeLength = be ? word >> 27 : word & 31;
      let delta = <u64>(be ? word & 0x7ffffff : word >> 5);
      if (typeLength >= TYPE_PADDING) {
        if (typeLength == TYPE_PADDING && !delta) {
          p = end;
          break;
        }
        if (p + 8 > end) {
          status = damaged(s, PageDamage.EventEnd, p);
          break;
        }
        let extra = u32At(p + 4, be);
        if (typeLength == TYPE_TIME_EXTEND) {
          s.ts += delta | (<u64>extra << 27);
          p += 8;
        } else if (typeLength == TYPE_TIME_STAMP) {
          s.ts = (s.ts & TS_MSB) | delta | (<u64>extra << 27);
          p += 8;
        } else {
          // A discarded event. It ends behind its own length word at the least.
          if (extra < 4 || <u64>(p - buf) + 4 + extra > <u64>s.pageEnd) {
            status = damaged(s, PageDamage.EventEnd, p);
            break;
          }
          s.ts += delta;
          p += 4 + extra;
        }
        continue;
      }
      let payload = p + 4;
      let length = typeLength << 2;
      let next: usize = payload + length;
      if (!typeLength) {
        let long = p + 8 <= end ? u32At(p + 4, be) : 0;
        if (long < 4 || long > s.subBuffer) {
          status = damaged(s, PageDamage.EventEnd, p);
          break;
        }
        payload = p + 8;
        length = long - 4;
        next = p + 4 + ((long + 3) & ~3);
      }
      if (next > end) {
        status = damaged(s, PageDamage.EventEnd, p);
        break;
      }
      s.ts += delta;
      noteTime(s, toNs(s, s.ts));
      let id: u32 = 0;
      if (plan.typeOffset + 2 <= length && plan.pidOffset + 4 <= length) {
        id = <u32>sizedAt(payload + plan.typeOffset, 2, 0, be);
      } else {
        status = damagedRecord(s, PageDamage.Short, p, next, delta);
        break;
      }
      let at = <usize>load<u32>(plan.table + (id << 2));
      if (!at) {
        plan.unknownIds++;
      } else {
        let event = changetype<EventPlan>(at);
        if (event.kind != EventKind.Other) {
          if (length < event.bytes) {
            status = damagedRecord(s, PageDamage.Short, p, next, delta);
            break;
          }
          let record = recordAt(s, tail);
          clearRecord(record);
          let kind = event.kind;
          if (kind == EventKind.Marker) kind = readRingMarker(s, event, payload, length, record);
          else decodeEvent(plan, event, payload, record);
          if (kind == MARKER_REFUSED) {
            status = damagedRecord(s, PageDamage.Marker, p, next, delta);
            break;
          }
          event.count++;
          s.decoded++;
          if (kind == EventKind.Other) {
            p = next;
            continue;
          }
          store<u64>(record + EVENT_TS, toNs(s, s.ts));
          store<u64>(record + EVENT_PLACE, s.place + <u64>(p - buf));
          store<i32>(record + EVENT_PID, <i32>u32At(payload + plan.pidOffset, be));
          store<u16>(record + EVENT_CPU, <u16>s.cpu);
          store<u8>(record + EVENT_KIND, <u8>kind);
          if (kind < <u32>EventKind.Other && load<u64>(record + EVENT_VQ)) store<u8>(record + EVENT_FLAGS, EVENT_HAS_VQ);
          ++tail;
        } else {
          event.count++;
          s.decoded++;
        }
      }
      p = next;
    }
    if (status == Status.Damaged && s.torn && s.problem == PageDamage.EventEnd) {
      // Where the file's end cuts the page: that was told.
      status = Status.Ok;
      p = end;
    }
    s.pos = <u32>(p - buf);
    if (status) break;
    if (p >= end) {
      s.pos = s.pageStart + s.subBuffer;
      s.pageEnd = 0;
    }
  }
  s.tail = tail;
  s.ready = tail;
  return tail ? Status.Ok : status;
}

/**
 * Makes the last page, which the file's end cuts, a whole one: zeros for what is missing, so that its
 * events are read up to there. Without its header there is nothing to read.
 */
function completePage(s: Stream): void {
  let rest = s.len - s.pos;
  if (rest < changetype<Plan>(s.plan).dataOffset + 4) {
    s.pos = s.len;
    return;
  }
  let before = s.pos;
  compact(s);
  s.place += before;
  memory.fill(s.buf + s.len, 0, s.subBuffer - rest);
  s.len = s.subBuffer;
  s.torn = rest;
}

/**
 * After Damaged: passes over the record, or over the rest of the page where it is not known where the
 * next record begins, and leaves a gap in the place of it.
 */
export function passPageDamage(s: Stream): void {
  makeRoom(s);
  let at = s.place + s.problemAt;
  addGap(s, 0, at, LOST_UNREAD);
  s.tail = 1;
  s.ready = 1;
  if (s.problem == PageDamage.Torn) {
    completePage(s);
  } else if (s.problem == PageDamage.Short || s.problem == PageDamage.Marker) {
    s.pos = s.problemEnd;
    s.ts = s.problemTs;
    if (s.pos >= s.pageEnd) endPage(s);
  } else {
    s.damagedAt = at + 1;
    endPage(s);
  }
}

// @ts-ignore: decorator
@inline
function endPage(s: Stream): void {
  s.pos = s.pageStart + s.subBuffer;
  s.pageEnd = 0;
}
