/** What the strips above the map show, made once from a history: the fate of writes, depth of the queues. */
import type { MachineHistory } from "../../history/index.ts";
import { Lane, type PageStates } from "../../history/lanes.ts";
import { REQUEST_STATES } from "../../history/tables.ts";
import { OUTSIDE } from "./fates.ts";
import { laneFinder } from "./memory-map.ts";

/**
 * For each write what became of it under a policy: `Stale`, `Possible` or `Healed` when it was left out
 * (by what its pages are at the end, the worst of them), `Logged`, or OUTSIDE. `None`: no write, only
 * what another vhost logs.
 */
export function fatesOfWrites(
  machine: MachineHistory,
  policy: number,
  states: PageStates,
): Uint8Array {
  const writes = machine.table("writes");
  const fates = new Uint8Array(writes.length);
  const inside = new Uint8Array(256);
  for (const cause of machine.policies[policy]!.counts) inside[cause] = 1;
  const logs = new Uint8Array(256);
  for (const cause of machine.policies[policy]!.logs) logs[cause] = 1;
  const laneOf = laneFinder(states.blocks);
  const final = finalStates(states);
  for (let i = 0; i < writes.length; i++) {
    const cause = writes.cause[i]!;
    if (!inside[cause]) fates[i] = logs[cause] ? Lane.None : OUTSIDE;
    else if (logs[cause]) fates[i] = Lane.Logged;
    else {
      let worst = Lane.Healed;
      for (let page = writes.page[i]!, end = page + writes.pages[i]!; page < end; page++) {
        const lane = laneOf(page);
        if (lane >= 0) worst = worse(worst, final[lane]!);
      }
      fates[i] = worst;
    }
  }
  return fates;
}

/** The worse one of two states of pages that one write touched. */
function worse(a: Lane, b: Lane): Lane {
  const rank = (lane: Lane): number => RANKS.indexOf(lane === Lane.Unsent ? Lane.Possible : lane);
  return rank(b) > rank(a) ? (b === Lane.Unsent ? Lane.Possible : b) : a;
}

const RANKS: readonly Lane[] = [Lane.Healed, Lane.Possible, Lane.Likely, Lane.Stale];

/** The last state of each lane. */
export function finalStates({ first, state }: PageStates): Uint8Array {
  const final = new Uint8Array(first.length - 1);
  for (let lane = 0; lane < final.length; lane++) {
    if (first[lane + 1]! > first[lane]!) final[lane] = state[first[lane + 1]! - 1]!;
  }
  return final;
}

/** Requests in flight: from `ns[i]` on there are `depth[i]`. */
export interface Depth {
  ns: Float64Array;
  depth: Int32Array;
}

const DROPPED = REQUEST_STATES.indexOf("dropped");

/**
 * Depth from pops and completions, sorted. Requests whose pop was not seen are left out, and those that
 * were dropped: nothing tells when.
 */
export function depthOf(machine: MachineHistory): Depth {
  const { popNs, popStream, usedNs, usedStream, state } = machine.table("requests");
  const counts = (i: number) => popStream[i]! >= 0 && state[i] !== DROPPED;
  const pops = popNs.filter((_, i) => counts(i)).sort();
  const ends = usedNs.filter((_, i) => counts(i) && usedStream[i]! >= 0).sort();
  const ns = new Float64Array(pops.length + ends.length);
  const depth = new Int32Array(ns.length);
  let now = 0;
  for (let i = 0, p = 0, e = 0; i < ns.length; i++) {
    const pop = p < pops.length && (e === ends.length || pops[p]! <= ends[e]!);
    ns[i] = pop ? pops[p++]! : ends[e++]!;
    now += pop ? 1 : -1;
    depth[i] = now;
  }
  return { ns, depth };
}
