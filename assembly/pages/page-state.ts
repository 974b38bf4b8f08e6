/** What a machine has of its guest's pages: where its blocks lie, its round, its evidence. */
import { Machine, machine } from "../known/machine";

@unmanaged
export class Pages extends Machine {
  /** blocks.ts: parts of its guest-physical space; 0 before the first write. */
  directory: usize;
  /** Blocks below `firstBlock` and from `endBlock` on were never touched. */
  firstBlock: u32;
  endBlock: u32;
  /** The same of this round: an empty round costs nothing, wherever the guest's memory lies. */
  roundFirst: u32;
  roundEnd: u32;
  /** How many blocks exist. */
  blockCount: u32;

  /** block-slots.ts: slots taken in this round, in the order of their memory. */
  fresh: usize;
  freshCap: u32;
  freshCount: u32;
  /** block-order.ts: the kept sets of this round's blocks are in order. */
  keptOrdered: bool;

  /** rows.ts: some request was answered with a used length; rows that are still of interest. */
  lengthSeen: bool;
  activeRows: u32;

  /** evidence.ts: number of the round, from 0; records of it; findings. */
  round: u32;
  evidence: usize;
  evidenceCount: u32;
  evidenceRefused: u64;
  firstFinding: usize;
  lastFinding: usize;

  /** sync.ts: running totals of each row. */
  totals: usize;
}

/** Those of the machine that is replayed now. */
// @ts-ignore: decorator
@inline
export function pages(): Pages {
  return changetype<Pages>(machine);
}
