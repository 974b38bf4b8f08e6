/** Exports of the core that are about one stream: its bytes, its lines, its records. */
import { EVENT_SIZE } from "./event-abi";
import { StreamKind } from "./decode-abi";
import { EventPlan, Plan } from "./decode/plan";
import { passPageDamage } from "./decode/ring";
import { addForeign, functionOf } from "./decode/shapes";
import { passRecordDamage } from "./decode/simpletrace";
import { compact as compactStream, makeRoom, noteTime, recordAt, streamAt } from "./decode/stream";
import { appendGap as appendGapOf } from "./decode/text-lines";

/** Moves the rest of the bytes to the front; returns where the host may put more. */
export function fillPtr(stream: u32): usize {
  let s = streamAt(stream);
  let before = s.pos;
  compactStream(s);
  if (s.kind == StreamKind.Simpletrace) s.place += before;
  if (s.kind == StreamKind.Ring) {
    s.place += before;
    if (s.pageEnd) {
      s.pageEnd -= before;
      s.pageStart -= before;
    }
  }
  return s.buf + s.len;
}
export function fillRoom(stream: u32): u32 {
  let s = streamAt(stream);
  return s.cap - s.len;
}
/** The host put `bytes` at fillPtr(). */
export function filled(stream: u32, bytes: u32): void {
  streamAt(stream).len += bytes;
}
export function ended(stream: u32): void {
  streamAt(stream).ended = 1;
}
export function setRing(stream: u32, subBuffer: u32, mult: u32, shift: u32, offset: i64): void {
  let s = streamAt(stream);
  s.subBuffer = subBuffer;
  s.mult = mult;
  s.shift = shift;
  s.offset = offset;
}
/** Time shift of a stream's records; a QEMU stream's shape and input; the plan of its markers. */
export function setQemu(stream: u32, shape: u32, space: u32, markers: usize, offset: i64): void {
  let s = streamAt(stream);
  s.shape = shape;
  s.space = space;
  s.markers = markers;
  s.offset += offset;
}
/** Adds to the times of a stream, before its first record. */
export function shiftStream(stream: u32, offset: i64): void {
  let s = streamAt(stream);
  s.offset += offset;
  s.shifted += offset;
}
/** What shiftStream() added: without it the times are those in the user's file. */
export function streamShift(stream: u32): i64 {
  return streamAt(stream).shifted;
}
/** What is added to the times of a stream: for records that the host makes. */
export function streamOffset(stream: u32): i64 {
  return streamAt(stream).offset;
}
export function foreignLines(stream: u32): f64 {
  return <f64>streamAt(stream).foreignLines;
}
export function firstForeign(stream: u32): f64 {
  return <f64>streamAt(stream).firstForeign;
}
/** simpletrace: bytes at the end that are no whole record. */
export function tornBytes(stream: u32): u32 {
  return streamAt(stream).torn;
}
/** The line that the host must look at. */
export function linePtr(stream: u32): usize {
  let s = streamAt(stream);
  return s.buf + s.pos;
}
export function lineLength(stream: u32): u32 {
  return streamAt(stream).lineLength;
}
export function lineNumber(stream: u32): f64 {
  return <f64>streamAt(stream).place;
}
export function problem(stream: u32): u32 {
  return streamAt(stream).problem;
}
export function problemAt(stream: u32): u32 {
  return streamAt(stream).problemAt;
}
/** What becomes of the line: LineVerdict. */
export function lineVerdict(stream: u32, verdict: u32): void {
  let s = streamAt(stream);
  s.verdict = verdict;
  s.problem = 0;
}
export function atEndOfInput(stream: u32): bool {
  let s = streamAt(stream);
  return s.ended != 0 && s.pos + s.lineLength >= s.len;
}
/** The EventPlan of the name in that line, where the name is known. */
export function lineEvent(stream: u32): usize {
  return streamAt(stream).lineEvent;
}
/** Lines with these fields and this function are another's event of the same name. */
export function judgeForeign(stream: u32): void {
  let s = streamAt(stream);
  addForeign(changetype<EventPlan>(s.lineEvent), s.signature);
}
/** A hash of the function that the line names in brackets, from its byte `at` on. */
export function lineFunction(stream: u32, at: u32): u64 {
  let line = linePtr(stream);
  return functionOf(line + at, line + lineLength(stream));
}
/** A gap at the line that the host looks at: appendGap() of text-lines.ts. */
export function appendGap(stream: u32, cpu: u32, lost: i64): bool {
  return appendGapOf(streamAt(stream), cpu, lost);
}
/** Room for a record made by the host, zeroed; 0 when the stream is full. */
export function appendRecord(stream: u32): usize {
  let s = streamAt(stream);
  if (s.kind == StreamKind.Records) {
    makeRoom(s);
    s.ready = s.tail;
  }
  if (s.tail >= s.recordCap) return 0;
  let at = recordAt(s, s.tail++);
  memory.fill(at, 0, EVENT_SIZE);
  if (s.kind == StreamKind.Records) s.ready = s.tail;
  return at;
}
/** Takes the last record back that the host appended. */
export function dropRecord(stream: u32): void {
  let s = streamAt(stream);
  s.tail--;
  if (s.kind == StreamKind.Records) s.ready = s.tail;
}
export function rawClock(stream: u32): bool {
  return streamAt(stream).rawClock != 0;
}
export function decoded(stream: u32): f64 {
  return <f64>streamAt(stream).decoded;
}
export function outOfOrder(stream: u32): f64 {
  return <f64>streamAt(stream).outOfOrder;
}
/** After Damaged: goes on behind what cannot be read, with a gap in its place. */
export function passDamage(stream: u32): void {
  let s = streamAt(stream);
  if (s.kind == StreamKind.Ring) passPageDamage(s);
  else passRecordDamage(s);
}
/** simpletrace without a header, as SystemTap writes it. */
export function beginRecords(stream: u32): void {
  streamAt(stream).begun = 1;
}
/** The time of a record that the host made: for the span of the stream. */
export function noteTs(stream: u32, ts: u64): void {
  noteTime(streamAt(stream), ts);
}
/** Bytes of this CPU's data before the stream's buffer. */
export function ringBase(stream: u32): f64 {
  return <f64>streamAt(stream).place;
}
export function unknownIds(plan: usize): f64 {
  return <f64>changetype<Plan>(plan).unknownIds;
}
