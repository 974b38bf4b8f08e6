/** The replay, as a program uses it: opens the inputs into a core, runs it, sums up. */
import { Core } from "./core.ts";
import type { NormalisedEvent } from "./event.ts";
import { RecordingError } from "./place.ts";
import { openInputs, summarise } from "./recording/recording.ts";
import type { ReplayResult } from "./result.ts";
import { installRows, makeRows } from "./rows.ts";
import { type Recording, Replay, type ReplayOptions } from "./run.ts";
import { summariseResult } from "./summary.ts";
import { findPolicy } from "./vhost/policy.ts";

export type { ChosenPolicy, Recording, ReplayOptions } from "./run.ts";

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
  const { sources, surroundings, traceEvents = null } = recording;
  const inputs = await openInputs(core, sources, surroundings, traceEvents);
  try {
    return await body(new Replay(core, inputs, recording, options, rows));
  } finally {
    for (const input of inputs) input.feed.close();
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

/** Replays a recording against the kernels before and after the series: what `info` needs. */
export function inspect(recording: Recording): Promise<ReplayResult> {
  const policies = ["unpatched", "patched"].map((alias) => ({ policy: findPolicy(alias), alias }));
  return replay(recording, { policies, window: "auto" });
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
  const inputs = [];
  for (const input of run.inputs) {
    const sha256 = (await recording.sha256?.(input.source)) ?? null;
    inputs.push(summarise(input, run.core, sha256));
  }
  return summariseResult(run, inputs);
}
