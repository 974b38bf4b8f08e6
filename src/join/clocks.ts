/**
 * One clock for several recordings. Two are on one clock when both say so; otherwise the distance
 * is what the user gives, or is found from events that stand in both, or from readings of both
 * clocks. Each is placed against whichever other it is best known against, so that one may be placed
 * by way of others; if there is no way the recordings cannot be merged. How well a distance is known,
 * the tolerance, goes with it, and adds up along the way. Nothing depends on the order of the inputs
 * but which one's clock is the common one.
 */

import { RecordingError } from "../model/place.ts";
import type { ClockPair, GivenOffset } from "./clock-pair.ts";
import type { Anchor, FirstLook } from "./first-look.ts";
import { KERNEL_KINDS, sharedEvents } from "./sample.ts";

/** How the clocks of two inputs, or of an input and the common one, are related. */
export interface ClockShift {
  /** Added to the times of the one to be on the clock of the other, ns. */
  offset: bigint;
  /** Two events of both that are closer have no order, ns. */
  tolerance: bigint;
  why: "reference" | "same-clock" | "given" | "common-events" | "clock-pairs" | "unknown";
  /** Events in both recordings that the offset rests on. */
  events: number;
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

/** How the times of `input` come to the clock of `other`; null when nothing relates the two. */
function linkOf(
  input: FirstLook,
  other: FirstLook,
  pairs: readonly ClockPair[],
): ClockShift | null {
  const aligned = [input, other].flatMap(({ summary }) => summary.clockToleranceNs ?? []);
  if (aligned.length > 0) {
    const tolerance = aligned.reduce((sum, ns) => sum + BigInt(ns), 0n);
    return { offset: 0n, tolerance, why: "same-clock", events: 0 };
  }
  const [from, to] = [input.summary.clock, other.summary.clock];
  if (from !== null && from === to) {
    const tolerance = from === "realtime" ? LOG_TOLERANCE : SAME_CLOCK_TOLERANCE;
    return { offset: 0n, tolerance, why: "same-clock", events: 0 };
  }
  const shared = commonEvents(input.anchors, other.anchors);
  if (shared) return shared;
  const paired = byPairs(from, to, pairs);
  if (paired) return paired;
  const repeated = byRepeats(input, other);
  if (repeated) return repeated;
  // Text of ftrace does not name its clock; taken for the same when the times overlap, or when both
  // are of the same virtqueues: one recording in pieces.
  if ((from === null || to === null) && (overlap(input, other) || sameQueues(input, other))) {
    return { offset: 0n, tolerance: LOG_TOLERANCE, why: "unknown", events: 0 };
  }
  return null;
}

/** Two inputs, by their position, and what relates them. */
interface Link extends ClockShift {
  from: number;
  to: number;
}

/** Where every input lies on the common clock. */
export interface CommonClock {
  /** Position of the input whose clock it is. */
  reference: number;
  /** By input: from its own clock to the common one. */
  shifts: ClockShift[];
  /** By input: the one that it is placed against, where that is not the reference. */
  by: (number | null)[];
  /** Two events of these inputs that are closer have no order, ns. */
  tolerance(a: number, b: number): bigint;
}

/**
 * Places all inputs. Offsets that are given count from the first input that has none. Throws
 * RecordingError when one cannot be placed.
 */
export function joinClocks(
  looks: readonly FirstLook[],
  given: (look: FirstLook) => GivenOffset | undefined,
  pairs: readonly ClockPair[],
): CommonClock {
  const reference = Math.max(
    0,
    looks.findIndex((look) => !given(look)),
  );
  const direct: Link[] = [];
  looks.forEach((look, from) => {
    looks.forEach((other, to) => {
      const link = to < from ? linkOf(look, other, pairs) : null;
      if (link) direct.push({ from, to, ...link });
    });
  });
  // Where all inputs have one, the common clock is none of theirs.
  const base = given(looks[reference]!) ?? { offset: 0n, tolerance: 0n };
  const stated: Link[] = [];
  looks.forEach((look, from) => {
    const own = given(look);
    if (!own || from === reference) return;
    const offset = own.offset - base.offset;
    const tolerance = (own.tolerance ?? LOG_TOLERANCE) + (base.tolerance ?? LOG_TOLERANCE);
    stated.push({ from, to: reference, offset, tolerance, why: "given", events: 0 });
  });
  const names = (link: Link): string =>
    [looks[link.from]!.source.name, looks[link.to]!.source.name].sort().join("\0");
  // The order of the inputs must not show, so names decide between links that are as good.
  direct.sort(
    (a, b) =>
      Number(a.why === "unknown") - Number(b.why === "unknown") ||
      compare(a.tolerance, b.tolerance) ||
      compare(names(a), names(b)),
  );
  const tree = spanningTree(looks.length, [...stated, ...direct]);
  const paths = looks.map((_, i) => pathsFrom(i, looks.length, tree));
  const shifts: ClockShift[] = [];
  const by: (number | null)[] = [];
  for (const [i, look] of looks.entries()) {
    const path = paths[reference]![i];
    if (!path) throw notPlaced(look, looks[reference]!);
    const { tolerance, before } = path;
    const { why, events } = path.last ?? { why: "reference", events: 0 };
    shifts.push({ offset: base.offset + path.offset, tolerance, why, events });
    by.push(before === reference ? null : before);
  }
  const tolerance = (a: number, b: number): bigint => {
    const { offset, tolerance: along } = paths[a]![b]!;
    const own = direct.find(({ from, to }) => (from === a && to === b) || (from === b && to === a));
    if (!own || own.why === "unknown") return along;
    // What the two have in common may be better than the way, less what that way is off it.
    const off = (own.from === b ? own.offset : -own.offset) - offset;
    const least = own.tolerance + (off < 0n ? -off : off);
    return least < along ? least : along;
  };
  return { reference, shifts, by, tolerance };
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The links, in this order, that join what was not joined yet. */
function spanningTree(count: number, links: readonly Link[]): Link[] {
  const group = Array.from({ length: count }, (_, i) => i);
  return links.filter(({ from, to }) => {
    const [own, other] = [group[from]!, group[to]!];
    if (own === other) return false;
    group.forEach((number, i) => {
      if (number === own) group[i] = other;
    });
    return true;
  });
}

interface Path {
  /** Added to the times of its end to be on the clock of its start. */
  offset: bigint;
  tolerance: bigint;
  /** The last link, and the input before it; null for the start itself. */
  last: Link | null;
  before: number;
}

/** The ways from one input to all others. */
function pathsFrom(start: number, count: number, tree: readonly Link[]): (Path | undefined)[] {
  const paths: (Path | undefined)[] = new Array(count).fill(undefined);
  paths[start] = { offset: 0n, tolerance: 0n, last: null, before: start };
  const open = [start];
  for (const at of open) {
    const here = paths[at]!;
    for (const link of tree) {
      const next = link.from === at ? link.to : link.to === at ? link.from : at;
      if (next === at || paths[next]) continue;
      paths[next] = {
        offset: here.offset + (link.from === next ? link.offset : -link.offset),
        tolerance: here.tolerance + link.tolerance,
        last: link,
        before: at,
      };
      open.push(next);
    }
  }
  return paths;
}

function notPlaced(input: FirstLook, reference: FirstLook): RecordingError {
  return new RecordingError(
    { file: input.source.name, at: "" },
    `times that can be compared with those of ${reference.source.name} (${reference.summary.clock ?? "clock not known"})`,
    `${input.summary.clock ?? "a clock that is not known"}, and no event that stands in another input; ` +
      `give --clock-offset ${input.source.name}=SECONDS or --clock-pairs`,
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

/** The distance of two recordings of the same events of a kernel. */
function byRepeats(input: FirstLook, other: FirstLook): ClockShift | null {
  const [own, its] = [input.summary.clock, other.summary.clock];
  const clocks = own === null || its === null ? "unknown" : "differ";
  for (const part of input.parts) {
    for (const twin of other.parts) {
      const shared = sharedEvents(twin.sample, part.sample, KERNEL_KINDS, clocks);
      if (!shared?.offset) continue;
      const { offset, spread, matched } = shared;
      return { offset, tolerance: spread + US, why: "common-events", events: matched };
    }
  }
  return null;
}

/** Whether two inputs are of the same kernel since its start, or of the same QEMU. */
export function sameQueues(a: FirstLook, b: FirstLook): boolean {
  for (const queue of a.queues) if (b.queues.has(queue)) return true;
  return false;
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
