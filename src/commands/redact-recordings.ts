/**
 * The passes of `redact`: what is in the recordings, the redacted ones, and a replay of both. A
 * recording is never in memory; what is kept of it stands in src/redact.
 */

import type { Source } from "../bytes/source.ts";
import { DEFAULT_SYNC_MARKER, matchSync } from "../core/round.ts";
import type { MergePlan } from "../join/merge-plan.ts";
import type { NormalisedEvent, RecordingHeader } from "../model/event.ts";
import { RecordingError, UsageError } from "../model/place.ts";
import type { InputSummary } from "../model/result.ts";
import { distinctPolicies } from "../redact/compared-policies.ts";
import {
  firstDifference,
  type Renaming,
  ReplayDigest,
  renamingOf,
  SAME,
} from "../redact/digest.ts";
import { Mapping } from "../redact/mapping.ts";
import type { Prf } from "../redact/prf.ts";
import { EventRedactor, type SyncOf } from "../redact/redact-event.ts";
import type { RedactedRecording, RedactSummary } from "../redact/summary.ts";
import { Survey } from "../redact/survey.ts";
import type { Recording, ReplayOptions } from "../replay/replay.ts";
import {
  endJsonLine,
  eventJsonLine,
  headerJsonLine,
  recordedGap,
} from "../report/json/event-json.ts";
import type { RedactedFile } from "./shared/redacted-files.ts";
import type { ReplayApi } from "./shared/replay-api.ts";

/** What the user chose. */
export interface RedactChoices {
  prf: Prf;
  keepRuns: boolean;
  keepTimes: boolean;
  /** Where the key came from. */
  key: RedactSummary["key"];
  syncMarker?: RegExp;
}

/** `difference`: what a replay of the redacted recordings says else; null: nothing. */
export interface RedactOutcome {
  difference: string | null;
  summary: RedactSummary;
}

/** Losses that a header lists. */
const MOST_GAPS = 1000;

/**
 * Redacts recordings into files of the same order, and replays both. Throws what a replay throws,
 * and UsageError for an input that can be read only once.
 */
export async function redactRecordings(
  api: ReplayApi,
  signal: AbortSignal | undefined,
  recording: Recording,
  files: readonly RedactedFile[],
  choices: RedactChoices,
): Promise<RedactOutcome> {
  const once = recording.sources.find((source) => source.random === undefined);
  if (once) {
    throw new UsageError(
      `${once.name}: redact reads a recording several times; write it to a file first`,
    );
  }
  const plan = await api.plan(recording);
  const inputs = recording.sources.map((source, i) => inputOf(plan, source, i));
  const survey = new Survey();
  const headers: RecordingHeader[] = [];
  for (const [file, input] of inputs.entries()) {
    const { clock, shift } = input;
    const look = (event: NormalisedEvent) => survey.event(event, file, clock, shift);
    const result = await api.dump(alone(recording, input), look, signal);
    headers.push(headerOf(result.inputs[0]!, input, plan));
  }
  const map = new Mapping(survey, choices.prf, choices);
  const outputs: RedactedRecording[] = [];
  for (const [i, input] of inputs.entries()) {
    const shift = input.shift + map.shift(input.clock);
    const syncOf = syncReader(choices.syncMarker ?? DEFAULT_SYNC_MARKER);
    const redactor = new EventRedactor(map, input.space, shift, syncOf);
    const reading = alone(recording, input);
    outputs.push(await writeOne(api, signal, reading, headers[i]!, redactor, files[i]!));
  }
  const original = await replayed(api, signal, recording, renamingOf(map));
  const again: Recording = {
    sources: api.openSources(files.map(({ temporary }) => temporary)),
    surroundings: recording.surroundings,
    module: recording.module,
  };
  const redacted = await replayed(api, signal, again, SAME);
  return {
    difference: firstDifference(original, redacted),
    summary: {
      outputs,
      pages: map.pages.summary,
      proof: {
        policies: distinctPolicies(api.POLICIES).length,
        rounds: original.rounds,
        requests: original.requests,
        facts: original.facts.size,
      },
      keepRuns: choices.keepRuns,
      keepTimes: choices.keepTimes,
      key: choices.key,
    },
  };
}

/** One recording and its place among the others. */
interface Input {
  source: Source;
  /** Number of its process: two with the same number have the same addresses. */
  space: number;
  /** Number of the clock that its times are on when `shift` is added. */
  clock: number;
  shift: bigint;
  /** Its times are brought onto another recording's clock, and known as well as this. */
  tolerance: bigint | null;
}

/** Destinations are not in the plan's inputs: they are not replayed, and keep their own clock. */
function inputOf(plan: MergePlan, source: Source, position: number): Input {
  const planned = plan.inputs.find((input) => input.source === source);
  if (!planned) {
    return { source, space: 1000 + position, clock: 1 + position, shift: 0n, tolerance: null };
  }
  const { space, shift } = planned;
  const tolerance = shift.why === "reference" ? null : shift.tolerance;
  return { source, space, clock: 0, shift: shift.offset, tolerance };
}

/** One recording by itself, on its own clock. */
function alone(recording: Recording, { source }: Input): Recording {
  const { clockOffsets: _, clockPairs: __, ...rest } = recording;
  return { ...rest, sources: [source] };
}

function headerOf(
  summary: Awaited<ReturnType<ReplayApi["dump"]>>["inputs"][number],
  input: Input,
  plan: MergePlan,
): RecordingHeader {
  const header: RecordingHeader = { event: "recording" };
  const own = plan.inputs.findIndex(({ source }) => source === input.source);
  if (summary.clock !== null && /^[\w-]{1,32}$/.test(summary.clock)) header.clock = summary.clock;
  if (own >= 0 && input.tolerance !== null) header.tolerance = input.tolerance.toString();
  if (summary.gaps.length > 0) {
    header.gaps = summary.gaps.slice(0, MOST_GAPS).map(recordedGap);
  }
  return header;
}

/** Syncs among a recording's markers, numbered as the replay numbers them. */
function syncReader(marker: RegExp): SyncOf {
  let syncs = 0;
  return (text) => {
    const sync = matchSync(marker, text, syncs);
    if (sync) syncs += 1;
    return sync;
  };
}

async function writeOne(
  api: ReplayApi,
  signal: AbortSignal | undefined,
  reading: Recording,
  header: RecordingHeader,
  redactor: EventRedactor,
  file: RedactedFile,
): Promise<RedactedRecording> {
  const leftOut = new Map<string, number>();
  let events = 0;
  await file.write(headerJsonLine({ ...header, ends: true }));
  const { inputs } = await api.dump(
    reading,
    (event) => {
      const kept = redactor.redact(event);
      if (kept.length > 0) {
        events += kept.length;
        return file.write(kept.map(eventJsonLine).join(""));
      }
      const name = event.event === "qemu" ? event.name : event.event;
      leftOut.set(name, (leftOut.get(name) ?? 0) + 1);
    },
    signal,
  );
  if (events === 0) throw nothingKept(reading, inputs, leftOut);
  await file.write(endJsonLine(events, inputs, []));
  const { bytes, sha256 } = await file.end();
  return { file: file.name, events, leftOut: Object.fromEntries(leftOut), bytes, sha256 };
}

/** A recording of which nothing is left says so, instead of one that is empty. */
function nothingKept(
  { sources }: Recording,
  inputs: readonly InputSummary[],
  leftOut: ReadonlyMap<string, number>,
): RecordingError {
  const seen = inputs.flatMap((input) => input.events).reduce((sum, { count }) => sum + count, 0);
  const found = leftOut.size > 0 ? "only events that are left out" : "none of them";
  const place = { file: sources[0]?.name ?? "", at: "" };
  return new RecordingError(
    place,
    "an event that the replay understands, to redact",
    `${found} among ${seen} events (info lists them)`,
  );
}

async function replayed(
  api: ReplayApi,
  signal: AbortSignal | undefined,
  recording: Recording,
  renaming: Renaming,
): Promise<ReplayDigest> {
  const policies = distinctPolicies(api.POLICIES);
  const digest = new ReplayDigest(
    renaming,
    policies.map(({ policy }) => policy.name),
  );
  const options: ReplayOptions = {
    policies,
    window: "auto",
    stalePages: true,
    runLimit: Number.POSITIVE_INFINITY,
    onSync: (view) => digest.round(view),
    onRequest: (request) => digest.request(request),
  };
  if (signal) options.signal = signal;
  digest.result(await api.replay(recording, options));
  return digest;
}
