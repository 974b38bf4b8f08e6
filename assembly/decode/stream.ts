/**
 * A stream: bytes of one text, or of one CPU's ring buffer, and the records decoded from them.
 * The host puts bytes into `buf`; a scanner turns them into records; `merge` takes records.
 */
import { EVENT_SIZE, EVENT_TS } from "../event-abi";
import { StreamKind } from "../decode-abi";
import { reserve } from "../base/memory";

/** Input buffer of a stream; reading past the end of what is filled must stay inside. */
export const BUFFER_SLACK: u32 = 256;
/** Records of a text stream held back, because lines may be out of order by some milliseconds. */
export const HELD: u32 = 1024;
/** Room for fast-line.ts Columns. */
const COLUMNS_BYTES: u32 = 128;
/** Prefixes that a stream of QEMU's log keeps, and room for one: qemu-prefix.ts. */
export const SECONDS: u32 = 64;
const SECOND_BYTES: u32 = 80;

@unmanaged
export class Stream {
  kind: u32;
  id: u32;
  plan: usize;

  buf: usize;
  cap: u32;
  len: u32;
  pos: u32;
  /** The host has no more bytes. */
  ended: u32;

  /** Records [head, ready) may be taken, [ready, tail) are held back. */
  records: usize;
  recordCap: u32;
  /** Number of the slot of record 0: slots are used in turn, so that held records never move. */
  base: u32;
  head: u32;
  ready: u32;
  tail: u32;

  /** Text: number of the line at `pos`, 1-based. Ring: bytes of this CPU before `buf`. */
  place: u64;
  lastTs: u64;
  /** A record of this batch is earlier than the one before it. */
  disordered: u32;
  cpu: u32;
  outOfOrder: u64;
  decoded: u64;
  /** Lines that are no event, and the number of the first one. */
  foreignLines: u64;
  firstForeign: u64;

  /** Text: column of `[` in the last event line. */
  anchor: u32;
  /** Text: the columns of its lines, see fast-line.ts; QEMU's log: see qemu-prefix.ts. */
  columns: usize;
  /** Text: a line that the host looked at is taken as this, LineVerdict. */
  verdict: u32;
  lineLength: u32;
  /** What is wrong, and where in the line or page. */
  problem: u32;
  problemAt: u32;
  /** Ring: where the next record begins, when one is damaged; place + 1 of the last damage, 0: passed. */
  problemEnd: u32;
  problemTs: u64;
  damagedAt: u64;
  /** Ring: end of the committed data of the current page, 0 between pages. */
  pageEnd: u32;
  pageStart: u32;
  ts: u64;
  /** ns = ((ts * mult) >> shift) + offset; mult 0: no conversion. */
  mult: u32;
  shift: u32;
  offset: i64;
  /** Set when a time was printed without a dot. */
  rawClock: u32;
  subBuffer: u32;
  /** QEMU's log: LogShape. */
  shape: u32;
  /** Text: the rest of a line that is too long is read over. */
  skipping: u32;
  /** Text: the address behind the last character of the line at `pos`. */
  lineEnd: u32;
  /** simpletrace: the header was read; bytes of a record, or of a page, that the end of the file cuts. */
  begun: u32;
  /** simpletrace: behind damage, where the next record is looked for. */
  seeking: u32;
  torn: u32;
  /** Plan of QEMU's events in this stream's markers, 0 when there is none. */
  markers: usize;
  /** Which input it belongs to: user-space addresses of two processes may be equal. */
  space: u32;
  /** The line that the host looks at: its time, or that of the record before; the plan of its name. */
  lineTs: u64;
  lineEvent: usize;
  /** Signature of its fields: shapes.ts. */
  signature: u64;
  /** How many records, the first ones, are gaps before anything that has a time. */
  untimed: u32;
  /** Of all events, also those that are only counted: first and last time; first > last: none. */
  firstSeen: u64;
  lastSeen: u64;
  /** What the host added to `offset` to join clocks. */
  shifted: i64;
  /** Merged output of this stream: time of the last record taken. */
  takenTs: u64;
  firstTs: u64;
  taken: u64;
  /** Kinds of events (bits) that another input has at these times, see skipStream(). */
  skipKinds: u64;
  /** The same of the kinds from 64 on. */
  skipHighKinds: u64;
  skipFrom: u64;
  skipTo: u64;
  /** A first look: the kernel's events of the recipe, the first and the last one's time. */
  ownEvents: u64;
  ownFrom: u64;
  ownTo: u64;
}

export const MAX_STREAMS: u32 = 4096;
const table: usize = memory.data(4096 * 4);
export let streamCount: u32 = 0;

// @ts-ignore: decorator
@inline
export function streamAt(i: u32): Stream {
  return changetype<Stream>(<usize>load<u32>(table + (i << 2)));
}

/**
 * A new stream with an input buffer of `bufferBytes` and room for at least `recordCap` records, a
 * power of two. Returns its number, -1 when there are too many or memory is exhausted.
 */
export function addStream(
  kind: u32,
  plan: usize,
  cpu: u32,
  bufferBytes: u32,
  recordCap: u32,
): i32 {
  if (streamCount == MAX_STREAMS) return -1;
  let at = reserve(offsetof<Stream>());
  if (!at) return -1;
  let s = changetype<Stream>(at);
  s.kind = kind;
  s.plan = plan;
  s.cpu = cpu;
  s.cap = bufferBytes;
  s.buf = reserve(bufferBytes + BUFFER_SLACK);
  s.recordCap = recordCap > 1 ? 1 << (32 - clz<u32>(recordCap - 1)) : 1;
  s.records = reserve(s.recordCap * EVENT_SIZE);
  s.columns = 1;
  if (kind == StreamKind.Text) s.columns = reserve(COLUMNS_BYTES);
  else if (kind == StreamKind.QemuLog) s.columns = reserve(SECONDS * SECOND_BYTES);
  if (!s.buf || !s.records || !s.columns) return -1;
  s.firstSeen = ~(<u64>0);
  s.id = streamCount;
  s.place = kind == StreamKind.Text || kind == StreamKind.QemuLog ? 1 : 0;
  store<u32>(table + (streamCount << 2), <u32>at);
  return streamCount++;
}

/** Leaves out events of these kinds (a bit each, those from 64 on in `highKinds`) between two times of the common clock, both included. */
export function skipStream(stream: u32, kinds: u64, highKinds: u64, from: u64, to: u64): void {
  let s = streamAt(stream);
  s.skipKinds = kinds;
  s.skipHighKinds = highKinds;
  s.skipFrom = from;
  s.skipTo = to;
}

/** Moves what is not scanned to the start of the buffer; returns how many bytes there are. */
export function compact(s: Stream): u32 {
  let rest = s.len - s.pos;
  if (s.pos) {
    memory.copy(s.buf, s.buf + s.pos, rest);
    s.pos = 0;
    s.len = rest;
  }
  return rest;
}

/** Makes room for new records: the first of the held ones becomes record 0. */
export function makeRoom(s: Stream): void {
  s.base += s.head;
  s.tail -= s.head;
  s.head = 0;
  s.ready = 0;
}

// @ts-ignore: decorator
@inline
export function recordAt(s: Stream, i: u32): usize {
  return s.records + ((s.base + i) & (s.recordCap - 1)) * EVENT_SIZE;
}

/** Notes the time of an event for the span of its stream. */
// @ts-ignore: decorator
@inline
export function noteTime(s: Stream, ts: u64): void {
  if (ts < s.firstSeen) s.firstSeen = ts;
  if (ts > s.lastSeen) s.lastSeen = ts;
}

/** Zeroes a record. Stores in place: a call of memory.fill costs more than these (measured). */
// @ts-ignore: decorator
@inline
export function clearRecord(at: usize): void {
  let zero = i64x2.splat(0);
  v128.store(at, zero);
  v128.store(at, zero, 16);
  v128.store(at, zero, 32);
  v128.store(at, zero, 48);
  v128.store(at, zero, 64);
  v128.store(at, zero, 80);
  v128.store(at, zero, 96);
  store<u64>(at, 0, 112);
}

/** A record that is out of order by more than this is left to sortRecords(). */
const NEAR: u32 = 64;
const spare: usize = memory.data(120);

/**
 * Puts the record at `tail`, just decoded with time `ts`, where its time belongs. Lines of several
 * threads are often out of order by one or two places: moving these costs a tenth of sorting the
 * batch (measured).
 */
// @ts-ignore: decorator
@inline
export function placeRecord(s: Stream, tail: u32, ts: u64): void {
  if (ts >= s.lastTs) s.lastTs = ts;
  else moveBack(s, tail, ts);
}

function moveBack(s: Stream, tail: u32, ts: u64): void {
  let first = tail > NEAR ? tail - NEAR : 0;
  let i = tail;
  while (i > first && load<u64>(recordAt(s, i - 1) + EVENT_TS) > ts) --i;
  if (i == first && first) {
    s.disordered = 1;
    return;
  }
  memory.copy(spare, recordAt(s, tail), EVENT_SIZE);
  // One after the other: the records are a ring, and need not follow each other in memory.
  for (let k = tail; k > i; --k) memory.copy(recordAt(s, k), recordAt(s, k - 1), EVENT_SIZE);
  memory.copy(recordAt(s, i), spare, EVENT_SIZE);
}

const sortCap: u32 = 8192;
let keysA: usize = 0;
let keysB: usize = 0;
let scratch: usize = 0;

/**
 * Sorts the records by time, equal times in the order read: a bottom-up merge sort of
 * {time, number} pairs, then one permutation. Only run when a batch is out of order.
 */
export function sortRecords(s: Stream): void {
  let n = s.tail;
  s.disordered = 0;
  if (n < 2 || n > sortCap) return;
  if (!keysA) {
    keysA = reserve(sortCap * 16);
    keysB = reserve(sortCap * 16);
    scratch = reserve(sortCap * EVENT_SIZE);
    if (!keysA || !keysB || !scratch) return;
  }
  let from = keysA;
  let to = keysB;
  for (let i: u32 = 0; i < n; ++i) {
    store<u64>(from + (i << 4), load<u64>(recordAt(s, i) + EVENT_TS));
    store<u32>(from + (i << 4) + 8, i);
  }
  for (let width: u32 = 1; width < n; width <<= 1) {
    for (let lo: u32 = 0; lo < n; lo += width << 1) {
      let mid = min<u32>(lo + width, n);
      let hi = min<u32>(lo + (width << 1), n);
      let a = lo;
      let b = mid;
      for (let k = lo; k < hi; ++k) {
        let left =
          a < mid && (b >= hi || load<u64>(from + (a << 4)) <= load<u64>(from + (b << 4)));
        let pick = left ? a++ : b++;
        store<u64>(to + (k << 4), load<u64>(from + (pick << 4)));
        store<u32>(to + (k << 4) + 8, load<u32>(from + (pick << 4) + 8));
      }
    }
    let swap = from;
    from = to;
    to = swap;
  }
  for (let i: u32 = 0; i < n; ++i) {
    memory.copy(scratch + i * EVENT_SIZE, recordAt(s, i), EVENT_SIZE);
  }
  for (let i: u32 = 0; i < n; ++i) {
    let index = load<u32>(from + (i << 4) + 8);
    memory.copy(recordAt(s, i), scratch + index * EVENT_SIZE, EVENT_SIZE);
  }
}

/** CPUs that any record came from, a bit each. */
export const cpuSet: usize = memory.data(512, 8);

// @ts-ignore: decorator
@inline
export function noteCpu(cpu: u32): void {
  if (cpu < 4096) {
    let at = cpuSet + ((cpu >> 6) << 3);
    store<u64>(at, load<u64>(at) | ((<u64>1) << (cpu & 63)));
  }
}
