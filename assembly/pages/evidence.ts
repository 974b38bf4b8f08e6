/**
 * Who wrote first: for every write that touches a page of its cause for the first time in a round,
 * one record, in the order of the events. At a sync each lost page is claimed by the first record
 * that covers it, and the records are dropped: the list never outlives a round.
 */
import { BLOCK_BYTES, PAGE_SHIFT } from "../abi";
import { EVENT_PLACE, EVENT_TS } from "../event-abi";
import { CAUSES, EVIDENCE_CAUSE, EVIDENCE_GPA, EVIDENCE_HEAD, EVIDENCE_LEN, EVIDENCE_PLACE, EVIDENCE_POP_PLACE, EVIDENCE_POP_STREAM, EVIDENCE_POP_TS, EVIDENCE_QUEUE, EVIDENCE_REQUEST, EVIDENCE_ROUND, EVIDENCE_SIZE, EVIDENCE_STREAM, EVIDENCE_TS, FINDING_FIRST, FINDING_LAST_REQUEST, FINDING_LAST_ROUND, FINDING_MAX_RUNS, FINDING_MORE_RUNS, FINDING_NEXT, FINDING_PAGES, FINDING_REQUESTS, FINDING_ROUNDS, FINDING_ROW, FINDING_RUN_LIST, FINDING_RUNS, FINDING_SIZE, MAX_EVIDENCE, MAX_ROWS } from "../page-abi";
import { QUEUE_FINDINGS, QUEUE_ID, REQUEST_HEAD, REQUEST_POP_PLACE, REQUEST_POP_STREAM, REQUEST_POP_TS, REQUEST_SERIAL } from "../queue-abi";
import { reserve, take } from "../base/memory";
import { entryOf, exists, planesIn, scratchLine } from "./blocks";
import { orPlanes } from "./planes";
import { bitOf, planesOf, rowLogs, rowWindow, activeRows } from "./rows";
import { atEvent, atStream, byQueue, byRequest } from "../known/moment";
import { addCount, queueById } from "../known/queue";
import { Pages, pages } from "./page-state";

/**
 * Evidence is kept in pieces, so that a small recording needs little memory: each machine has the
 * pieces of its round, and gives them back with it.
 */
const PIECE: u32 = 1024;
const PIECES: u32 = MAX_EVIDENCE / PIECE;
/** A list of pieces that no machine has; each begins with the next one. */
let spare: usize = 0;

function takePiece(): usize {
  let piece = spare;
  if (!piece) return reserve(PIECE * EVIDENCE_SIZE);
  spare = load<u32>(piece);
  return piece;
}

/** Room for one more record, 0 when there is none. */
// @ts-ignore: decorator
@inline
export function newEvidence(): usize {
  let p = pages();
  let i = p.evidenceCount;
  if (i % PIECE == 0 && !newPiece(p, i)) {
    ++p.evidenceRefused;
    return 0;
  }
  p.evidenceCount = i + 1;
  return evidenceAt(i);
}

/** A piece for record `i` and those behind it. False: the round has enough, or no memory. */
function newPiece(p: Pages, i: u32): bool {
  if (i == MAX_EVIDENCE) return false;
  if (!p.evidence) p.evidence = take(PIECES * 4);
  let piece = p.evidence ? takePiece() : 0;
  if (!piece) return false;
  store<u32>(p.evidence + ((i / PIECE) << 2), <u32>piece);
  return true;
}

export function nextRound(): void {
  ++pages().round;
}

/** Fills an EVIDENCE record: the write of this moment to [gpa, gpa+len). */
export function fillEvidence(at: usize, cause: u32, gpa: u64, len: u64): void {
  store<u64>(at + EVIDENCE_GPA, gpa);
  store<u64>(at + EVIDENCE_LEN, len);
  store<u64>(at + EVIDENCE_TS, load<u64>(atEvent + EVENT_TS));
  store<u64>(at + EVIDENCE_PLACE, load<u64>(atEvent + EVENT_PLACE));
  store<u16>(at + EVIDENCE_STREAM, <u16>atStream);
  store<u32>(at + EVIDENCE_ROUND, pages().round);
  store<u32>(at + EVIDENCE_CAUSE, cause);
  store<u32>(at + EVIDENCE_QUEUE, load<u32>(byQueue + QUEUE_ID));
  let request = byRequest;
  store<u64>(at + EVIDENCE_REQUEST, request ? load<u64>(request + REQUEST_SERIAL) : 0);
  store<i32>(at + EVIDENCE_HEAD, request ? load<i32>(request + REQUEST_HEAD) : -1);
  store<u64>(at + EVIDENCE_POP_TS, request ? load<u64>(request + REQUEST_POP_TS) : 0);
  store<u64>(at + EVIDENCE_POP_PLACE, request ? load<u64>(request + REQUEST_POP_PLACE) : 0);
  store<u16>(
    at + EVIDENCE_POP_STREAM,
    request ? load<u16>(request + REQUEST_POP_STREAM) : 0xffff,
  );
}

// @ts-ignore: decorator
@inline
function evidenceAt(i: u32): usize {
  return <usize>load<u32>(pages().evidence + ((i / PIECE) << 2)) + (i % PIECE) * EVIDENCE_SIZE;
}

function findingOf(queueId: u32, row: u32, cause: u32): usize {
  let queue = queueById(queueId);
  let table = <usize>load<u32>(queue + QUEUE_FINDINGS);
  if (!table) {
    table = take(MAX_ROWS * CAUSES * 4);
    if (!table) return 0;
    store<u32>(queue + QUEUE_FINDINGS, <u32>table);
  }
  let slot = table + ((row * CAUSES + cause) << 2);
  let at = <usize>load<u32>(slot);
  if (at) return at;
  at = take(FINDING_SIZE);
  if (!at) return 0;
  store<u32>(slot, <u32>at);
  store<u32>(at + FINDING_ROW, row);
  store<u32>(at + FINDING_LAST_ROUND, ~0);
  let p = pages();
  if (p.lastFinding) store<u32>(p.lastFinding + FINDING_NEXT, <u32>at);
  else p.firstFinding = at;
  p.lastFinding = at;
  return at;
}

function addRun(finding: usize, page: u32, count: u32): void {
  let n = load<u32>(finding + FINDING_RUNS);
  let list = finding + FINDING_RUN_LIST;
  // Descriptors of one request, and requests of one buffer, often lie one after the other.
  if (n) {
    let last = list + ((n - 1) << 3);
    if (load<u32>(last) + load<u32>(last + 4) == page) {
      store<u32>(last + 4, load<u32>(last + 4) + count);
      return;
    }
  }
  if (n == FINDING_MAX_RUNS) {
    store<u32>(finding + FINDING_MORE_RUNS, load<u32>(finding + FINDING_MORE_RUNS) + 1);
    return;
  }
  store<u32>(list + (n << 3), page);
  store<u32>(list + (n << 3) + 4, count);
  store<u32>(finding + FINDING_RUNS, n + 1);
}

/** Claims the lost pages of one record for one row; `window` and `logs` are planes. */
function claim(record: usize, row: u32, window: u64, logs: u64): void {
  let page = <u32>(load<u64>(record + EVIDENCE_GPA) >> PAGE_SHIFT);
  let last = <u32>(
    (load<u64>(record + EVIDENCE_GPA) + load<u64>(record + EVIDENCE_LEN) - 1) >> PAGE_SHIFT
  );
  let finding: usize = 0;
  let claimed: u64 = 0;
  while (true) {
    let entry = entryOf(page >> 9);
    let wordEnd = min<u32>(last, page | 63);
    if (exists(entry)) {
      let present = planesIn(entry);
      let word = <usize>(((page & 511) >> 6) << 3);
      let mask = (~(<u64>0) >> (63 - (wordEnd - page))) << (page & 63);
      let scratch = scratchLine(entry) + word;
      let taken = load<u64>(scratch);
      let bits =
        orPlanes(entry, word, window & present) &
        ~orPlanes(entry, word, logs & present) &
        mask &
        ~taken;
      if (bits) {
        if (!finding) {
          finding = findingOf(
            load<u32>(record + EVIDENCE_QUEUE),
            row,
            load<u32>(record + EVIDENCE_CAUSE),
          );
          if (!finding) return;
        }
        store<u64>(scratch, taken | bits);
        claimed += popcnt<u64>(bits);
        let first = page & ~63;
        while (bits) {
          let bit = <u32>ctz<u64>(bits);
          let ones = min<u32>(<u32>ctz<u64>(~(bits >> bit)), 64 - bit);
          addRun(finding, first + bit, ones);
          if (bit + ones >= 64) break;
          bits &= ~(<u64>0) << (bit + ones);
        }
      }
    }
    if (wordEnd == last) break;
    page = wordEnd + 1;
  }
  if (!claimed) return;
  if (!load<u64>(finding + FINDING_PAGES)) {
    memory.copy(finding + FINDING_FIRST, record, EVIDENCE_SIZE);
  }
  addCount(finding + FINDING_PAGES, claimed);
  let request = load<u64>(record + EVIDENCE_REQUEST);
  if (request && load<u64>(finding + FINDING_LAST_REQUEST) != request) {
    store<u64>(finding + FINDING_LAST_REQUEST, request);
    addCount(finding + FINDING_REQUESTS, 1);
  }
  let seen = load<u32>(record + EVIDENCE_ROUND);
  if (load<u32>(finding + FINDING_LAST_ROUND) != seen) {
    store<u32>(finding + FINDING_LAST_ROUND, seen);
    store<u32>(finding + FINDING_ROUNDS, load<u32>(finding + FINDING_ROUNDS) + 1);
  }
}

/** Clears the scratch plane where this round's records lie. */
function clearScratch(): void {
  for (let i: u32 = 0, n = pages().evidenceCount; i < n; ++i) {
    let record = evidenceAt(i);
    let block = <u32>(load<u64>(record + EVIDENCE_GPA) >> 21);
    let last = <u32>((load<u64>(record + EVIDENCE_GPA) + load<u64>(record + EVIDENCE_LEN) - 1) >> 21);
    while (true) {
      let entry = entryOf(block);
      if (exists(entry)) memory.fill(scratchLine(entry), 0, BLOCK_BYTES);
      if (block == last) break;
      ++block;
    }
  }
}

/** Attributes the lost pages of the round of every row; run before the planes are cleared. */
export function attribute(): void {
  for (let row: u32 = 0; row < activeRows(); ++row) {
    let window = rowWindow(row);
    let logs = rowLogs(row);
    let windowPlanes = planesOf(window);
    let logsPlanes = planesOf(logs);
    let any = false;
    for (let i: u32 = 0, n = pages().evidenceCount; i < n; ++i) {
      let record = evidenceAt(i);
      let bit = bitOf(load<u32>(record + EVIDENCE_CAUSE));
      if ((bit & window) != 0 && (bit & logs) == 0) {
        any = true;
        claim(record, row, windowPlanes, logsPlanes);
      }
    }
    if (any) clearScratch();
  }
}

/** Drops the records of this round. */
export function dropEvidence(): void {
  let p = pages();
  for (let i: u32 = 0; i < p.evidenceCount; i += PIECE) {
    let piece = evidenceAt(i);
    store<u32>(piece, <u32>spare);
    spare = piece;
  }
  p.evidenceCount = 0;
  p.evidenceRefused = 0;
}
