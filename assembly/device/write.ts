/**
 * Writes: into the plane of their cause, into the evidence, and, when the host watches, to it.
 * Requests that leave their queue are kept for the host here too.
 */
import { PAGE_SHIFT } from "../abi";
import { EVENT_TS } from "../event-abi";
import { EVIDENCE_SIZE } from "../page-abi";
import { DESC_ACC, DESC_GPA, DESC_LEN, DESC_SIZE, QUEUE_OUT_OF_RANGE, REQUEST_DESCS, REQUEST_DESC_COUNT, REQUEST_STATE } from "../queue-abi";
import { beforeMark } from "../migration/early";
import { fillEvidence, newEvidence } from "../pages/evidence";
import { enlarge } from "../base/memory";
import { draining, drainRequest, drainWrite } from "../known/drain";
import { migration } from "../migration/migration-state";
import { migrationWrite } from "../migration/migration-write";
import { freshFirst, freshLast, mark, NO_MEMORY, OUT_OF_RANGE } from "../pages/planes";
import { atEvent, writesFor } from "../known/moment";
import { addCount, freeRequest } from "../known/queue";

export let outOfMemory: bool = false;

let serial: u64 = 0;

/** Requests are numbered from 1, in the order in which they were seen. */
export function nextSerial(): u64 {
  return ++serial;
}

export function noMemory(): void {
  outOfMemory = true;
}

/** Requests that left their queue; kept until `dropDone()`. */
export let observeRequests: bool = false;
export let done: usize = 0;
export let doneCount: u32 = 0;
let doneCap: u32 = 0;

/** Watched range of pages [first, last]; writes into it are EVIDENCE records. */
let watching: bool = false;
let watchFirst: u64 = 0;
let watchLast: u64 = 0;
export let watched: usize = 0;
export let watchedCount: u32 = 0;
let watchedCap: u32 = 0;

export function observe(requests: bool): void {
  observeRequests = requests;
}

/** Watches the pages of [gpa, gpa+len). */
export function watch(gpa: u64, len: u64): void {
  watching = len != 0;
  watchFirst = gpa >> PAGE_SHIFT;
  watchLast = (gpa + len - 1) >> PAGE_SHIFT;
}

export function dropWatched(): void {
  watchedCount = 0;
}

/** Lets go of the requests that the host has seen. */
export function dropDone(): void {
  for (let i: u32 = 0; i < doneCount; ++i) freeRequest(load<u32>(done + (i << 2)));
  doneCount = 0;
}

export function finish(request: usize, state: u32): void {
  store<u32>(request + REQUEST_STATE, state);
  if (draining) drainRequest(request);
  if (!observeRequests) {
    freeRequest(request);
    return;
  }
  if (doneCount == doneCap) {
    let cap = doneCap ? doneCap << 1 : 256;
    let bigger = enlarge(done, doneCap << 2, cap << 2);
    if (!bigger) {
      outOfMemory = true;
      freeRequest(request);
      return;
    }
    done = bigger;
    doneCap = cap;
  }
  store<u32>(done + (doneCount++ << 2), <u32>request);
}

function noteWatched(cause: u32, gpa: u64, len: u64): void {
  if (watchedCount == watchedCap) {
    let cap = watchedCap ? watchedCap << 1 : 64;
    let bigger = enlarge(watched, watchedCap * EVIDENCE_SIZE, cap * EVIDENCE_SIZE);
    if (!bigger) {
      outOfMemory = true;
      return;
    }
    watched = bigger;
    watchedCap = cap;
  }
  let at = watched + watchedCount++ * EVIDENCE_SIZE;
  fillEvidence(at, cause, gpa, len);
}

/**
 * One write of a queue, for a request or (0) to its ring: into the plane of its cause, and into the
 * evidence when it is the first there.
 */
export function write(cause: u32, gpa: u64, len: u64, q: usize, request: usize): void {
  writesFor(q, request);
  beforeMark(cause, gpa, len, load<u64>(atEvent + EVENT_TS));
  let found = mark(cause, gpa, len);
  if (found > 0) {
    let at = newEvidence();
    if (at) {
      let first = max<u64>(gpa, <u64>freshFirst << PAGE_SHIFT);
      let end = min<u64>(gpa + len, (<u64>freshLast + 1) << PAGE_SHIFT);
      fillEvidence(at, cause, first, end - first);
    }
  } else if (found < 0) {
    if (found == OUT_OF_RANGE) addCount(q + QUEUE_OUT_OF_RANGE, 1);
    if (found == NO_MEMORY) outOfMemory = true;
    return;
  }
  if (draining) drainWrite(cause, gpa, len);
  if (migration().underWay && !migration().byRound) migrationWrite(cause, gpa, len);
  if (
    watching &&
    len != 0 &&
    gpa >> PAGE_SHIFT <= watchLast &&
    (gpa + len - 1) >> PAGE_SHIFT >= watchFirst
  ) {
    noteWatched(cause, gpa, len);
  }
}

/**
 * The first `rest` bytes of a request's write descriptors. Returns what is left for another chain;
 * `reached` says how many descriptors were touched.
 */
export function writePrefix(cause: u32, rest: u64, q: usize, request: usize): u64 {
  reached = 0;
  let desc = <usize>load<u32>(request + REQUEST_DESCS);
  let end = desc + load<u32>(request + REQUEST_DESC_COUNT) * DESC_SIZE;
  for (; desc < end && rest; desc += DESC_SIZE) {
    if (load<u32>(desc + DESC_ACC) != 2) continue;
    let length = min<u64>(load<u32>(desc + DESC_LEN), rest);
    rest -= length;
    ++reached;
    write(cause, load<u64>(desc + DESC_GPA), length, q, request);
  }
  return rest;
}

/** Descriptors that the last writePrefix() touched. */
export let reached: u32 = 0;
