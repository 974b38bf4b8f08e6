/** Inputs, opened: what their formats are, and the feeds that put them into a core. */

import { CUT_OFF } from "../bytes/compressed-input.ts";
import { type Unwrapped, unwrap } from "../bytes/decompress.ts";
import { type Head, mayBeText } from "../bytes/head.ts";
import type { Damage } from "../bytes/past-damage.ts";
import { utf16Mark } from "../bytes/signatures.ts";
import type { Source, Surroundings } from "../bytes/source.ts";
import { asUtf8, headAsUtf8 } from "../bytes/text-encoding.ts";
import type { Core } from "../core/core.ts";
import { RecordingError } from "../model/place.ts";
import type { InputSummary } from "../model/result.ts";
import type { Feed, FeedSummary } from "./feed.ts";
import { type Recognised, recognise } from "./formats.ts";
import { judgeWholeness, type Wholeness } from "./stated-entries.ts";

/** One opened input. */
export interface OpenInput {
  source: Source;
  feed: Feed;
  compression: string[];
  /** Number of the process whose addresses it has. */
  space: number;
}

/** Places of one compressed file that are kept, and that are told. */
const MOST_DAMAGE = 64;
const TOLD_DAMAGE = 3;

const EXPECTED =
  "a recording of ftrace (trace.dat, tracefs text, trace-cmd report, perf script), of QEMU " +
  "(log, simpletrace) or NDJSON";

async function openOne(
  core: Core,
  source: Source,
  space: number,
  surroundings: Surroundings,
  traceEvents: Source | null,
): Promise<OpenInput> {
  const damage: Damage[] = [];
  const unwrapped = asText(await unwrap(source, (met) => noteDamage(damage, met)));
  const { head, known } = await recogniseLong(unwrapped);
  if (known === null || "foreign" in known) {
    unwrapped.stream().close();
    throw damage[0]?.error ?? notARecording(source.name, known);
  }
  const context = { core, file: source.name, space };
  const { variant } = known;
  const feed = await known.format.open({
    context,
    source,
    unwrapped,
    head,
    variant,
    surroundings,
    traceEvents,
  });
  const summary = feed.summary.bind(feed);
  feed.summary = () => withDamage(summary(), damage);
  return { source, feed, compression: unwrapped.compression, space };
}

/** The first ones, and the last. */
function noteDamage(damage: Damage[], met: Damage): void {
  if (damage.length === MOST_DAMAGE) damage.pop();
  damage.push(met);
}

/**
 * A compressed file that is cut off ends like one that is not compressed. Damage is a loss: of what is in
 * it where reading went on behind it, otherwise of all that follows.
 */
function withDamage(summary: FeedSummary, damage: readonly Damage[]): FeedSummary {
  const last = damage.at(-1);
  if (!last) return summary;
  const passed = damage.filter((met) => met.passed);
  const notes = passed
    .slice(0, TOLD_DAMAGE)
    .map(({ error }) => `Read on behind damage: ${error.message}.`);
  if (passed.length > TOLD_DAMAGE) notes.push("There is more such damage.");
  const lost = passed.filter(({ unmarked }) => unmarked).map(({ error }) => error);
  if (!last.passed) {
    notes.push(`Only what could be decompressed is read: ${last.error.message}.`);
    if (last.error.found !== CUT_OFF) lost.push(last.error);
  }
  return {
    ...summary,
    cut: summary.cut === true || !last.passed,
    notes: [...summary.notes, ...notes],
    gaps: [...summary.gaps, ...lost.map(({ place }) => ({ cpu: null, lost: null, place }))],
  };
}

/** UTF-16 as UTF-8; everything else as it is. */
function asText(unwrapped: Unwrapped): Unwrapped {
  const encoding = utf16Mark(unwrapped.head);
  if (encoding === null) return unwrapped;
  return {
    ...unwrapped,
    head: headAsUtf8(unwrapped.head, encoding),
    longHead: async () => headAsUtf8(await unwrapped.longHead(), encoding),
    stream: () => asUtf8(unwrapped.stream(), encoding),
    // Behind damage nothing tells the two bytes of a character apart.
    lines: () => asUtf8(unwrapped.stream(), encoding),
    random: () => null,
  };
}

/** Text that its first 64 KiB do not tell is looked at for longer. */
async function recogniseLong(unwrapped: Unwrapped): Promise<{ head: Head; known: Recognised }> {
  const { head } = unwrapped;
  const known = recognise(head);
  const told = known !== null && "format" in known;
  if (told || !mayBeText(head)) return { head, known };
  const long = await unwrapped.longHead();
  return { head: long, known: long.bytes.length > head.bytes.length ? recognise(long) : known };
}

function notARecording(
  file: string,
  known: Exclude<Recognised, { format: unknown }>,
): RecordingError {
  const found = known ? `${known.foreign.phrase}; ${known.foreign.instead}` : "no known format";
  return new RecordingError({ file, at: "" }, EXPECTED, found);
}

/**
 * Opens all inputs into one core, in the order in which the user named them; `spaces` numbers the
 * process that each is of. Throws RecordingError when one cannot be read.
 */
export async function openInputs(
  core: Core,
  sources: readonly Source[],
  surroundings: Surroundings,
  traceEvents: Source | null = null,
  spaces: readonly number[] = sources.map((_, i) => i),
): Promise<OpenInput[]> {
  const inputs: OpenInput[] = [];
  try {
    for (const [i, source] of sources.entries()) {
      inputs.push(await openOne(core, source, spaces[i]!, surroundings, traceEvents));
    }
    return inputs;
  } catch (error) {
    for (const input of inputs) input.feed.close();
    throw error;
  }
}

/** Throws RecordingError when two inputs are on clocks that are known to differ. */
export function checkClocks(inputs: readonly OpenInput[]): void {
  const known = inputs
    .map((input) => ({ name: input.source.name, clock: input.feed.summary().clock }))
    .filter((entry) => entry.clock !== null);
  const first = known[0];
  const other = known.find((entry) => entry.clock !== first?.clock);
  if (first && other) {
    throw new RecordingError(
      { file: other.name, at: "" },
      `a recording on the clock of ${first.name} (${first.clock})`,
      `one on ${other.clock}; their events have no common order`,
    );
  }
}

/** The feed that a stream of the core belongs to, by its number. */
export function feedOfStream(inputs: readonly OpenInput[], stream: number): OpenInput {
  const input = inputs.find(
    ({ feed }) => stream >= feed.firstStream && stream < feed.firstStream + feed.streams,
  );
  if (!input) throw new Error(`bug: stream ${stream} belongs to no input`);
  return input;
}

/** What a report says of each input, after the replay. `sha256`: of their bytes. */
export function summariseAll(
  inputs: readonly OpenInput[],
  core: Core,
  sha256: readonly (string | null)[],
): InputSummary[] {
  const summaries = inputs.map(({ feed }) => feed.summary());
  const wholeness = judgeWholeness(summaries.map(({ entries }) => entries));
  return inputs.map((input, i) =>
    summarise(input, core, { summary: summaries[i]!, sha256: sha256[i]!, ...wholeness[i]! }),
  );
}

function summarise(
  input: OpenInput,
  core: Core,
  told: Wholeness & { summary: FeedSummary; sha256: string | null },
): InputSummary {
  const { feed, source, compression } = input;
  const { summary, sha256 } = told;
  // Pieces that cannot be read are a limit, unless there is nothing else.
  const read = summary.events.some(({ count }) => count > 0);
  if (!read && summary.unread.first) throw summary.unread.first;
  let outOfOrder = 0;
  let first: bigint | null = null;
  let last: bigint | null = null;
  for (let i = 0; i < feed.streams; i++) {
    const stream = feed.firstStream + i;
    outOfOrder += core.exports.outOfOrder(stream);
    const shift = core.exports.streamShift(stream);
    const from = core.exports.firstSeen(stream);
    const to = core.exports.lastSeen(stream);
    if (from > to) continue;
    // The times in the user's file, also where they were moved to another input's clock.
    if (first === null || from - shift < first) first = from - shift;
    if (last === null || to - shift > last) last = to - shift;
  }
  const { gaps, ...rest } = summary;
  return {
    name: source.name,
    format: rest.format,
    compression,
    size: source.size ?? null,
    sha256,
    ...(rest.uname === undefined ? {} : { uname: rest.uname }),
    clock: rest.clock,
    ...(rest.clockToleranceNs === undefined ? {} : { clockToleranceNs: rest.clockToleranceNs }),
    cpus: rest.cpus,
    firstNs: first === null ? null : first.toString(),
    lastNs: last === null ? null : last.toString(),
    events: rest.events,
    foreignLines: rest.foreignLines,
    whole: told.whole && summary.cut !== true && summary.ofPart !== true,
    gaps: told.missing ? [...gaps, told.missing] : gaps,
    outOfOrder,
    notes: rest.notes,
  };
}
