/** The replay, as a program uses it: opens the inputs into a core, runs it, sums up. */
import { Core } from "../core/core.ts";
import { installRows, makeRows } from "../core/rows.ts";
import { checkClocks, type OpenInput, openInputs, summariseAll } from "../formats/open-inputs.ts";
import { type MergePlan, planMerge } from "../join/merge-plan.ts";
import type { Recording } from "../join/recording.ts";
import type { Skip } from "../join/repeats.ts";
import type { NormalisedEvent } from "../model/event.ts";
import { RecordingError } from "../model/place.ts";
import type { ReplayResult } from "../model/result.ts";
import type { ReplayOptions } from "./replay-options.ts";
import { Replay } from "./run.ts";
import { summariseResult } from "./summary.ts";

export type { Recording } from "../join/recording.ts";
export type { ReplayOptions } from "./replay-options.ts";

async function withReplay<T>(
  recording: Recording,
  options: ReplayOptions,
  body: (replay: Replay) => Promise<T>,
): Promise<T> {
  if (recording.sources.length === 0) throw new RecordingError({ file: "", at: "" }, "a recording");
  const rows = makeRows(
    options.policies.map((chosen) => chosen.policy),
    options.window,
  );
  const core = await Core.create(recording.module, rows.length);
  installRows(core, rows);
  let plan = await planMerge(recording);
  const { surroundings, traceEvents = null } = recording;
  const sources = plan.inputs.map((input) => input.source);
  const spaces = plan.inputs.map((input) => input.space);
  const inputs = await openInputs(core, sources, surroundings, traceEvents, spaces);
  try {
    if (inputs.length === 1 && plan.repeated.length === 0 && buffersOf(inputs[0]!).size > 1) {
      plan = await planMerge(recording, true);
    }
    if (plan.inputs.every(({ shift }) => shift.why === "reference")) checkClocks(inputs);
    installPlan(core, inputs, plan);
    return await body(new Replay(core, inputs, recording, options, rows, plan));
  } finally {
    for (const input of inputs) input.feed.close();
  }
}

/** Names of the buffers of an input; empty where its format has none. */
function buffersOf({ feed }: OpenInput): Set<string> {
  const names = new Set<string>();
  for (let s = 0; feed.buffer && s < feed.streams; s++)
    names.add(feed.buffer(feed.firstStream + s));
  return names;
}

/** Tells the core of clocks, of events that another input has, and of a destination's zeros. */
function installPlan(core: Core, inputs: readonly OpenInput[], plan: MergePlan): void {
  plan.inputs.forEach(({ shift, muted, sends, skips }, i) => {
    const { feed } = inputs[i]!;
    feed.mute?.(muted);
    for (const { buffer, skip } of skips) skipEvents(core, feed, buffer, skip, shift.offset);
    // A send may be one tolerance earlier than its event says: its stream runs ahead by that much,
    // and the page stays in flight for twice as long (assembly/migration/flight.ts).
    const shifted = shift.offset - (sends ? plan.tolerance : 0n);
    if (shifted === 0n) return;
    for (let s = 0; s < feed.streams; s++) core.exports.shiftStream(feed.firstStream + s, shifted);
  });
  core.exports.setSlack(2n * plan.tolerance);
}

const MAX_NS = (1n << 64n) - 1n;

/** Leaves out what another input has of a buffer; null: the input has no buffers. */
function skipEvents(
  core: Core,
  feed: OpenInput["feed"],
  buffer: string | null,
  { kinds, from, to }: Skip,
  offset: bigint,
): void {
  const common = (ns: bigint): bigint =>
    ns === 0n || ns === MAX_NS ? ns : BigInt.asUintN(64, ns + offset);
  for (let s = feed.firstStream; s < feed.firstStream + feed.streams; s++) {
    if (buffer !== null && feed.buffer?.(s) !== buffer) continue;
    core.exports.skipStream(s, BigInt.asUintN(64, kinds), kinds >> 64n, common(from), common(to));
  }
}

/**
 * Replays a recording against policies. Throws RecordingError for input that cannot be read,
 * UsageError for options that cannot be met, OutOfMemory.
 */
export function replay(recording: Recording, options: ReplayOptions): Promise<ReplayResult> {
  return withReplay(recording, options, async (run) => {
    await run.run();
    return finishResult(run, recording);
  });
}

/** Hands every event of a recording, in time order, to `onEvent`; nothing is replayed. */
export function dump(
  recording: Recording,
  onEvent: (event: NormalisedEvent) => void | Promise<void>,
  signal?: AbortSignal,
): Promise<ReplayResult> {
  const options: ReplayOptions = {
    policies: [],
    window: "recorded",
    ...(signal ? { signal } : {}),
  };
  return withReplay(recording, options, async (run) => {
    await run.run(onEvent);
    return finishResult(run, recording);
  });
}

async function finishResult(run: Replay, recording: Recording): Promise<ReplayResult> {
  const sha256: (string | null)[] = [];
  for (const { source } of run.inputs) sha256.push((await recording.sha256?.(source)) ?? null);
  return summariseResult(run, summariseAll(run.inputs, run.core, sha256));
}
