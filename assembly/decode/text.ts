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
import { Status } from "../abi";
import { EVENT_CPU, EVENT_FLAGS, EVENT_HAS_VQ, EVENT_IP, EVENT_KIND, EVENT_LEN, EVENT_PLACE, EVENT_TEXT, EVENT_TS, EVENT_VQ, EventKind } from "../event-abi";
import { LineVerdict, MAX_LINE, MAX_NAMES, Problem } from "../decode-abi";
import {
  Columns,
  fastEnd,
  fastFields,
  fastName,
  fastPrefix,
  learnColumns,
  learnName,
  learnSteps,
  Name,
} from "./fast-line";
import { lineEnd } from "../base/line-end";
import { linePrefix } from "./line-prefix";
import { MARKER_REFUSED, readMarker } from "./marker";
import { take } from "../base/memory";
import { number, numberEnd, parseNumber, SPACE, storeSized } from "./number";
import { EventPlan, FieldPlan, findName, Plan } from "./plan";
import { functionOf, isForeign, signatureOf } from "./shapes";
import { clearRecord, makeRoom, noteCpu, noteTime, recordAt, Stream } from "./stream";
import { blankColours, cutLine, finishText, longLine, noteOrder, refuse, restSkipped, textEnd } from "./text-lines";

/** Longest text of a marker that is kept. */
const MAX_MARKER: u32 = 1024;

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

/**
 * Reads lines that are like the ones before into records, from record `tail` on; stops at the first
 * one that is not, or when the room for records is used up. Returns the new tail.
 */
function scanAlike(s: Stream, tail: u32): u32 {
  let plan = changetype<Plan>(s.plan);
  let columns = changetype<Columns>(s.columns);
  let line = s.buf + s.pos;
  let end = s.buf + s.len;
  let place = s.place;
  let lastTs = s.lastTs;
  let offset = <u64>s.offset;
  let first = s.firstSeen;
  let latest = s.lastSeen;
  let cpu: u32 = ~0;
  while (tail < s.recordCap) {
    let record = recordAt(s, tail);
    clearRecord(record);
    let at = fastPrefix(columns, line, record);
    if (!at) break;
    let known = fastName(plan, at);
    if (!known) break;
    let event = changetype<EventPlan>(changetype<Name>(known).event);
    let kind = event.kind;
    at += changetype<Name>(known).length;
    let stop =
      kind == EventKind.Other ? otherEnd(event, at, end) : fastFields(event, at + 1, end, record);
    if (!stop || stop - line >= <u32>MAX_LINE) break;
    let ts = load<u64>(record + EVENT_TS) + offset;
    if (ts < first) first = ts;
    if (ts > latest) latest = ts;
    event.count++;
    if (load<u16>(record + EVENT_CPU) != cpu) {
      cpu = load<u16>(record + EVENT_CPU);
      noteCpu(cpu);
    }
    if (kind != EventKind.Other) {
      store<u64>(record + EVENT_PLACE, place);
      store<u8>(record + EVENT_KIND, <u8>kind);
      store<u8>(record + EVENT_FLAGS, load<u64>(record + EVENT_VQ) != 0 ? EVENT_HAS_VQ : 0);
      store<u64>(record + EVENT_TS, ts);
      if (ts < lastTs) s.disordered = 1;
      lastTs = ts;
      ++tail;
    }
    ++place;
    line = stop + 1;
  }
  s.decoded += place - s.place;
  s.place = place;
  s.lastTs = lastTs;
  s.firstSeen = first;
  s.lastSeen = latest;
  s.pos = <u32>(line - s.buf);
  return tail;
}

/**
 * Where a line of an event ends that is not ours, as far as is known; 0 when it may be ours: a probe
 * (it has brackets) with fields that the host has not seen under this name.
 */
// @ts-ignore: decorator
@inline
function otherEnd(event: EventPlan, p: usize, end: usize): usize {
  let stop = fastEnd(p, end);
  if (!stop) return 0;
  while (load<u8>(p) == SPACE) ++p;
  return load<u8>(p) != 0x28 || isForeign(event, signatureOf(p, stop)) ? stop : 0;
}

/** Tabs as blanks: columns that another tool has set. */
function untab(p: usize, end: usize): void {
  for (; p < end; ++p) if (load<u8>(p) == 0x09) store<u8>(p, <u8>SPACE);
}

/**
 * Reads a line of any shape into a record, whose kind is Other where there is nothing to replay. Not Ok:
 * what the host must see, or NoMemory.
 */
function readLine(s: Stream, line: usize, last: usize, record: usize): u32 {
  let plan = changetype<Plan>(s.plan);
  clearRecord(record);
  s.lineTs = s.lastTs;
  s.problem = Problem.None;
  let name = linePrefix(s, line, last, record);
  if (!name && hasTab(line, last)) {
    untab(line, last);
    name = linePrefix(s, line, last, record);
  }
  if (!name) return Status.HostLine;
  last = textEnd(line, name, last);
  let ts = load<u64>(record + EVENT_TS) + <u64>s.offset;
  s.lineTs = ts;
  let nameEnd = name;
  while (nameEnd < last && load<u8>(nameEnd) > SPACE) ++nameEnd;
  let args = nameEnd;
  if (load<u8>(nameEnd - 1) != 0x3a) return Status.HostLine;
  --nameEnd;
  let length = <u32>(nameEnd - name);
  let at = length ? findName(plan, name, length) : 0;
  if (!at) {
    return length && plan.events < <u32>MAX_NAMES ? Status.NewName : Status.HostLine;
  }
  let event = changetype<EventPlan>(at);
  s.lineEvent = at;
  let kind = event.kind;
  if (kind == EventKind.Marker) {
    let text = markerText(args, last);
    kind = readMarker(s, record, text, last);
    if (kind == MARKER_REFUSED) return refuse(s, Problem.Arguments, text - line);
    if (kind == EventKind.Marker && !keepText(record, text, <u32>(last - text))) return Status.NoMemory;
  } else {
    if (load<u8>(args) == 0x09) untab(args, last);
    while (args < last && load<u8>(args) == SPACE) ++args;
    if (kind == EventKind.Other) {
      if (load<u8>(args) == 0x28) {
        s.signature = signatureOf(args, last);
        if (!isForeign(event, s.signature)) return refuse(s, Problem.Shape, args - line);
      }
    } else {
      let fields = args;
      if (kind == EventKind.Ioctl) store<u64>(record + EVENT_IP, <u64>internSymbol(args, last));
      args = skipProbeAddress(args, last);
      let problem = parseFields(s, event, args, last, record);
      if (!problem && event.byFunction && functionOf(fields, last) != event.own) problem = Problem.Missing;
      if (problem) {
        s.signature = signatureOf(fields, last);
        if (problem == Problem.Missing && isForeign(event, s.signature)) {
          event.foreign++;
          s.decoded++;
          noteTime(s, ts);
          store<u8>(record + EVENT_KIND, EventKind.Other);
          return Status.Ok;
        }
        s.problem = problem;
        if (problem == Problem.Value) s.problemAt -= <u32>line;
        return Status.HostLine;
      }
    }
  }
  event.count++;
  s.decoded++;
  noteTime(s, ts);
  noteCpu(load<u16>(record + EVENT_CPU));
  // A marker's text is kept, and an ioctl's symbol: these are always read here.
  if (event.kind != EventKind.Marker && kind != EventKind.Ioctl && !event.byFunction) {
    learnColumns(s, line, last, record);
    learnName(plan, name, length, at);
    if (kind != EventKind.Other && load<u8>(args) == SPACE) learnSteps(event, args + 1, last);
  }
  store<u8>(record + EVENT_KIND, <u8>kind);
  if (kind == EventKind.Other) return Status.Ok;
  store<u64>(record + EVENT_PLACE, s.place);
  if (kind < <u32>EventKind.Other && load<u64>(record + EVENT_VQ)) store<u8>(record + EVENT_FLAGS, EVENT_HAS_VQ);
  store<u64>(record + EVENT_TS, ts);
  if (ts < s.lastTs) s.disordered = 1;
  s.lastTs = ts;
  return Status.Ok;
}

function hasTab(p: usize, end: usize): bool {
  for (; p < end; ++p) if (load<u8>(p) == 0x09) return true;
  return false;
}

/**
 * Scans lines into records until the room for records is used up. Ok: there are records to take,
 * or the stream is at its end.
 */
export function scanText(s: Stream): u32 {
  makeRoom(s);
  if (s.verdict == LineVerdict.Skip) {
    s.pos += s.lineLength;
    s.place++;
  }
  s.verdict = 0;
  let buf = s.buf;
  let end = buf + s.len;
  let tail = s.tail;
  let held = tail;
  let status: u32 = Status.Ok;
  while (true) {
    if (s.skipping && !restSkipped(s)) {
      if (!s.ended) status = Status.NeedBytes;
      break;
    }
    tail = scanAlike(s, tail);
    if (tail >= s.recordCap) break;
    let line = buf + s.pos;
    let stop = lineEnd(line, end);
    let whole = stop < end;
    if (stop - line >= <u32>MAX_LINE) {
      status = longLine(s, line, stop, whole);
      break;
    }
    if (!whole && !s.ended) {
      // The line may go on in the next chunk.
      status = Status.NeedBytes;
      break;
    }
    if (line >= end) break;
    s.lineLength = <u32>(stop - line) + (whole ? 1 : 0);
    if (!whole && s.ended) {
      status = cutLine(s);
      break;
    }
    let last = stop;
    if (last > line && load<u8>(last - 1) == 0x0d) --last;
    if (last == line) {
      // Between the samples of perf script, among others.
      s.pos += s.lineLength;
      s.place++;
      continue;
    }
    blankColours(line, last);
    let record = recordAt(s, tail);
    status = readLine(s, line, last, record);
    if (status != Status.Ok) break;
    if (load<u8>(record + EVENT_KIND) != EventKind.Other) ++tail;
    s.pos += s.lineLength;
    s.place++;
  }
  // Within a batch each line is compared with the one before, wherever a sort moved that.
  if (tail > held) noteOrder(s, held);
  return finishText(s, tail, status);
}
