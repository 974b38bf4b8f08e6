/**
 * One clock for several recordings. Two are on one clock when both say so; otherwise the distance
 * is what the user gives, or is found from events that stand in both; and if neither is to be had
 * the recordings cannot be merged. How well it is known, the tolerance, goes with it.
 */
import type { Anchor, FirstLook } from "./first-look.ts";
import { RecordingError } from "./place.ts";

/** How an input's times come to the common clock. */
export interface ClockShift {
  /** Added to the input's times, ns. */
  offset: bigint;
  /** Two events of this input and of the first one that are closer have no order, ns. */
  tolerance: bigint;
  why: "reference" | "same-clock" | "given" | "common-events" | "clock-pairs" | "unknown";
  /** Events in both recordings that the offset rests on. */
  events: number;
}

/** CLOCK_REALTIME and CLOCK_MONOTONIC read together, ns. */
export interface ClockPair {
  realtime: bigint;
  monotonic: bigint;
  /** How long reading both took. */
  spread: bigint;
}

const US = 1000n;
/**
 * The same event in ftrace and in simpletrace, both on CLOCK_MONOTONIC, differs by up to 2.6 us; in
 * the log of QEMU, whose clock is read before its file is locked, by up to 40 us (measured).
 */
const SAME_CLOCK_TOLERANCE = 5n * US;
const LOG_TOLERANCE = 50n * US;
/** Two recordings are of the same QEMU when so many events with addresses stand in both. */
const MIN_SHARED = 3;

/** The shift of one input against the reference. Throws RecordingError when none can be had. */
export function shiftOf(
  input: FirstLook,
  reference: FirstLook,
  given: { offset: bigint; tolerance: bigint | null } | undefined,
  pairs: readonly ClockPair[],
): ClockShift {
  if (given) {
    const tolerance = given.tolerance ?? LOG_TOLERANCE;
    return { offset: given.offset, tolerance, why: "given", events: 0 };
  }
  const aligned = input.summary.clockTolerance;
  if (aligned !== undefined) {
    return { offset: 0n, tolerance: aligned, why: "same-clock", events: 0 };
  }
  const [own, other] = [input.summary.clock, reference.summary.clock];
  if (own !== null && own === other) {
    const tolerance = own === "realtime" ? LOG_TOLERANCE : SAME_CLOCK_TOLERANCE;
    return { offset: 0n, tolerance, why: "same-clock", events: 0 };
  }
  const shared = commonEvents(input.anchors, reference.anchors);
  if (shared) return shared;
  const paired = byPairs(own, other, pairs);
  if (paired) return paired;
  // Text of ftrace does not name its clock; taken for the same when the times overlap.
  if ((own === null || other === null) && overlap(input, reference)) {
    return { offset: 0n, tolerance: LOG_TOLERANCE, why: "unknown", events: 0 };
  }
  throw new RecordingError(
    { file: input.source.name, at: "" },
    `times that can be compared with those of ${reference.source.name} (${other ?? "clock not known"})`,
    `${own ?? "a clock that is not known"}, and no event that stands in both; give --clock-offset ` +
      `${input.source.name}=SECONDS or --clock-pairs`,
  );
}

function byPairs(
  own: string | null,
  other: string | null,
  pairs: readonly ClockPair[],
): ClockShift | null {
  const [first] = pairs;
  if (!first) return null;
  const from = own ?? "mono";
  const to = other ?? "mono";
  if (from === to) return null;
  const sign =
    from === "realtime" && to === "mono" ? 1n : from === "mono" && to === "realtime" ? -1n : 0n;
  if (sign === 0n) return null;
  const distances = pairs.map((pair) => pair.monotonic - pair.realtime);
  const moved = span(distances).width;
  const spread = pairs.reduce((most, pair) => (pair.spread > most ? pair.spread : most), 0n);
  return {
    offset: sign * span(distances).middle,
    tolerance: moved + spread + LOG_TOLERANCE,
    why: "clock-pairs",
    events: pairs.length,
  };
}

function span(values: readonly bigint[]): { middle: bigint; width: bigint } {
  let low = values[0]!;
  let high = low;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { middle: (low + high) / 2n, width: (high - low + 1n) / 2n };
}

function overlap(a: FirstLook, b: FirstLook): boolean {
  const [from, to] = [a.summary.firstNs, a.summary.lastNs];
  const [first, last] = [b.summary.firstNs, b.summary.lastNs];
  if (from === null || to === null || first === null || last === null) return true;
  return BigInt(from) <= BigInt(last) && BigInt(first) <= BigInt(to);
}

/** Whether two recordings hold events of one and the same QEMU. */
export function sameQemu(a: readonly Anchor[], b: readonly Anchor[]): boolean {
  const keys = new Set(a.filter((anchor) => anchor.own).map((anchor) => anchor.key));
  const shared = new Set(
    b.filter((anchor) => anchor.own && keys.has(anchor.key)).map(({ key }) => key),
  );
  const fewer = Math.min(keys.size, new Set(b.filter(({ own }) => own).map(({ key }) => key)).size);
  return shared.size >= MIN_SHARED && shared.size * 2 >= fewer;
}

/**
 * The distance of two recordings of one QEMU: their common events, paired in order. Events that
 * happened a different number of times are left out, for one of the recordings began later.
 */
export function commonEvents(a: readonly Anchor[], b: readonly Anchor[]): ClockShift | null {
  if (!sameQemu(a, b)) return null;
  const distances: bigint[] = [];
  const times = byKey(b);
  for (const [key, own] of byKey(a)) {
    const other = times.get(key);
    if (!other || other.length !== own.length) continue;
    for (const [i, ns] of own.entries()) distances.push(other[i]! - ns);
  }
  if (distances.length < MIN_SHARED) return null;
  const { middle, width } = span(distances);
  return { offset: middle, tolerance: width + US, why: "common-events", events: distances.length };
}

function byKey(anchors: readonly Anchor[]): Map<string, bigint[]> {
  const times = new Map<string, bigint[]>();
  for (const { key, ns } of anchors) {
    const list = times.get(key);
    if (list) list.push(ns);
    else times.set(key, [ns]);
  }
  return times;
}
