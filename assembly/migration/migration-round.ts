/**
 * Writes of a migration, taken a round at a time. As long as no page was seen to be sent, the order of
 * the writes inside a round decides nothing: what a policy left out in it stands in the planes, and is
 * taken from there at the sync, or before something that comes inside a round (a send, lost events, a
 * stopped ring, the end). From then on until the next sync `migrationWrite()` takes each write.
 *
 * Most recordings of a host have no sends; taking their writes one by one cost a twelfth of the replay
 * (measured).
 */
import { BLOCK_BYTES, MAX_ROWS } from "../abi";
import { keptMake, Line, lineOf, pendingRound } from "./migration-page";
import {
  activeRows,
  entryOf,
  leftOutPlanes,
  nextTouched,
  NO_BLOCK,
  orPlanes,
  planesIn,
} from "../pages/planes";

/** Writes of this round are left in the planes. */
export let byRound: bool = false;
/** Pages of this round's writes may be unsent: it began in the first pass. */
let unsent: bool = true;
/** Number of the harvest before this round, see Line.Pending. */
let harvest: u32 = 0;
/** Planes of the causes that each row leaves out. */
const leftOut: usize = memory.data(MAX_ROWS * 8);

/**
 * A round of a migration begins after harvest number `last`. `possible`: nothing was seen of it so far
 * that comes inside a round; the planes are empty.
 */
export function beginRound(possible: bool, firstPass: bool, last: u32): void {
  byRound = possible;
  unsent = firstPass;
  harvest = last;
}

/** A migration begins in the middle of a round: its planes hold what was written before. */
export function beginInside(possible: bool): void {
  byRound = false;
  if (!possible) return;
  findLeftOut();
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    let present = planesIn(entryOf(block));
    for (let row: u32 = 0; row < activeRows; ++row) {
      if (load<u64>(leftOut + (row << 3)) & present) return;
    }
  }
  beginRound(true, true, 0);
}

/** Before a sync's masks are used: which planes each row leaves out. */
export function findLeftOut(): void {
  for (let row: u32 = 0; row < activeRows; ++row) {
    store<u64>(leftOut + (row << 3), leftOutPlanes(row));
  }
}

/** Takes what every row left out in a block in this round; nothing of the round is harvested yet. */
export function takeBlock(block: u32, entry: usize): void {
  let present = planesIn(entry);
  for (let row: u32 = 0; row < activeRows; ++row) {
    let mask = load<u64>(leftOut + (row << 3)) & present;
    if (!mask) continue;
    let kept = keptMake(block);
    if (!kept) return;
    let pending = !unsent && pendingRound(kept) == harvest;
    for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
      let bits = orPlanes(entry, w, mask);
      if (!bits) continue;
      let line = lineOf(kept, row, Line.All) + w;
      let doubt: u64 = unsent ? ~(<u64>0) : 0;
      if (pending) doubt = load<u64>(line + Line.Pending * BLOCK_BYTES);
      store<u64>(line, load<u64>(line) | bits);
      let sure = line + Line.Sure * BLOCK_BYTES;
      store<u64>(sure, load<u64>(sure) | (bits & ~doubt));
      let resendless = line + Line.Resendless * BLOCK_BYTES;
      store<u64>(resendless, load<u64>(resendless) | bits);
    }
  }
}

/** Something comes inside the round: takes its writes so far. */
export function takeRound(): void {
  if (!byRound) return;
  byRound = false;
  findLeftOut();
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    takeBlock(block, entryOf(block));
  }
}
