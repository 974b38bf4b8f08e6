/** What a family of the fuzz test is: how its inputs are made, and what is done with one. */
import type { Random } from "../support/mutate.ts";

export interface Family {
  /** The next input; equal numbers make equal inputs. */
  make(random: Random): Uint8Array;
  /**
   * What comes of it: any text, which starts with `refused: ` where the input cannot be read. `chunk` is
   * the most that a read gives. Throws, but for the errors that are about an input.
   */
  outcome(bytes: Uint8Array, chunk?: number): Promise<string>;
  /** The second outcome, in pieces, is asked for and compared. */
  readonly inPieces: boolean;
}

export type Families = Readonly<Record<string, Family>>;
