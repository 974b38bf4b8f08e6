/**
 * The virtual machines of a recording. Guest page numbers are equal in all guests, so whatever is
 * known of pages is known of one machine: each folder above adds its part to this structure
 * (pages/page-state.ts, migration/migration-state.ts). A queue has its machine; threads, queues and
 * requests are the kernel's, and told apart by their addresses.
 */
import { MAX_MACHINES } from "../queue-abi";

@unmanaged
export class Machine {
  /** From 0, in the order in which the host added them. */
  number: u32;
  /** Some event had LOG_ALL, or the ring's log flag, on. */
  sawLogAll: bool;
  sawLogUsed: bool;
  /** Sums over its queues, so that a sync need not visit them. */
  unknownHeads: u64;
  lostCompletions: u64;
  /** Completions with LOG_ALL on of which nothing tells whether the log had been handed over. */
  basesAssumed: u64;
}

/** The machine that is replayed now, or asked about. */
export let machine: Machine = changetype<Machine>(0);

const table: usize = memory.data(MAX_MACHINES * 4);
export let machineCount: u32 = 0;

/** Machine number `i`, which there is. */
// @ts-ignore: decorator
@inline
export function machineAt(i: u32): usize {
  return load<u32>(table + (i << 2));
}

/** Takes a machine's structure, zeroed, into the list. False: there are too many. */
export function addMachine(at: usize): bool {
  if (machineCount == MAX_MACHINES) return false;
  changetype<Machine>(at).number = machineCount;
  store<u32>(table + (machineCount++ << 2), <u32>at);
  return true;
}

// @ts-ignore: decorator
@inline
export function enterMachine(at: usize): void {
  machine = changetype<Machine>(at);
}
