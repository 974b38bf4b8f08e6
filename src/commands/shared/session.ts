/** From the names a user typed to a recording that can be asked, and back to an answer with hashes. */
import type { CommonAnswer } from "../../answers/asked.ts";
import type { Source } from "../../bytes/source.ts";
import type { ReplayResult } from "../../model/result.ts";
import type { Recording } from "../../replay/replay.ts";
import { type CommonArguments, jobsOf, syncMarkerOf } from "./arguments.ts";
import { clockOptions } from "./clock-options.ts";
import { interruptibleSource, type WatchedSource } from "./interruptible-source.ts";
import type { Io } from "./io.ts";
import { mapOption } from "./migration-options.ts";
import { type Progress, progressLine } from "./progress.ts";
import type { ReplayApi } from "./replay-api.ts";

/** What a command does with recordings. */
export interface Session {
  /** Reads the recordings from their start, as often as `use` likes. */
  read<T>(use: (recording: Recording) => Promise<T>): Promise<T>;
  /** Asks them; for JSON the answer has the SHA-256 of every input whose bytes can be had. */
  ask<A extends CommonAnswer>(question: (recording: Recording) => Promise<A>): Promise<A>;
  /** Another file that the user named, which an interrupt stops as well. */
  source(name: string): Source;
}

/**
 * A session over the recordings that were named. Throws RecordingError and UsageError, and the
 * signal's reason after an abort.
 */
export function openSession(api: ReplayApi, io: Io, args: CommonArguments): Session {
  const syncMarker = syncMarkerOf(args.syncMarker);
  const open = (name: string) => interruptibleSource(api.openSources([name])[0]!, io.signal);
  const sources = args.recordings.map(open);
  const surroundings = api.surroundings((line) => {
    if (!args.quiet) io.err(`${line}\n`);
  }, jobsOf(args.jobs));
  const read = async <T>(use: (recording: Recording) => Promise<T>): Promise<T> => {
    const progress = progressLine(io, args.quiet ?? false);
    const recording: Recording = {
      sources,
      surroundings,
      module: api.module,
      onProgress: progressOf(progress, sources),
    };
    if (syncMarker) recording.syncMarker = syncMarker;
    if (args.traceEvents !== undefined) recording.traceEvents = open(args.traceEvents);
    if (args.looks) recording.looks = args.looks;
    Object.assign(recording, await clockOptions(args, open), await mapOption(api, args.mtree));
    try {
      return await use(recording);
    } finally {
      progress.clear();
    }
  };
  return {
    read,
    async ask(question) {
      const answer = await read(question);
      return args.json ? { ...answer, result: await withHashes(answer.result, sources) } : answer;
    },
    source: open,
  };
}

/** Bytes as given, which a compressed input has fewer of than the replay sees, of this pass. */
function progressOf(progress: Progress, sources: readonly WatchedSource[]) {
  const sizes = sources.map((source) => source.size);
  const total = sizes.every((size) => size !== undefined)
    ? sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
    : undefined;
  const bytesRead = () => sources.reduce((sum, source) => sum + source.bytesRead(), 0);
  let before = bytesRead();
  let last = 0;
  return (_: number, events: number): void => {
    // Fewer events than before: a question that reads the recordings again.
    if (events < last) before = bytesRead();
    last = events;
    progress.update(bytesRead() - before, total, events);
  };
}

/** By name: destinations stand behind the recordings that are replayed. */
async function withHashes(result: ReplayResult, sources: WatchedSource[]): Promise<ReplayResult> {
  const inputs = [];
  for (const input of result.inputs) {
    const source = sources.find(({ name }) => name === input.name);
    const sha256 = input.sha256 ?? (await source?.sha256()) ?? null;
    inputs.push({ ...input, sha256 });
  }
  return { ...result, inputs };
}
