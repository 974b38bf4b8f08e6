/**
 * What two recordings of the same events have in common: a sample of each, chosen by what the events
 * say (assembly/decode/sample.ts), compared by what they say and when. Forms differ in rounding, in
 * losses, in the clock, and by what lies between the moments at which two recorders read theirs.
 */
import { EventKind, SAMPLE_SIZE } from "../../assembly/event-abi.ts";
import type { Core } from "../core/core.ts";

/** A sample of one part of a recording, in the order of its times. */
export interface Sample {
  /** An event is in the sample when these bits of its hash are zero. */
  mask: bigint;
  hashes: BigUint64Array;
  /** ns, on the recording's clock. */
  times: BigUint64Array;
  kinds: Uint8Array;
}

/** Kinds that the masks have room for: two words of 64 bits in the core (skipStream()). */
export const KIND_BITS = 128;

/** Kinds of the kernel's events and markers; of QEMU's: a bit each. */
export const KERNEL_KINDS = bits((kind) => kind < EventKind.Other && kind !== EventKind.Gap);
export const QEMU_KINDS = bits((kind) => kind > EventKind.Other);

function bits(wanted: (kind: number) => boolean): bigint {
  let all = 0n;
  for (let kind = 1; kind < KIND_BITS; kind++) if (wanted(kind)) all |= 1n << BigInt(kind);
  return all;
}

/** The sample of these streams, after the core has run to the end. */
export function readSample(core: Core, streams: ReadonlySet<number>): Sample {
  const { exports } = core;
  const { view } = core;
  const rows: number[] = [];
  const first = exports.samplesPtr();
  for (let i = 0; i < exports.samplesLength(); i++) {
    const at = first + i * SAMPLE_SIZE;
    if (streams.has(view.getUint32(at + 16, true))) rows.push(at);
  }
  return {
    mask: BigInt.asUintN(64, exports.samplesMask()),
    hashes: BigUint64Array.from(rows, (at) => view.getBigUint64(at, true)),
    times: BigUint64Array.from(rows, (at) => view.getBigUint64(at + 8, true)),
    kinds: Uint8Array.from(rows, (at) => view.getUint32(at + 20, true)),
  };
}

/** How far two samples are of the same events. */
export interface Shared {
  /**
   * Added to the times of the second to be on the clock of the first, ns; null where one clock also
   * runs at another rate (cycles that were not converted).
   */
  offset: bigint | null;
  /** How far apart the two times of one event are, but for a twentieth of them, ns. */
  spread: bigint;
  /** Kinds of events that both have while both record. */
  kinds: bigint;
  /** Events at equal times. */
  matched: number;
  /** Events of the second that the first has as well, at whatever time: a clock may have jumped. */
  found: number;
  /** Events of these kinds while both record: of the first, of the second. */
  first: number;
  second: number;
}

/** Two recorders of one event read their clocks in turn; a clock may jump. Farther apart is not the same. */
const REACH = 10_000_000;
/** The events are the same when so many of the fewer are found in the other. */
const SAME = 0.5;
const LEAST = 3;
/** Half of the events are so near, ns: two recorders in turn, on a clock that jumps; one, rounded. */
const USUAL = 2_000_000;
const ROUNDED = 2_000;
/** Times that may be of any clock: so many of all events of the second are at the times of the first. */
const ALIKE = 0.95;
const MANY = 16;

/** Where the times of one sample lie on the clock of another: ns from first event to first event. */
interface Fit {
  shift: number;
  rate: number;
}

/**
 * The events that both samples have, of the kinds of `wanted`. `clocks` says whether the times can
 * be compared as they are, or need an offset first. Null when they are not of the same events.
 */
export function sharedEvents(
  a: Sample,
  b: Sample,
  wanted: bigint,
  clocks: "same" | "unknown" | "differ",
): Shared | null {
  const mask = a.mask | b.mask;
  const [one, other] = [pick(a, mask, wanted), pick(b, mask, wanted)];
  if (one.count === 0 || other.count === 0) return null;
  const plain = { shift: Number(other.from - one.from), rate: 1 };
  const asTheyAre = clocks === "differ" ? null : compare(one, other, plain);
  if (asTheyAre || clocks === "same") return asTheyAre && { offset: 0n, ...asTheyAre };
  // Text that names no clock, from another time: the same guest may well do the same again, but not
  // all of it after the same pauses.
  const apart = clocks === "unknown" && (plain.shift > one.last || plain.shift + other.last < 0);
  for (const fit of fits(one, other)) {
    const shared = compare(one, other, fit);
    if (apart && shared && (shared.matched < MANY || shared.matched < ALIKE * other.count))
      continue;
    const offset = fit.rate === 1 ? BigInt(Math.round(fit.shift)) - other.from + one.from : null;
    if (shared) return { offset, ...shared };
  }
  return null;
}

interface Picked {
  /** By what they say: times after `from`, ns. */
  times: Map<bigint, number[]>;
  kinds: Map<bigint, number>;
  from: bigint;
  last: number;
  count: number;
}

function pick(sample: Sample, mask: bigint, wanted: bigint): Picked {
  const picked: Picked = { times: new Map(), kinds: new Map(), from: 0n, last: 0, count: 0 };
  sample.hashes.forEach((hash, i) => {
    const kind = sample.kinds[i]!;
    if ((hash & mask) !== 0n || ((wanted >> BigInt(kind)) & 1n) === 0n) return;
    if (picked.count++ === 0) picked.from = sample.times[i]!;
    const at = Number(sample.times[i]! - picked.from);
    picked.last = Math.max(picked.last, at);
    const list = picked.times.get(hash);
    if (list) list.push(at);
    else picked.times.set(hash, [at]);
    picked.kinds.set(hash, kind);
  });
  return picked;
}

/** The offset, and the offset and rate, that what happened equally often in both suggests. */
function fits(a: Picked, b: Picked): Fit[] {
  const pairs: { at: number; other: number }[] = [];
  for (const [hash, times] of a.times) {
    const others = b.times.get(hash);
    if (others?.length !== times.length) continue;
    times.forEach((at, i) => {
      pairs.push({ at, other: others[i]! });
    });
  }
  if (pairs.length < LEAST) return [];
  const distances = pairs.map(({ at, other }) => at - other).sort((x, y) => x - y);
  const offset = { shift: distances[distances.length >> 1]!, rate: 1 };
  pairs.sort((x, y) => x.other - y.other);
  const early = pairs[Math.floor(pairs.length * 0.1)]!;
  const late = pairs[Math.floor(pairs.length * 0.9)]!;
  const rate = (late.at - early.at) / (late.other - early.other);
  if (!(rate > 0 && Number.isFinite(rate))) return [offset];
  return [offset, { shift: early.at - early.other * rate, rate }];
}

/** Matches what both have when the second's times are moved. */
function compare(a: Picked, b: Picked, { shift, rate }: Fit): Omit<Shared, "offset"> | null {
  const end = b.last * rate + shift;
  const from = Math.max(0, shift) - REACH;
  const to = Math.min(a.last, end) + REACH;
  const counts = new Map<
    number,
    { matched: number; found: number; first: number; second: number }
  >();
  const countOf = (kind: number) => {
    const known = counts.get(kind) ?? { matched: 0, found: 0, first: 0, second: 0 };
    counts.set(kind, known);
    return known;
  };
  const distances: number[] = [];
  for (const [hash, times] of a.times) {
    const own = times.filter((at) => at >= from && at <= to);
    countOf(a.kinds.get(hash)!).first += own.length;
  }
  for (const [hash, times] of b.times) {
    const count = countOf(b.kinds.get(hash)!);
    const own = times.map((at) => at * rate + shift).filter((at) => at >= from && at <= to);
    const others = a.times.get(hash) ?? [];
    count.second += own.length;
    count.found += Math.min(own.length, others.length);
    let j = 0;
    for (const at of own) {
      while (j < others.length && others[j]! < at - REACH) j++;
      if (j === others.length || others[j]! > at + REACH) continue;
      distances.push(Math.abs(others[j++]! - at));
      count.matched++;
    }
  }
  const shared = { kinds: 0n, matched: 0, found: 0, first: 0, second: 0 };
  for (const [kind, count] of counts) {
    if (count.first === 0 || count.second === 0) continue;
    shared.kinds |= 1n << BigInt(kind);
    shared.matched += count.matched;
    shared.found += count.found;
    shared.first += count.first;
    shared.second += count.second;
  }
  const fewer = Math.min(shared.first, shared.second);
  const enough = Math.max(SAME * fewer, Math.min(LEAST, a.count, b.count));
  if (shared.matched < enough) return null;
  distances.sort((x, y) => x - y);
  const spread = distances[Math.floor((distances.length - 1) * 0.95)] ?? 0;
  // A few events that say the same may be of two CPUs: only at the same moment they are one.
  const near = shared.matched < LEAST ? ROUNDED : USUAL;
  if ((distances[distances.length >> 1] ?? 0) > near) return null;
  return { ...shared, spread: BigInt(Math.ceil(spread)) };
}
