/** The exports of the core, and nothing else. Words in, words out: addresses, numbers, statuses. */
import { ABI } from "./abi";
import { current, currentEvent, replayed } from "./merge";
import {
  hashCount,
  hashes,
  profileLoads,
  profilePlaced,
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
import { unplacedLoads, waitingLoads } from "./migration/postcopy-loads";
import {
  kindCounts,
  metMemory,
  metMemoryCount,
  metQueueCount,
  metQueues,
  sampleCount,
  sampleMask,
  samples,
} from "./decode/sample";
import { take as takeMemory } from "./base/memory";
import { firstQueue, queueCount, queuesRefused } from "./known/queue";
import { cpuSet, streamAt } from "./decode/stream";
import { orphanDescs, threadsRefused } from "./known/thread";
import { machine } from "./known/machine";
import { pages } from "./pages/page-state";
import { popsWithoutQueue } from "./device/vhost";

export { setParts } from "./device/completion";
import { done, doneCount, watched, watchedCount } from "./device/write";

export { drainFailed, drainLength, drainOnly, drainPtr, drainTaken, startDrain } from "./known/drain";
export { encodeColumn, encodedLast } from "./known/drain-columns";
export { attribute, dropEvidence, nextRound } from "./pages/evidence";
export { run, setRaw } from "./merge";
export {
  addEvent,
  becomeEvent,
  eventCount,
  foreignCount,
  newPlan,
  planMoves,
  setMarkerText,
  setOwn,
  setPageLayout,
  setRingField,
  setTextField,
} from "./decode/plan";
export {
  adoptQueue,
  linkQueue,
  machineOfQueue,
  newMachine,
  placeQueue,
  placeSpace,
  queueNumber,
  prepare,
  useMachine,
} from "./machine";
export { forgetAvail, nameDriver, noteDeviceState, retireDevice, setDeviceLogEnd } from "./known/device";
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
export { markSends, onLoad, onPostcopy, onSave } from "./migration/sends";
export { judgeFirstPass } from "./migration/packets";
export { migrationGap } from "./migration/trackers";
export { setRamBase, setZeros } from "./migration/zero-pages";
export { setSlot } from "./known/kvm-slots";
export { addRamBlock, addRange, clearRanges } from "./known/ram-ranges";
export { countOpenCauses } from "./migration/open-causes";
export { findEntry, keepEntries } from "./migration/stale-entry";
export { stopRings } from "./device/device";
export { restartOrder, setProfiling } from "./migration/profile";
export { mute } from "./decode/plan";
export { addPattern, setPiece } from "./decode/qemu-arguments";
export { intern, stringPtr } from "./known/string";
export { clearRound, coveredPages, exportSet, nextBlock, setRuns, sync } from "./sync";
export {
  clearEndpoint,
  endInFlight,
  inFlightWriteBytes,
  setFeatures,
} from "./device/device";
export { noteLoss, setLogEnd } from "./known/back-end";
export { setVring } from "./known/vring";
export { endChains, onSpdkUsed } from "./device/user-chain";
export { noteLogAll, setLogBase } from "./known/log-state";
export { elementBytesInFlight, endElements } from "./device/qemu-device";
export { setQemuLogging, setQemuRing } from "./device/qemu-queue";
export { dropDone, dropWatched, observe, watch } from "./device/write";
export { queueOfEvent } from "./device/apply";
export { addressKey } from "./device/qemu-queue";
export * from "./stream-exports";
import { counts } from "./sync";
import { rowTable } from "./pages/rows";

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
/** Of multifd: whether it sent; whether each packet is kept; the packets, and pages that arrived as zeros. */
export function sentUnseen(): bool {
  return migration().unseenData;
}
export function packetsWhole(): bool {
  return !migration().packetsBroken;
}
export function packetsPtr(): usize {
  return migration().packets;
}
export function packetsLength(): u32 {
  return migration().packetCount;
}
export function zeroArrivalsPtr(): usize {
  return migration().zeroArrivals;
}
export function zeroArrivalsLength(): u32 {
  return migration().zeroArrivalCount;
}
/** Number of the QEMU that sends. */
export function migrationSource(): u32 {
  return migration().source;
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
/** When the first pass is certain to be over; as long as it is not, a time that never comes. */
export function firstPassEndTs(): u64 {
  return migration().firstPassEnd ? migration().firstPassEnd : <u64>i64.MAX_VALUE;
}
/** In post-copy: pages with data, and pages that no event placed. */
export function profiledPlaced(): f64 {
  return <f64>profilePlaced;
}
export function profiledUnplaced(): f64 {
  return <f64>(unplacedLoads + waitingLoads());
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
/** Where the addresses that were met lie, and how many they are: of virtqueues, of guest memory. */
export function metQueuesPtr(): usize {
  return metQueues;
}
export function metQueuesLength(): u32 {
  return metQueueCount;
}
export function metMemoryPtr(): usize {
  return metMemory;
}
export function metMemoryLength(): u32 {
  return metMemoryCount;
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
/** The same of all events of a stream, also those that are only counted; first > last: none. */
export function firstSeen(stream: u32): u64 {
  return streamAt(stream).firstSeen;
}
export function lastSeen(stream: u32): u64 {
  return streamAt(stream).lastSeen;
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
/** Completions of user-space back ends that are taken to be logged: no message tells of the log. */
export function basesAssumedTotal(): f64 {
  return <f64>machine.basesAssumed;
}
export function lostCompletionsTotal(): f64 {
  return <f64>machine.lostCompletions;
}
