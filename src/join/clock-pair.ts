/** What a user tells of the clocks of recordings. */

/** An offset as the user gives it. */
export interface GivenOffset {
  offset: bigint;
  tolerance: bigint | null;
}

/** CLOCK_REALTIME and CLOCK_MONOTONIC read together, ns. */
export interface ClockPair {
  realtime: bigint;
  monotonic: bigint;
  /** How long reading both took. */
  spread: bigint;
}
