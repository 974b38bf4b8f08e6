/** From the names a user typed to an opened recording, and back to a result with hashes. */
import type { Source } from "../recording/source.ts";
import type { ReplayResult } from "../result.ts";
import { type CommonArguments, syncMarkerOf } from "./arguments.ts";
import { interruptibleSource, type WatchedSource } from "./interruptible-source.ts";
import type { Io } from "./io.ts";
import { progressLine } from "./progress.ts";
import type { OpenOptions, Recording, ReplayApi } from "./replay-api.ts";

/** What a command does with recordings. */
export interface Session {
  /** Opens the recordings, hands them over, and closes them. May be called again for a second pass. */
  read<T>(use: (recording: Recording) => Promise<T>): Promise<T>;
  /** The result with the SHA-256 of every input, where its bytes can be had. */
  withHashes(result: ReplayResult): Promise<ReplayResult>;
}

/**
 * A session over the recordings that were named. Throws RecordingError and UsageError, and the
 * signal's reason after an abort.
 */
export async function openSession(api: ReplayApi, io: Io, args: CommonArguments): Promise<Session> {
  const syncMarker = syncMarkerOf(args.syncMarker);
  const sources: Source[] = await api.openSources(args.recordings);
  const watched = sources.map((source) => interruptibleSource(source, io.signal));
  return {
    async read(use) {
      const progress = progressLine(io, args.quiet ?? false);
      const options: OpenOptions = { onProgress: progress.update };
      if (syncMarker) options.syncMarker = syncMarker;
      let recording: Recording | undefined;
      try {
        recording = await api.openRecording(watched, api.surroundings, options);
        return await use(recording);
      } finally {
        progress.clear();
        recording?.close?.();
      }
    },
    withHashes: (result) => withHashes(result, watched),
  };
}

async function withHashes(result: ReplayResult, sources: WatchedSource[]): Promise<ReplayResult> {
  const inputs = [];
  for (const [index, input] of result.inputs.entries()) {
    const sha256 = input.sha256 ?? (await sources[index]?.sha256()) ?? null;
    inputs.push({ ...input, sha256 });
  }
  return { ...result, inputs };
}
