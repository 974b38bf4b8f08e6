/**
 * How several recordings become one: which are replayed on which clock, which is a destination's and
 * only tells what arrived, and which events two recordings of one QEMU both have.
 */

import { EventKind } from "../../assembly/event-abi.ts";
import type { Source } from "../bytes/source.ts";
import { RecordingError } from "../model/place.ts";
import type { InputSummary } from "../model/result.ts";
import type { ClockPair } from "./clock-pair.ts";
import { type ClockShift, type CommonClock, joinClocks, sameQemu, sameQueues } from "./clocks.ts";
import { type FirstLook, firstLook, sameOrder, type ZeroPages } from "./first-look.ts";
import type { Recording } from "./recording.ts";
import { findRepeats, type Skip } from "./repeats.ts";

/** One input of the replay. */
export interface PlannedInput {
  source: Source;
  shift: ClockShift;
  /** Inputs of one process share a number: their addresses are the same memory. */
  space: number;
  /** Events that an input before it has already. */
  muted: ReadonlySet<string>;
  /** Page sends are taken from it. */
  sends: boolean;
  /** What another input, or another buffer of this one, has; by the buffer's name. */
  skips: { buffer: string | null; skip: Skip }[];
}

export interface MergePlan {
  inputs: PlannedInput[];
  /** Destinations, which are not replayed. */
  destinations: InputSummary[];
  /** Inputs that hold nothing but what others hold: not replayed either. */
  repeated: InputSummary[];
  /** Where two inputs record the same and each has events of its own; one sentence each. */
  differing: string[];
  zeros: ZeroPages | null;
  /**
   * Of a migration whose destination is replayed with its source, as with multifd: the space of the QEMU
   * that sends, and those that receive. What they receive tells of the sender's machine.
   */
  received: { from: number; by: ReadonlySet<number> } | null;
  /** A destination loaded RAM, and no page of it came in the stream. */
  loadedUnseen: boolean;
  /** A send and a write that are closer than this have no order, ns. */
  tolerance: bigint;
  /** What was decided, for people; one sentence each. */
  notes: string[];
}

const REFERENCE: ClockShift = { offset: 0n, tolerance: 0n, why: "reference", events: 0 };

/** An input that is the only one, or that can be read only once. */
function alone(source: Source, space: number): PlannedInput {
  return { source, shift: REFERENCE, space, muted: new Set(), sends: false, skips: [] };
}

/**
 * The plan for a recording's inputs; `buffers`: its only one is a trace.dat with several. Throws
 * RecordingError when clocks cannot be joined, or when a destination is of another migration.
 */
export async function planMerge(recording: Recording, buffers = false): Promise<MergePlan> {
  const { sources } = recording;
  const plan: MergePlan = {
    inputs: [],
    destinations: [],
    repeated: [],
    differing: [],
    zeros: null,
    received: null,
    loadedUnseen: false,
    tolerance: 0n,
    notes: [],
  };
  const single = sources.length < 2 && !buffers;
  if (single || sources.some((source) => source.random === undefined)) {
    return { ...plan, inputs: sources.map(alone) };
  }
  const looks: FirstLook[] = [];
  for (const source of sources) {
    looks.push(recording.looks?.get(source.name) ?? (await firstLook(recording, source)));
  }
  plan.loadedUnseen = looks.some(
    (look) =>
      counted(look, [EventKind.QLoaded]) > 1 &&
      look.loads + look.saves + counted(look, PACKETS_RECEIVED) === 0,
  );
  const replayed = takeDestinations(looks, plan);
  takeReplayed(replayed, recording, plan);
  return plan;
}

/** Sets destinations aside; what they received belongs to a migration of the others, which it returns. */
function takeDestinations(looks: readonly FirstLook[], plan: MergePlan): FirstLook[] {
  const senders = looks.filter((look) => look.saves > 0);
  const receivers = looks.filter(
    (look) => senders.length > 0 && look.loads > 0 && look.saves === 0,
  );
  for (const receiver of receivers) {
    if (ofAnotherMigration(receiver, senders)) {
      throw new RecordingError(
        { file: receiver.source.name, at: "" },
        `the destination of a migration that ${senders.map(({ source }) => source.name).join(" or ")} sends`,
        "one that received other pages: it is the destination of another migration",
      );
    }
    plan.destinations.push(receiver.summary);
    plan.notes.push(
      plan.zeros === null
        ? `${receiver.source.name} is a destination's: the pages that it received tell which were ` +
            "sent as zeros; its devices are not replayed."
        : `${receiver.source.name} is a destination's, too, and tells nothing more; it is not replayed.`,
    );
    plan.zeros ??= receiver.zeros;
  }
  return looks.filter((look) => !receivers.includes(look));
}

/** Whether what a destination received is surely none of what these sent. A loss leaves it open. */
function ofAnotherMigration(receiver: FirstLook, senders: readonly FirstLook[]): boolean {
  if (receiver.lossy || senders.some(({ lossy }) => lossy)) return false;
  return senders.every(({ sent }) =>
    sent.every((migration) => sameOrder(migration, receiver.received) === false),
  );
}

/** Plans what is replayed of the inputs that are left. */
function takeReplayed(looks: readonly FirstLook[], recording: Recording, plan: MergePlan): void {
  const repeats = findRepeats(looks);
  plan.repeated = looks.filter((_, i) => repeats.inputs[i]!.leftOut).map((look) => look.summary);
  plan.differing = repeats.differing;
  plan.notes.push(...repeats.notes);
  const replayed = looks.filter((_, i) => !repeats.inputs[i]!.leftOut);
  const skips = repeats.inputs.filter(({ leftOut }) => !leftOut).map((input) => input.skips);
  const clock = joinClocks(
    replayed,
    (look) => recording.clockOffsets?.get(look.source.name),
    recording.clockPairs ?? [],
  );
  const spaces: number[] = [];
  replayed.forEach((look, i) => {
    const shift = clock.shifts[i]!;
    const twins = twinsBefore(i, replayed, clock);
    const muted = new Set<string>();
    for (const { name, kind, count } of twins.flatMap((twin) => replayed[twin]!.summary.events)) {
      if (kind !== null && count > 0) muted.add(name);
    }
    const [first] = twins;
    if (first !== undefined) {
      plan.notes.push(
        `${look.source.name} is of the same QEMU as ${replayed[first]!.source.name}: what both have is ` +
          "taken from the latter.",
      );
    }
    if (i !== clock.reference) plan.notes.push(clockNote(i, replayed, clock));
    const sends = has(look, SENDS, muted);
    // Pieces of one recording are of one process as well.
    const piece = replayed.findIndex((other, j) => j < i && sameQueues(other, look));
    const space = first ?? (piece < 0 ? i : spaces[piece]!);
    spaces.push(space);
    plan.inputs.push({
      source: look.source,
      shift,
      space,
      muted,
      sends,
      skips: skips[i]!.flatMap((skip, part) =>
        skip ? [{ buffer: look.parts[part]!.buffer, skip }] : [],
      ),
    });
  });
  plan.tolerance = toleranceOf(plan.inputs, replayed, clock);
  const spacesOf = (does: (look: FirstLook) => boolean): number[] =>
    replayed.flatMap((look, i) => (does(look) ? [spaces[i]!] : []));
  const from = spacesOf((look) => look.saves > 0 || counted(look, PACKETS_SENT) > 0);
  const by = spacesOf((look) => look.loads > 0 || counted(look, PACKETS_RECEIVED) > 0);
  const others = new Set(by.filter((space) => !from.includes(space)));
  plan.received = from[0] !== undefined && others.size > 0 ? { from: from[0], by: others } : null;
}

/** Packets of multifd. */
const PACKETS_SENT = [EventKind.QPacketFill, EventKind.QPacketSend];
const PACKETS_RECEIVED = [EventKind.QPacketUnfill, EventKind.QPacketRecv];

const counted = (look: FirstLook, kinds: readonly EventKind[]): number =>
  kinds.reduce((sum, kind) => sum + (look.kinds[kind] ?? 0), 0);

/**
 * Recordings of the same QEMU from which its events are rather taken, best first: those whose
 * distance from the device's writes is better known; where it is the same, by name, for the order of
 * the inputs must not show.
 */
function twinsBefore(own: number, looks: readonly FirstLook[], clock: CommonClock): number[] {
  const off = looks.map((_, i) =>
    looks.reduce((most, look, writer) => {
      const tolerance = has(look, WRITES, new Set()) ? clock.tolerance(writer, i) : 0n;
      return tolerance > most ? tolerance : most;
    }, 0n),
  );
  const nameOf = (i: number): string => looks[i]!.source.name;
  const better = (a: number, b: number): boolean => {
    if (off[a] !== off[b]) return off[a]! < off[b]!;
    return nameOf(a) === nameOf(b) ? a < b : nameOf(a) < nameOf(b);
  };
  return looks
    .map((_, i) => i)
    .filter(
      (i) =>
        i !== own &&
        sameQemu(looks[i]!.anchors, looks[own]!.anchors) &&
        meet(i, own, looks, clock) &&
        better(i, own),
    )
    .sort((a, b) => (better(a, b) ? -1 : 1));
}

/** Whether two inputs record at the same time: pieces of one recording have nothing in common. */
function meet(a: number, b: number, looks: readonly FirstLook[], clock: CommonClock): boolean {
  const span = (i: number): [bigint, bigint] | null => {
    const { firstNs, lastNs } = looks[i]!.summary;
    const { offset } = clock.shifts[i]!;
    return firstNs === null || lastNs === null
      ? null
      : [BigInt(firstNs) + offset, BigInt(lastNs) + offset];
  };
  const [one, other] = [span(a), span(b)];
  if (!one || !other) return false;
  const tolerance = clock.tolerance(a, b);
  return one[0] <= other[1] + tolerance && other[0] <= one[1] + tolerance;
}

const SENDS = ["ram_save_page", "ram_load_loop"];
/** Events after which a device has written guest memory. */
const WRITES = ["used", "virtqueue_fill"];

function has(look: FirstLook, kinds: readonly string[], muted: ReadonlySet<string>): boolean {
  return look.summary.events.some(
    ({ name, kind, count }) =>
      count > 0 && kind !== null && kinds.includes(kind) && !muted.has(name),
  );
}

/** How well the order of a send and a write is known: exactly where one input has both. */
function toleranceOf(
  inputs: readonly PlannedInput[],
  looks: readonly FirstLook[],
  clock: CommonClock,
): bigint {
  let most = 0n;
  inputs.forEach((sender, s) => {
    inputs.forEach((writer, w) => {
      if (w === s || !sender.sends || !has(looks[w]!, WRITES, writer.muted)) return;
      const tolerance = clock.tolerance(s, w);
      if (tolerance > most) most = tolerance;
    });
  });
  return most;
}

function clockNote(i: number, looks: readonly FirstLook[], clock: CommonClock): string {
  const { offset, tolerance, why, events } = clock.shifts[i]!;
  const between = clock.by[i] ?? null;
  const other = between === null ? "both" : looks[between]!.source.name;
  const added = `${signedSeconds(offset)} s are added`;
  const how: Record<ClockShift["why"], string> = {
    reference: "",
    "same-clock": between === null ? "the same clock" : `that of ${other}, ${added}`,
    given: `${added}, as given`,
    "common-events": `${added}, from ${events} events in ${between === null ? "both" : `it and ${other}`}`,
    "clock-pairs": `${added}, from ${events} clock pairs${between === null ? "" : ` and ${other}`}`,
    unknown: "taken for the same clock: not both say which it is",
  };
  return (
    `Clock of ${looks[i]!.source.name} against ${looks[clock.reference]!.source.name}: ${how[why]}; ` +
    `events closer than ${Number(tolerance) / 1000} us have no order.`
  );
}

function signedSeconds(ns: bigint): string {
  const digits = (ns < 0n ? -ns : ns).toString().padStart(10, "0");
  return `${ns < 0n ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

export type { ClockPair };
