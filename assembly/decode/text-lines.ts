/** Lines of a text stream: where the next one ends, and what becomes of those that were looked at. */
import { Status } from "../abi";
import { EVENT_CPU, EVENT_KIND, EVENT_LOST, EVENT_PLACE, EVENT_TS, EventKind } from "../event-abi";
import { LineVerdict, MAX_LINE, Problem } from "../decode-abi";
import { SPACE } from "./number";
import { lineEnd } from "../base/line-end";
import { clearRecord, HELD, makeRoom, recordAt, sortRecords, Stream } from "./stream";

const QUOTE: u32 = 0x22;

/** Before a batch: room for records; a line that the host has seen is behind us. */
export function firstUnread(s: Stream): void {
  makeRoom(s);
  if (s.verdict == LineVerdict.Skip) skipSeen(s);
  s.verdict = 0;
}

// @ts-ignore: decorator
@inline
export function skipSeen(s: Stream): void {
  s.pos += s.lineLength;
  s.place++;
}

/**
 * Finds the next line: `lineLength` with its newline (0 at the end of what there is), and `lineEnd`,
 * the address behind its last character. NeedBytes: it may go on in the next chunk. HostLine: the
 * file ends before the line does.
 */
// @ts-ignore: decorator
@inline
export function nextLine(s: Stream): u32 {
  s.lineLength = 0;
  if (s.skipping && !restSkipped(s)) return s.ended ? Status.Ok : Status.NeedBytes;
  let line = s.buf + s.pos;
  let end = s.buf + s.len;
  let stop = lineEnd(line, end);
  let whole = stop < end;
  if (stop - line >= <u32>MAX_LINE) return longLine(s, line, stop, whole);
  if (!whole && !s.ended) return Status.NeedBytes;
  if (line >= end) return Status.Ok;
  s.lineLength = <u32>(stop - line) + (whole ? 1 : 0);
  if (stop > line && load<u8>(stop - 1) == 0x0d) --stop;
  s.lineEnd = <u32>stop;
  if (whole || !s.ended) return Status.Ok;
  return cutLine(s);
}

/** Reads over the rest of a line that is too long; false: it goes on in the next chunk. */
export function restSkipped(s: Stream): bool {
  let end = s.buf + s.len;
  let stop = lineEnd(s.buf + s.pos, end);
  s.pos = <u32>(min<usize>(stop + 1, end) - s.buf);
  if (stop < end) s.skipping = 0;
  return stop < end;
}

/** A line that is too long, whether or not its end is here: the host hears of it once. */
export function longLine(s: Stream, line: usize, stop: usize, whole: bool): u32 {
  s.lineLength = <u32>(stop - line) + (whole ? 1 : 0);
  s.lineTs = s.lastTs;
  s.skipping = whole ? 0 : 1;
  return refuse(s, Problem.Long, 0);
}

/**
 * The last line, which has no end. Whoever writes lines ends each of them: it is cut, and the host
 * says so, though what is left of it may read well.
 */
export function cutLine(s: Stream): u32 {
  s.problem = Problem.Cut;
  s.problemAt = 0;
  return Status.HostLine;
}

/** The line is for the host, which is told what is wrong and where in the line. */
export function refuse(s: Stream, problem: u32, at: usize): u32 {
  s.problem = problem;
  s.problemAt = <u32>at;
  return Status.HostLine;
}

const ESCAPE: u32 = 0x1b;

/**
 * Blanks out what a program wrote for a terminal in a line that begins with it: `ESC [ numbers`, and the `m` of
 * a colour or the `K` of grep.
 */
export function blankColours(line: usize, end: usize): void {
  if (load<u8>(line) != ESCAPE) return;
  for (let p = line; p + 2 < end; ++p) {
    if (load<u8>(p) != ESCAPE || load<u8>(p + 1) != 0x5b) continue;
    let q = p + 2;
    while (q < end && (<u32>load<u8>(q) - 0x30 < 10 || load<u8>(q) == 0x3b)) ++q;
    if (q < end && (load<u8>(q) == 0x6d || load<u8>(q) == 0x4b)) memory.fill(p, <u8>SPACE, q + 1 - p);
  }
}

/**
 * Where the text ends that holds an event's name: in JSON (`{"log":"…\\n",…}`, a pod's log) and in quotes that is
 * before the end of the line.
 */
export function textEnd(line: usize, name: usize, end: usize): usize {
  let p = line;
  while (p < name && load<u8>(p) == SPACE) ++p;
  let first = <u32>load<u8>(p);
  if (first == 0x7b) {
    for (p = name; p < end; ++p) {
      if (load<u8>(p) == 0x5c) ++p;
      else if (load<u8>(p) == QUOTE) break;
    }
    end = min<usize>(p, end);
  } else if (first != QUOTE && first != 0x27) {
    return end;
  } else if (end > name && <u32>load<u8>(end - 1) == first) {
    --end;
  }
  // What JSON writes for the line's own end.
  while (end > name + 2 && load<u8>(end - 2) == 0x5c && (load<u8>(end - 1) == 0x6e || load<u8>(end - 1) == 0x72)) end -= 2;
  return end;
}

/**
 * A gap at the line that the host looks at, on `cpu` (0xffff: it is not known which); `lost` as
 * EVENT_LOST. False when there is no room.
 */
export function appendGap(s: Stream, cpu: u32, lost: i64): bool {
  if (s.tail >= s.recordCap) return false;
  let record = recordAt(s, s.tail);
  clearRecord(record);
  store<u64>(record + EVENT_TS, s.lineTs);
  store<u64>(record + EVENT_PLACE, s.place);
  store<u16>(record + EVENT_CPU, <u16>cpu);
  store<u8>(record + EVENT_KIND, EventKind.Gap);
  store<i64>(record + EVENT_LOST, lost);
  if (!s.lineTs && s.untimed == s.tail) s.untimed++;
  else if (s.lineTs > s.lastTs) s.lastTs = s.lineTs;
  noteOrder(s, s.tail++);
  return true;
}

/** Whether the record at `i`, the first of some new ones, is earlier than the one it follows. */
export function noteOrder(s: Stream, i: u32): void {
  if (i && load<u64>(recordAt(s, i) + EVENT_TS) < load<u64>(recordAt(s, i - 1) + EVENT_TS)) s.disordered = 1;
}

/** Gaps in front of everything that has a time get the time of what follows. */
function timeFirstGaps(s: Stream): void {
  if (s.tail == s.untimed) return;
  let ts = load<u64>(recordAt(s, s.untimed) + EVENT_TS);
  for (let i: u32 = 0; i < s.untimed; ++i) store<u64>(recordAt(s, i) + EVENT_TS, ts);
  s.untimed = 0;
}

/** After a batch: how many of the records [0, tail) may be taken, and what run() is to return. */
export function finishText(s: Stream, tail: u32, status: u32): u32 {
  s.tail = tail;
  if (s.disordered) sortRecords(s);
  if (s.untimed) timeFirstGaps(s);
  let finished = s.ended && s.pos >= s.len && status == Status.Ok;
  // A line that the host must see is not in order with records that are held back: it is no event. Where only
  // bytes are missing nothing is taken, so that what comes in order does not depend on the pieces.
  s.ready = finished ? tail : status != Status.NeedBytes && tail > HELD ? tail - HELD : 0;
  if (s.ready == 0 && status == Status.Ok && !finished) s.ready = tail;
  return s.ready ? Status.Ok : status;
}
