/** From the names a user typed to an opened recording, and back to a result with hashes. */
import type { ReplayResult } from "../../model/result.ts";
import { type CommonArguments, jobsOf, syncMarkerOf } from "./arguments.ts";
import { clockOptions } from "./clock-options.ts";
import { interruptibleSource, type WatchedSource } from "./interruptible-source.ts";
import type { Io } from "./io.ts";
import { mapOption } from "./migration-options.ts";
import { progressLine } from "./progress.ts";
import type { Opening, ReplayApi } from "./replay-api.ts";

/** What a command does with recordings. */
export interface Session {
  /** Reads the recordings from their start. May be called again for a second pass. */
  read<T>(use: (opening: Opening) => Promise<T>): Promise<T>;
  /** The result with the SHA-256 of every input, where its bytes can be had. */
  withHashes(result: ReplayResult): Promise<ReplayResult>;
}

/**
 * A session over the recordings that were named. Throws RecordingError and UsageError, and the
 * signal's reason after an abort.
 */
export function openSession(api: ReplayApi, io: Io, args: CommonArguments): Session {
  const syncMarker = syncMarkerOf(args.syncMarker);
  const sources = api
    .openSources(args.recordings)
    .map((source) => interruptibleSource(source, io.signal));
  const clocks = clockOptions(args);
  const sizes = sources.map((source) => source.size);
  const total = sizes.every((size) => size !== undefined)
    ? sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
    : undefined;
  const surroundings = api.surroundings((line) => {
    if (!args.quiet) io.err(`${line}\n`);
  }, jobsOf(args.jobs));
  return {
    async read(use) {
      const progress = progressLine(io, args.quiet ?? false);
      const before = bytesRead(sources);
      const opening: Opening = {
        sources,
        surroundings,
        // Bytes as given, which a compressed input has fewer of than the replay sees.
        onProgress: (_, events) => progress.update(bytesRead(sources) - before, total, events),
      };
      if (syncMarker) opening.syncMarker = syncMarker;
      if (args.traceEvents !== undefined) {
        opening.traceEvents = api.openSources([args.traceEvents])[0]!;
      }
      Object.assign(opening, clocks, await mapOption(api, args.mtree));
      try {
        return await use(opening);
      } finally {
        progress.clear();
      }
    },
    withHashes: (result) => withHashes(result, sources),
  };
}

function bytesRead(sources: readonly WatchedSource[]): number {
  return sources.reduce((sum, source) => sum + source.bytesRead(), 0);
}

async function withHashes(result: ReplayResult, sources: WatchedSource[]): Promise<ReplayResult> {
  const inputs = [];
  for (const [index, input] of result.inputs.entries()) {
    const sha256 = input.sha256 ?? (await sources[index]?.sha256()) ?? null;
    inputs.push({ ...input, sha256 });
  }
  return { ...result, inputs };
}
