/**
 * Nothing counts twice: what several inputs, or several buffers of one, have of the same events is
 * replayed from one of them. It is found by content (sample.ts), whatever the form.
 */
import { EventKind } from "../../assembly/event-abi.ts";
import type { FirstLook, LookedPart } from "./first-look.ts";
import { KERNEL_KINDS, QEMU_KINDS, type Shared, sharedEvents } from "./sample.ts";

/** Events of one part that are not replayed, for another one has them. */
export interface Skip {
  /** Kinds of events, a bit each. */
  kinds: bigint;
  /** On the clock of this part, ns, both included. */
  from: bigint;
  to: bigint;
}

/** What is decided about the buffers of one input. */
export interface Repeat {
  /** By its position among the input's parts. */
  skips: (Skip | null)[];
  /** Nothing of it is replayed. */
  leftOut: boolean;
}

export interface Repeats {
  /** By input. */
  inputs: Repeat[];
  /** One sentence each. */
  notes: string[];
  /** Where each of two has events that the other has not, and only those of one count. */
  differing: string[];
}

interface Candidate {
  input: number;
  part: number;
  look: FirstLook;
  own: LookedPart;
  repeats: Skip | null;
  leftOut: boolean;
}

const FOREVER: Pick<Skip, "from" | "to"> = { from: 0n, to: (1n << 64n) - 1n };
/** So many of a part's events must be found in another for the part to add nothing. */
const ALL = 0.98;
const GAP = 1n << BigInt(EventKind.Gap);

/** Decides for all inputs what of each is a repetition. The order of the inputs does not matter. */
export function findRepeats(looks: readonly FirstLook[]): Repeats {
  const candidates = looks.flatMap((look, input) =>
    look.parts.map(
      (own, part): Candidate => ({ input, part, look, own, repeats: null, leftOut: false }),
    ),
  );
  const order = candidates.toSorted(better);
  const notes: string[] = [];
  const differing: string[] = [];
  order.forEach((candidate, i) => {
    for (const kept of order.slice(0, i)) {
      if (candidate.leftOut) return;
      if (kept.leftOut) continue;
      const relation = relate(kept, candidate);
      if (!relation) continue;
      apply(kept, candidate, relation, notes, differing);
    }
  });
  const inputs = looks.map((look, input): Repeat => {
    const parts = candidates.filter((candidate) => candidate.input === input);
    const leftOut = look.parts.length > 0 && parts.every((part) => part.leftOut);
    return { leftOut, skips: parts.map((part) => part.repeats) };
  });
  return { inputs, notes, differing };
}

/** What two parts have in common, in terms of the family of events that both have. */
function relate(kept: Candidate, other: Candidate): { shared: Shared; family: bigint } | null {
  const [a, b] = [clockOf(kept), clockOf(other)];
  const clocks = a === null || b === null ? "unknown" : a === b ? "same" : "differ";
  const kernel = kept.own.events > 0 && other.own.events > 0;
  // Recordings of QEMU alone: on other clocks, what both have is sorted out event by event.
  if (!kernel && (clocks === "differ" || kept.own.events > 0 || other.own.events > 0)) return null;
  const family = kernel ? KERNEL_KINDS : QEMU_KINDS;
  const shared = sharedEvents(kept.own.sample, other.own.sample, family, clocks);
  return shared && { shared, family };
}

function clockOf({ look }: Candidate): string | null {
  return look.summary.clock;
}

function apply(
  kept: Candidate,
  other: Candidate,
  { shared, family }: { shared: Shared; family: bigint },
  notes: string[],
  differing: string[],
): void {
  const [name, first] = [nameOf(other), nameOf(kept)];
  const margin = shared.spread > 1000n ? shared.spread : 1000n;
  const own = family === KERNEL_KINDS ? kept.own : spanOf(kept, family);
  // At another rate times mean nothing: such a recording is left out, or cannot be joined at all.
  const offset = shared.offset ?? 0n;
  const from = own.from - offset - margin;
  const to = own.to - offset + margin;
  const span = family === KERNEL_KINDS ? other.own : spanOf(other, family);
  const inside = shared.offset === null || (span.from >= from && span.to <= to);
  const has = kindsOf(other);
  const left = has & ~shared.kinds & ~GAP;
  const complete = shared.found >= ALL * shared.second;
  const whole = inside && (left === 0n || coversAlso(kept, other, left, shared));
  const kinds = shared.kinds | (whole ? GAP : 0n);
  const skip: Skip = { kinds, ...(inside ? FOREVER : { from: from < 0n ? 0n : from, to }) };
  other.repeats = merged(other.repeats, skip);
  if (whole) {
    other.leftOut = true;
    other.repeats = { kinds: KERNEL_KINDS | QEMU_KINDS | GAP, ...FOREVER };
    notes.push(
      `${name} holds the events of ${first}: the same recording in another form, which counts once.`,
    );
  } else {
    const what = inside
      ? "what both have counts once"
      : "what both have at the same time counts once";
    notes.push(`${name} holds events that stand in ${first} too: ${what}, from ${first}.`);
  }
  if (!complete) {
    const more = Math.round(((shared.second - shared.found) / shared.second) * 100);
    differing.push(
      `About ${more} % of the events of ${name} are not in ${first}, which records the same at the ` +
        "same time: they do not count.",
    );
  }
}

/** Whether the kinds that are left are shared as well, on the same clock: both are whole recordings. */
function coversAlso(kept: Candidate, other: Candidate, left: bigint, by: Shared): boolean {
  if (by.offset !== 0n) return false;
  const more = sharedEvents(kept.own.sample, other.own.sample, left, "same");
  if (more && more.found < ALL * more.second) return false;
  return untold(left & ~(more?.kinds ?? 0n), kept, other);
}

/** Kinds too rare for the samples to hold any of them in common: by their number. */
function untold(kinds: bigint, kept: Candidate, other: Candidate): boolean {
  const { mask } = kept.own.sample;
  for (const [kind, count] of other.look.kinds.entries()) {
    if (((kinds >> BigInt(kind)) & 1n) === 0n) continue;
    const sampled = other.own.sample.kinds.some(
      (its, i) => its === kind && (other.own.sample.hashes[i]! & mask) === 0n,
    );
    if (sampled || (kept.look.kinds[kind] ?? 0) < count) return false;
  }
  return true;
}

function kindsOf({ own }: Candidate): bigint {
  let kinds = 0n;
  for (const kind of own.sample.kinds) kinds |= 1n << BigInt(kind);
  return kinds;
}

function spanOf({ own }: Candidate, family: bigint): { from: bigint; to: bigint } {
  const { times, kinds } = own.sample;
  const among = [...times].filter((_, i) => ((family >> BigInt(kinds[i]!)) & 1n) !== 0n);
  const last = among.at(-1);
  return among.length === 0 || last === undefined
    ? { from: 0n, to: 0n }
    : { from: among[0]!, to: last };
}

/** One range is kept: what lies between two is repeated by one of both, or not recorded at all. */
function merged(a: Skip | null, b: Skip): Skip {
  if (!a) return b;
  return {
    kinds: a.kinds | b.kinds,
    from: a.from < b.from ? a.from : b.from,
    to: a.to > b.to ? a.to : b.to,
  };
}

/** Clocks by which events of different CPUs have an order, kernel/trace/trace.c trace_clocks[]. */
const ORDERING = new Set(["mono", "mono_raw", "boot", "tai", "global", "counter", "realtime"]);
const FORMS: readonly [RegExp, number][] = [
  [/^trace\.dat/, 0],
  [/^NDJSON/, 2],
];

/** The one that is rather replayed comes first: more events, a better clock, the form it was made in. */
function better(a: Candidate, b: Candidate): number {
  const rank = ({ look }: Candidate): number => {
    const { clock } = look.summary;
    return clock === null ? 1 : ORDERING.has(clock) ? 0 : 2;
  };
  const form = ({ look }: Candidate): number =>
    FORMS.find(([pattern]) => pattern.test(look.summary.format))?.[1] ?? 1;
  return (
    b.own.events - a.own.events ||
    b.own.sample.hashes.length - a.own.sample.hashes.length ||
    rank(a) - rank(b) ||
    form(a) - form(b) ||
    a.look.source.name.localeCompare(b.look.source.name, "en") ||
    a.input - b.input ||
    a.part - b.part
  );
}

function nameOf({ look, own }: Candidate): string {
  if (look.parts.length < 2) return look.source.name;
  return `${own.buffer === "" ? "the top buffer" : `buffer ${own.buffer}`} of ${look.source.name}`;
}
