/** One process that replays many recordings. */
import { setFlagsFromString } from "node:v8";

/**
 * Each replay has a memory of its own for the core, some MB that V8 counts as pressure: it then marks the heap in
 * small steps after nearly every replay of a small recording, which takes half as long as the replays
 * (measured: 10,000 cases). Without the steps it collects as a whole, and more rarely.
 */
export function expectManyReplays(): void {
  setFlagsFromString("--no-incremental-marking");
}
