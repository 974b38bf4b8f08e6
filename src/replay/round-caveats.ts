/** Why the log of a round may be incomplete: counters of the core, from one round to the next. */
import type { Core } from "../core/core.ts";
import type { OpenInput } from "../formats/open-inputs.ts";
import { BASE_ASSUMED } from "./back-end-limit.ts";
import { disorderOf, UNORDERED_CAVEAT } from "./clock-limit.ts";

export class RoundCaveats {
  readonly #core: Core;
  readonly #unordered: boolean;
  #gaps = 0;
  #unknownBefore = 0;
  #lostBefore = 0;
  #assumedBefore = 0;

  constructor(core: Core, inputs: readonly OpenInput[]) {
    this.#core = core;
    this.#unordered = inputs.some(({ feed }) => disorderOf(feed.summary()) !== null);
  }

  /** Events were lost in this round. */
  gap(): void {
    this.#gaps++;
  }

  /** The caveats of the round that ends, a sentence each; the next one begins. */
  take(): string[] {
    const { exports } = this.#core;
    const unknown = exports.unknownHeadsTotal();
    const lost = exports.lostCompletionsTotal();
    const assumed = exports.basesAssumedTotal();
    const caveats: string[] = [];
    if (this.#gaps > 0) caveats.push("events were lost in this round");
    if (lost > this.#lostBefore) {
      caveats.push(`${lost - this.#lostBefore} completions of this round are lost`);
    }
    if (unknown > this.#unknownBefore) {
      const n = unknown - this.#unknownBefore;
      const requests = n === 1 ? "request that was" : "requests that were";
      caveats.push(`${n} ${requests} popped before the recording, or in a gap, completed`);
    }
    if (assumed > this.#assumedBefore) caveats.push(BASE_ASSUMED);
    if (this.#unordered) caveats.push(UNORDERED_CAVEAT);
    this.#assumedBefore = assumed;
    this.#gaps = 0;
    this.#unknownBefore = unknown;
    this.#lostBefore = lost;
    return caveats;
  }
}
