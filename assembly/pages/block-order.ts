/** Puts the slots of the blocks that a round met first into the order of their addresses, see block-slots.ts. */
import { anyFresh, clearFreshBits, dropFresh, freshBits, slotKept, slotLines } from "./block-slots";
import { entryOf, roundEnd, roundFirst, setKept, setLines } from "./planes";

/** The kept sets, while nothing is in them: at the first sync of the round. */
let keptOrdered: bool = false;

export function orderKept(): void {
  if (!anyFresh() || keptOrdered) return;
  keptOrdered = true;
  let slot: u32 = 0;
  for (let word = roundFirst >> 6, end = (roundEnd + 63) >> 6; word < end; ++word) {
    for (let bits = freshBits(word); bits; bits &= bits - 1) {
      setKept(entryOf((word << 6) + <u32>ctz<u64>(bits)), slotKept(slot++));
    }
  }
}

/** The lines of the planes, once they were emptied at the end of the round. */
export function orderLines(): void {
  if (!anyFresh()) return;
  keptOrdered = false;
  let slot: u32 = 0;
  for (let word = roundFirst >> 6, end = (roundEnd + 63) >> 6; word < end; ++word) {
    let bits = freshBits(word);
    if (!bits) continue;
    for (; bits; bits &= bits - 1) {
      setLines(entryOf((word << 6) + <u32>ctz<u64>(bits)), slotLines(slot++));
    }
    clearFreshBits(word);
  }
  dropFresh();
}
