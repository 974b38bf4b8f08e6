/**
 * Writes of a migration, taken a round at a time. As long as no page was seen to be sent, the order of
 * the writes inside a round decides nothing: what a policy left out in it stands in the planes, and is
 * taken from there at the sync, or before something that comes inside a round (a send, lost events, a
 * stopped ring, the end). From then on until the next sync `migrationWrite()` takes each write.
 *
 * Most recordings of a host have no sends; taking their writes one by one cost a twelfth of the replay
 * (measured).
 */
import { BLOCK_BYTES } from "../abi";
import { MAX_ROWS } from "../page-abi";
import { keptMake, Line, lineOf, missWord, pendingRound } from "./migration-page";
import { migration } from "./migration-state";
import { entryOf, nextTouched, NO_BLOCK, planesIn } from "../pages/blocks";
import { orPlanes } from "../pages/planes";
import { leftOutPlanes, activeRows } from "../pages/rows";

/** Planes of the causes that each row leaves out. */
const leftOut: usize = memory.data(MAX_ROWS * 8);

/**
 * A round of a migration begins after harvest number `last`. `possible`: nothing was seen of it so far
 * that comes inside a round; the planes are empty.
 */
export function beginRound(possible: bool, firstPass: bool, last: u32): void {
  let m = migration();
  m.byRound = possible;
  m.unsent = firstPass;
  m.harvest = last;
}

/** A migration begins in the middle of a round: its planes hold what was written before. */
export function beginInside(possible: bool): void {
  migration().byRound = false;
  if (!possible) return;
  findLeftOut();
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    let present = planesIn(entryOf(block));
    for (let row: u32 = 0; row < activeRows(); ++row) {
      if (load<u64>(leftOut + (row << 3)) & present) return;
    }
  }
  beginRound(true, true, 0);
}

/** Before a sync's masks are used: which planes each row leaves out. */
export function findLeftOut(): void {
  for (let row: u32 = 0; row < activeRows(); ++row) {
    store<u64>(leftOut + (row << 3), leftOutPlanes(row));
  }
}

/** Takes what every row left out in a block in this round; nothing of the round is harvested yet. */
export function takeBlock(block: u32, entry: usize): void {
  let unsent = migration().unsent;
  let present = planesIn(entry);
  for (let row: u32 = 0; row < activeRows(); ++row) {
    let mask = load<u64>(leftOut + (row << 3)) & present;
    if (!mask) continue;
    let kept = keptMake(block);
    if (!kept) return;
    let pending = !unsent && pendingRound(kept) == migration().harvest;
    for (let w: usize = 0; w < <usize>BLOCK_BYTES; w += 8) {
      let bits = orPlanes(entry, w, mask);
      if (!bits) continue;
      let line = lineOf(kept, row, Line.All) + w;
      let doubt: u64 = unsent ? ~(<u64>0) : 0;
      if (pending) doubt = load<u64>(line + Line.Pending * BLOCK_BYTES);
      // No send is recorded, so nothing is certain.
      missWord(line, bits, doubt, ~(<u64>0));
    }
  }
}

/** Something comes inside the round: takes its writes so far. */
export function takeRound(): void {
  if (!migration().byRound) return;
  migration().byRound = false;
  findLeftOut();
  for (let block = nextTouched(0); block != NO_BLOCK; block = nextTouched(block + 1)) {
    takeBlock(block, entryOf(block));
  }
}
