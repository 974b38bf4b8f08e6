/** Lines of a text stream: where the next one ends, and what becomes of those that were looked at. */
import { LineVerdict, MAX_LINE, Problem, Status } from "../abi";
import { lineEnd } from "../base/line-end";
import { HELD, makeRoom, sortRecords, Stream } from "./stream";

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
  let line = s.buf + s.pos;
  let end = s.buf + s.len;
  let stop = lineEnd(line, end);
  let whole = stop < end;
  s.lineLength = 0;
  // A line that fills the buffer is cut.
  if (!whole && !s.ended && stop - line < <u32>MAX_LINE) return Status.NeedBytes;
  if (line >= end) return Status.Ok;
  s.lineLength = <u32>(stop - line) + (whole ? 1 : 0);
  if (stop > line && load<u8>(stop - 1) == 0x0d) --stop;
  s.lineEnd = <u32>stop;
  if (whole || !s.ended) return Status.Ok;
  return cutLine(s);
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

/** After a batch: how many of the records [0, tail) may be taken, and what run() is to return. */
export function finishText(s: Stream, tail: u32, status: u32): u32 {
  s.tail = tail;
  if (s.disordered) sortRecords(s);
  let finished = s.ended && s.pos >= s.len && status == Status.Ok;
  // A line that the host must see is not in order with records that are held back: it is no event.
  s.ready = finished ? tail : tail > HELD ? tail - HELD : 0;
  if (s.ready == 0 && status == Status.Ok && !finished) s.ready = tail;
  return s.ready ? Status.Ok : status;
}
