/**
 * A pre-copy migration over a recorded load, as migration/ram.c of QEMU does it: the first pass sends all
 * of the guest's memory, each later one what was dirtied since the sync before it, until what is left
 * fits the downtime. Sets of pages are exact; the only estimate is how long a pass takes.
 */
import { type Load, VCPU } from "./load.ts";

export interface Precopy {
  /** Pages that a second has room for. */
  pagesPerSecond: number;
  downtimeNs: number;
  /** When it begins, and how long it is followed, in nanoseconds of the load. */
  startNs: number;
  forNs: number;
  /** Pages of the guest's memory that are no pages of zeros. */
  firstPages: number;
  /** What something else dirties in a pass, vCPUs that are not in the load: so many, and more by its length. */
  otherPages: number;
  otherPerSecond: number;
}

/** A pass: the pages that were waiting when it began. */
export interface Pass {
  startNs: number;
  endNs: number;
  /** Pages that it sends; as many as it has time for, where it does not come to its end. */
  sends: number;
}

export interface Course {
  passes: Pass[];
  /** Passes that are not listed. */
  morePasses: number;
  sends: number;
  /** What is left fitted the downtime at `endNs`; otherwise it goes on. */
  converged: boolean;
  endNs: number;
}

/** Passes that are listed; QEMU syncs at the end of each, however short. */
const LISTED = 200;
/** A sync of the dirty bitmap costs about so much, however few pages are left. */
const SHORTEST_NS = 1e6;

/** Follows one migration. `logs`: by cause, whether the policy has a page of it sent again. */
export function followPrecopy(load: Load, logs: readonly boolean[], how: Precopy): Course {
  const { pagesPerSecond, downtimeNs, startNs, forNs, otherPages, otherPerSecond } = how;
  const end = startNs + forNs;
  const dirty = new DirtyPages(load, logs, startNs);
  const passes: Pass[] = [];
  let [now, left, total, count] = [startNs, how.firstPages, 0, 0];
  for (;;) {
    const most = ((end - now) / 1e9) * pagesPerSecond;
    const sends = Math.round(Math.min(left, most));
    const until = Math.min(end, now + Math.max(SHORTEST_NS, (left / pagesPerSecond) * 1e9));
    total += sends;
    count++;
    if (passes.length < LISTED) passes.push({ startNs: now, endNs: until, sends });
    if (until >= end && left > most) break;
    left = dirty.until(until) + otherPages + (otherPerSecond * (until - now)) / 1e9;
    now = until;
    // What fits is sent while the guest stands still.
    if ((left / pagesPerSecond) * 1e9 <= downtimeNs) {
      total += Math.round(left);
      const course = { passes, morePasses: count - passes.length, sends: total };
      return { ...course, converged: true, endNs: now };
    }
    if (now >= end) break;
  }
  return { passes, morePasses: count - passes.length, sends: total, converged: false, endNs: end };
}

/** Distinct pages that are logged between one moment and the next; the load begins again at its end. */
class DirtyPages {
  readonly #load: Load;
  readonly #logs: readonly boolean[];
  readonly #stamps: Uint32Array;
  #stamp = 0;
  #at: number;
  readonly #first: number;
  /** Nanoseconds that the load was moved by, for each time that it began again. */
  #moved = 0;
  readonly #length: number;

  constructor(load: Load, logs: readonly boolean[], startNs: number) {
    this.#load = load;
    this.#logs = logs;
    this.#stamps = new Uint32Array(load.pages);
    this.#first = indexAt(load.ns, startNs);
    this.#at = this.#first;
    this.#length = load.ns.length === 0 ? 0 : load.ns.at(-1)! - startNs;
  }

  until(ns: number): number {
    const { ns: times, page, cause } = this.#load;
    this.#stamp++;
    let count = 0;
    for (;;) {
      if (this.#at >= times.length) {
        // Nothing behind the start: there is nothing to repeat.
        if (this.#length <= 0 || this.#first >= times.length) return count;
        this.#at = this.#first;
        this.#moved += this.#length;
      }
      if (times[this.#at]! + this.#moved > ns) return count;
      const i = this.#at++;
      if (cause[i] !== VCPU && !this.#logs[cause[i]!]) continue;
      if (this.#stamps[page[i]!] === this.#stamp) continue;
      this.#stamps[page[i]!] = this.#stamp;
      count++;
    }
  }
}

/** The first position at or after a time. */
export function indexAt(times: Float64Array, ns: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < ns) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Rates that are tried: from 1 MB/s to 64 GB/s, a tenth apart. */
const SLOWEST = 1e6 / 4096;
const STEPS = 117;

/** Pages a second, at least, at which it converges; null: at none. Found among steps of a tenth. */
export function leastRate(load: Load, logs: readonly boolean[], how: Precopy): number | null {
  const converges = (step: number): boolean =>
    followPrecopy(load, logs, { ...how, pagesPerSecond: SLOWEST * 1.1 ** step }).converged;
  let [low, high] = [0, STEPS];
  if (!converges(high)) return null;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (converges(middle)) high = middle;
    else low = middle + 1;
  }
  return SLOWEST * 1.1 ** low;
}
