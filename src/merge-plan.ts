/**
 * How several recordings become one: which are replayed on which clock, which is a destination's and
 * only tells what arrived, and which events two recordings of one QEMU both have.
 */
import { type ClockPair, type ClockShift, sameQemu, shiftOf } from "./clocks.ts";
import { type FirstLook, firstLook, type ZeroPages } from "./first-look.ts";
import type { Source } from "./recording/source.ts";
import type { Recording } from "./replay-options.ts";
import type { InputSummary } from "./result.ts";

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
}

export interface MergePlan {
  inputs: PlannedInput[];
  /** Destinations, which are not replayed. */
  destinations: InputSummary[];
  zeros: ZeroPages | null;
  /** A send and a write that are closer than this have no order, ns. */
  tolerance: bigint;
  /** What was decided, for people; one sentence each. */
  notes: string[];
}

const REFERENCE: ClockShift = { offset: 0n, tolerance: 0n, why: "reference", events: 0 };

/** An input that is the only one, or that can be read only once. */
function alone(source: Source, space: number): PlannedInput {
  return { source, shift: REFERENCE, space, muted: new Set(), sends: false };
}

/** The plan for a recording's inputs. Throws RecordingError when their clocks cannot be joined. */
export async function planMerge(recording: Recording): Promise<MergePlan> {
  const { sources } = recording;
  const plain: MergePlan = {
    inputs: sources.map(alone),
    destinations: [],
    zeros: null,
    tolerance: 0n,
    notes: [],
  };
  if (sources.length < 2 || sources.some((source) => source.random === undefined)) return plain;
  const looks: FirstLook[] = [];
  for (const source of sources) looks.push(await firstLook(recording, source));
  const hasSource = looks.some((look) => look.saves > 0);
  const receivers = looks.filter((look) => hasSource && look.loads > 0 && look.saves === 0);
  const replayed = looks.filter((look) => !receivers.includes(look));
  const reference = replayed[0]!;
  const plan: MergePlan = {
    inputs: [],
    destinations: receivers.map((look) => look.summary),
    zeros: receivers[0]?.zeros ?? null,
    tolerance: 0n,
    notes: receivers.map(
      (look) =>
        `${look.source.name} is a destination's: the pages that it received tell which were sent as ` +
        "zeros; its devices are not replayed.",
    ),
  };
  replayed.forEach((look, i) => {
    const given = recording.clockOffsets?.get(look.source.name);
    const shift =
      look === reference && !given && look.summary.clockTolerance === undefined
        ? REFERENCE
        : shiftOf(look, reference, given, recording.clockPairs ?? []);
    const twin = replayed.findIndex((other, j) => j < i && sameQemu(other.anchors, look.anchors));
    const muted = new Set<string>();
    if (twin >= 0) {
      for (const { name, kind, count } of replayed[twin]!.summary.events) {
        if (kind !== null && count > 0) muted.add(name);
      }
      plan.notes.push(
        `${look.source.name} is of the same QEMU as ${replayed[twin]!.source.name}: what both have is ` +
          "taken from the first.",
      );
    }
    if (look !== reference) plan.notes.push(clockNote(look, reference, shift));
    const space = twin >= 0 ? twin : i;
    const sends = has(look, SENDS, muted);
    plan.inputs.push({ source: look.source, shift, space, muted, sends });
  });
  plan.tolerance = toleranceOf(plan.inputs, replayed);
  return plan;
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
function toleranceOf(inputs: readonly PlannedInput[], looks: readonly FirstLook[]): bigint {
  let most = 0n;
  for (const sender of inputs.filter((input) => input.sends)) {
    inputs.forEach((writer, i) => {
      if (writer === sender || !has(looks[i]!, WRITES, writer.muted)) return;
      const tolerance = sender.shift.tolerance + writer.shift.tolerance;
      if (tolerance > most) most = tolerance;
    });
  }
  return most;
}

function clockNote(look: FirstLook, reference: FirstLook, shift: ClockShift): string {
  const seconds = (ns: bigint): string => {
    const digits = (ns < 0n ? -ns : ns).toString().padStart(10, "0");
    return `${ns < 0n ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`;
  };
  const how: Record<ClockShift["why"], string> = {
    reference: "",
    "same-clock": "the same clock",
    given: `${seconds(shift.offset)} s are added, as given`,
    "common-events": `${seconds(shift.offset)} s are added, from ${shift.events} events in both`,
    "clock-pairs": `${seconds(shift.offset)} s are added, from ${shift.events} clock pairs`,
    unknown: "taken for the same clock: not both say which it is",
  };
  return (
    `Clock of ${look.source.name} against ${reference.source.name}: ${how[shift.why]}; events closer ` +
    `than ${Number(shift.tolerance) / 1000} us have no order.`
  );
}

export type { ClockPair };
