/** The exports of the core, and nothing else. Words in, words out: addresses, numbers, statuses. */
import { ABI, EVENT_SIZE, StreamKind } from "./abi";
import { current, currentEvent, replayed } from "./merge";
import {
  hashCount,
  hashes,
  profileLoads,
  profileSaves,
  profileZeros,
  receivedOrder,
  sentInOrder,
  sentOrder,
  zeroRunCount,
  zeroRuns,
  zeroRunsFull,
} from "./migration/profile";
import { migration } from "./migration/migration-state";
import { kindCounts, met, metCount, sampleCount, sampleMask, samples } from "./decode/sample";
import { take as takeMemory } from "./base/memory";
import { firstQueue, queueCount, queuesRefused } from "./known/queue";
import { abandon as abandonStream } from "./decode/ring";
import { compact as compactStream, cpuSet, makeRoom, recordAt, streamAt } from "./decode/stream";
import { orphanDescs, threadsRefused } from "./known/thread";
import { machine } from "./known/machine";
import { pages } from "./pages/page-state";
import { popsWithoutQueue } from "./device/vhost";

export { setParts } from "./device/used";
import { done, doneCount, watched, watchedCount } from "./device/write";

export { attribute, dropEvidence, nextRound } from "./pages/evidence";
export { run, setRaw } from "./merge";
export {
  addEvent,
  eventCount,
  newPlan,
  planMoves,
  setMarkerText,
  setPageLayout,
  setRingField,
  setTextField,
} from "./decode/plan";
export {
  linkQueue,
  machineOfQueue,
  newMachine,
  placeQueue,
  placeSpace,
  prepare,
  useMachine,
} from "./machine";
export { setDriver } from "./known/device";
export { noteThread, ownerOf, processOf } from "./known/worker";
export { mark } from "./pages/planes";
export { useRows } from "./pages/rows";
export { addStream, skipStream } from "./decode/stream";
export { setSlack } from "./migration/flight";
export {
  closeMigration,
  endMigration,
  migrationIsOver,
  migrationSync,
  startMigration,
} from "./migration/migration";
export { markSends, onLoad, onSave } from "./migration/sends";
export { migrationGap } from "./migration/trackers";
export { setRamBase, setZeros } from "./migration/zero-pages";
export { setSlot } from "./known/kvm-slots";
export { addRamBlock, addRange, clearRanges } from "./known/ram-ranges";
export { findEntry, keepEntries } from "./migration/stale-entry";
export { stopRings } from "./device/device";
export { restartOrder, setProfiling } from "./migration/profile";
export { mute } from "./decode/plan";
export { addPattern, setPiece } from "./decode/qemu-arguments";
export { intern, stringPtr } from "./known/string";
export { clearRound, exportSet, nextBlock, setRuns, sync } from "./sync";
export {
  clearEndpoint,
  endInFlight,
  inFlightWriteBytes,
  setFeatures,
} from "./device/device";
export { setLogBase } from "./known/log-state";
export { elementBytesInFlight, endElements } from "./device/qemu-device";
export { setQemuLogging, setQemuRing } from "./device/qemu-queue";
export { dropDone, dropWatched, observe, watch } from "./device/write";
import { counts } from "./sync";
import { rowTable } from "./pages/rows";
import { Plan } from "./decode/plan";

export function pagesSaved(): f64 {
  return <f64>migration().saves;
}
export function pagesResent(): f64 {
  return <f64>migration().resends;
}
/** Time of the first send since markSends(); 0: none. */
export function firstSendTs(): u64 {
  return migration().markedSend;
}
export function zerosSent(): f64 {
  return <f64>migration().zeroSends;
}
export function pagesUnplaced(): f64 {
  return <f64>migration().unplacedSends;
}
export function pagesLoaded(): f64 {
  return <f64>migration().loads;
}
export function zerosLoaded(): f64 {
  return <f64>migration().zeroLoads;
}
export function pagesDirtiedByCpu(): f64 {
  return <f64>migration().cpuDirtied;
}
export function refusedEntries(): f64 {
  return <f64>migration().entriesRefused;
}

// ---------------------------------------------------------------- a first look

export function profiledSaves(): f64 {
  return <f64>profileSaves;
}
export function profiledLoads(): f64 {
  return <f64>profileLoads;
}
export function profiledZeros(): f64 {
  return <f64>profileZeros;
}
export function zeroRunsPtr(): usize {
  return zeroRuns;
}
export function zeroRunsLength(): u32 {
  return zeroRunCount;
}
export function zeroRunsIncomplete(): bool {
  return zeroRunsFull;
}
export function pageHashesPtr(): usize {
  return hashes;
}
export function pageHashesLength(): u32 {
  return hashCount;
}
/** Where the sample of events lies, how many they are, and which bits of what they say are zero. */
export function samplesPtr(): usize {
  return samples;
}
export function samplesLength(): u32 {
  return sampleCount;
}
export function samplesMask(): u64 {
  return sampleMask;
}
/** Where the number of events of each kind lies. */
export function kindCountsPtr(): usize {
  return kindCounts;
}
/** Where the addresses of the virtqueues that were met lie, and how many they are. */
export function metPtr(): usize {
  return met;
}
export function metLength(): u32 {
  return metCount;
}
/** Of a stream: the kernel's events of the recipe, and when the first and the last of them was. */
export function ownEvents(stream: u32): f64 {
  return <f64>streamAt(stream).ownEvents;
}
export function ownFrom(stream: u32): u64 {
  return streamAt(stream).ownFrom;
}
export function ownTo(stream: u32): u64 {
  return streamAt(stream).ownTo;
}
export function sentInThisOrder(): f64 {
  return <f64>sentInOrder;
}
export function sentOrderPtr(): usize {
  return sentOrder;
}
export function receivedOrderPtr(): usize {
  return receivedOrder;
}
/** The recorded destination received other pages than the source sent. */
export function destinationDiffers(): bool {
  return migration().misaligned;
}

export function abi(): u32 {
  return ABI;
}
/** Memory for the host: scratch space, names. Never given back. */
export function allocate(bytes: u32): usize {
  return takeMemory(bytes);
}
export function rowTablePtr(): usize {
  return rowTable;
}
export function countsPtr(): usize {
  return counts;
}

// ---------------------------------------------------------------- streams

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
  streamAt(stream).offset += offset;
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
/** Time of the last record decoded, for a record that the host appends behind it. */
export function lastTs(stream: u32): u64 {
  return streamAt(stream).lastTs;
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
export function abandon(stream: u32): void {
  abandonStream(streamAt(stream));
}
/** Bytes of this CPU's data before the stream's buffer. */
export function ringBase(stream: u32): f64 {
  return <f64>streamAt(stream).place;
}
export function unknownIds(plan: usize): f64 {
  return <f64>changetype<Plan>(plan).unknownIds;
}

// ---------------------------------------------------------------- what run() left

export function currentStream(): u32 {
  return current;
}
export function eventPtr(): usize {
  return currentEvent;
}
export function eventsReplayed(): f64 {
  return <f64>replayed;
}
export function donePtr(): usize {
  return done;
}
export function doneLength(): u32 {
  return doneCount;
}
export function watchedPtr(): usize {
  return watched;
}
export function watchedLength(): u32 {
  return watchedCount;
}
export function firstQueuePtr(): usize {
  return firstQueue;
}
export function queues(): u32 {
  return queueCount;
}
export function firstFindingPtr(): usize {
  return pages().firstFinding;
}
export function refusedEvidence(): f64 {
  return <f64>pages().evidenceRefused;
}
export function refusedQueues(): f64 {
  return <f64>queuesRefused;
}
export function refusedThreads(): f64 {
  return <f64>threadsRefused;
}
export function orphans(): f64 {
  return <f64>orphanDescs;
}
export function popsWithoutAQueue(): f64 {
  return <f64>popsWithoutQueue;
}
export function loggingSeen(): u32 {
  return (machine.sawLogAll ? 1 : 0) | (machine.sawLogUsed ? 2 : 0);
}
/** Page after the last one that may have been touched in this round. */
export function roundEndPage(): f64 {
  return <f64>pages().roundEnd * 512;
}
export function blocks(): u32 {
  return pages().blockCount;
}
/** 4096 bits: the CPUs that text lines named. */
export function cpuSetPtr(): usize {
  return cpuSet;
}
/** Times of the first record taken from a stream, and of the latest one. */
export function firstTs(stream: u32): u64 {
  return streamAt(stream).firstTs;
}
export function takenTs(stream: u32): u64 {
  return streamAt(stream).takenTs;
}
/** Records taken from a stream. */
export function taken(stream: u32): f64 {
  return <f64>streamAt(stream).taken;
}
/** Sums over all queues: completions with an unknown head, completions that are lost. */
export function unknownHeadsTotal(): f64 {
  return <f64>machine.unknownHeads;
}
export function lostCompletionsTotal(): f64 {
  return <f64>machine.lostCompletions;
}
