/**
 * Takes the records of all streams in the order of time, equal times in the order of the streams,
 * and replays them. Returns to the host whenever it has something to do.
 */
import { Status } from "./abi";
import { EVENT_KIND, EVENT_LEN, EVENT_TEXT, EVENT_TS, EventKind } from "./event-abi";
import { StreamKind } from "./decode-abi";
import { give } from "./base/memory";
import { drainFull, draining, drainTime } from "./known/drain";
import { profile, profiling } from "./migration/profile";
import { scanQemuLog } from "./decode/qemu-log";
import { scanRing } from "./decode/ring";
import { scanSimple } from "./decode/simpletrace";
import { sample } from "./decode/sample";
import { recordAt, Stream, streamAt } from "./decode/stream";
import { scanText } from "./decode/text";
import { apply, isUnplaced } from "./device/apply";
import { doneCount, outOfMemory, watchedCount } from "./device/write";
import { endTurn, endWait, findTurnEnd, nextWaiting, turnEnd, turnEndsBefore, turnOf } from "./turn";

/** The stream that the host must look at, and the record. */
export let current: u32 = 0;
export let currentEvent: usize = 0;
/** Records replayed. */
export let replayed: u64 = 0;
/** Every record goes to the host, none is replayed: `dump`. */
let raw: bool = false;
let pendingText: usize = 0;
let pendingTextLength: u32 = 0;

export function setRaw(on: bool): void {
  raw = on;
}

// @ts-ignore: decorator
@inline
function finished(s: Stream): bool {
  return s.ended != 0 && s.pos >= s.len && s.head >= s.ready && s.ready == s.tail;
}

/** Makes sure that a stream has a record to take, unless it is at its end. */
function refill(s: Stream): u32 {
  while (s.head >= s.ready) {
    if (finished(s)) return Status.Ok;
    let status: u32;
    if (s.kind == StreamKind.Ring) {
      status = scanRing(s);
    } else if (s.kind == StreamKind.Records) {
      status = s.ended ? Status.Ok : Status.NeedBytes;
      if (s.ended) {
        s.pos = s.len;
        s.ready = s.tail;
      }
    } else if (s.kind == StreamKind.QemuLog) {
      status = scanQemuLog(s);
    } else if (s.kind == StreamKind.Simpletrace) {
      status = scanSimple(s);
    } else {
      status = scanText(s);
    }
    if (status != Status.Ok) return status;
    if (s.head >= s.ready && !finished(s) && s.tail == 0 && s.pos >= s.len && !s.ended) {
      return Status.NeedBytes;
    }
  }
  return Status.Ok;
}

/** Replays until the host has something to do, see Status; End when everything was replayed. */
export function run(): u32 {
  if (pendingText) {
    give(pendingText, pendingTextLength + 8);
    pendingText = 0;
  }
  // An event may end a request and touch the watched range: the host saw the one, now the other.
  if (watchedCount) return Status.WatchedWrite;
  let status: u32 = Status.Ok;
  while (status == Status.Ok) status = runBurst();
  return status;
}

/** Whether another input has this event. Its marker's text is given back: the host does not see it. */
function skipped(s: Stream, event: usize, ts: u64): bool {
  let kind = <u32>load<u8>(event + EVENT_KIND);
  let kinds = kind < 64 ? s.skipKinds : s.skipHighKinds;
  if (!((kinds >> (kind & 63)) & 1) || ts < s.skipFrom || ts > s.skipTo) return false;
  if (kind == EventKind.Marker) {
    give(<usize>load<u64>(event + EVENT_TEXT), load<u32>(event + EVENT_LEN) + 8);
  }
  return true;
}

/** Gives every stream a record to take, or finds that it is at its end. */
function fillWaiting(): u32 {
  while (true) {
    let stream = nextWaiting();
    if (stream < 0) return Status.Ok;
    let s = streamAt(stream);
    let status = refill(s);
    if (status != Status.Ok) {
      current = stream;
      return status;
    }
    endWait(s.head >= s.ready);
  }
}

/** Replays records of the stream whose turn it is; Ok when it is another one's turn. */
function runBurst(): u32 {
  let status = fillWaiting();
  if (status != Status.Ok) return status;
  let best = turnOf();
  if (best < 0) return Status.End;
  let s = streamAt(best);
  current = best;
  findTurnEnd();
  let limit = turnEnd;
  let limitFirst = turnEndsBefore;
  // Records of one stream follow each other until another stream's turn. At equal times the
  // earlier stream goes first: `limitFirst` says that the limit is of an earlier one.
  let from = s.head;
  let head = from;
  let ready = s.ready;
  let takenTs = s.takenTs;
  let event: usize = 0;
  if (!s.taken) s.firstTs = load<u64>(recordAt(s, head) + EVENT_TS);
  while (head < ready) {
    event = recordAt(s, head);
    let ts = load<u64>(event + EVENT_TS);
    if (ts > limit || (ts == limit && limitFirst)) break;
    ++head;
    if (ts < takenTs) s.outOfOrder++;
    else takenTs = ts;
    if ((s.skipKinds | s.skipHighKinds) != 0 && skipped(s, event, ts)) continue;
    if (draining) drainTime(ts);
    let host: bool;
    if (raw) host = true;
    else if (profiling) {
      sample(event, s);
      host = profile(event);
    } else {
      if (isUnplaced(event, best)) {
        // Taken again once the host has said where it belongs.
        --head;
        if (ts < takenTs) s.outOfOrder--;
        status = Status.Unplaced;
        break;
      }
      host = apply(event, best);
    }
    if (outOfMemory) status = Status.NoMemory;
    else if (host) status = Status.HostEvent;
    else if (doneCount) status = Status.RequestDone;
    else if (watchedCount) status = Status.WatchedWrite;
    else if (drainFull) status = Status.Drained;
    if (status) break;
  }
  s.head = head;
  s.taken += head - from;
  s.takenTs = takenTs;
  endTurn(s);
  replayed += head - from;
  if (status == Status.Unplaced) currentEvent = event;
  if (status == Status.HostEvent) {
    currentEvent = event;
    if (<u32>load<u8>(event + EVENT_KIND) == EventKind.Marker) {
      pendingText = <usize>load<u64>(event + EVENT_TEXT);
      pendingTextLength = load<u32>(event + EVENT_LEN);
    }
  }
  return status;
}
