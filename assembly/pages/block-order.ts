/** Puts the slots of the blocks that a round met first into the order of their addresses, see block-slots.ts. */
import { anyFresh, dropFresh, slotKept, slotLines } from "./block-slots";
import { clearBits, entryOf, nextFresh, NO_BLOCK, setKept, setLines, Which } from "./blocks";
import { pages } from "./page-state";

/** The kept sets, while nothing is in them: at the first sync of the round. */
export function orderKept(): void {
  if (!anyFresh() || pages().keptOrdered) return;
  pages().keptOrdered = true;
  let slot: u32 = 0;
  for (let block = nextFresh(0); block != NO_BLOCK; block = nextFresh(block + 1)) {
    setKept(entryOf(block), slotKept(slot++));
  }
}

/** The lines of the planes, once they were emptied at the end of the round. */
export function orderLines(): void {
  if (!anyFresh()) return;
  pages().keptOrdered = false;
  let slot: u32 = 0;
  for (let block = nextFresh(0); block != NO_BLOCK; block = nextFresh(block + 1)) {
    setLines(entryOf(block), slotLines(slot++));
  }
  clearBits(Which.Fresh);
  dropFresh();
}
