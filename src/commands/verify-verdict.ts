/** The stale verdict of a replay, to be held against memory images of both sides. */
import { PageRuns } from "../model/page-runs.ts";
import { RecordingError } from "../model/place.ts";
import { mainMigration } from "../report/text/migration-text.ts";
import type { Policy } from "../vhost/policy.ts";
import { windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { ranOption } from "./shared/migration-options.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";
import type { VerifyArguments } from "./verify.ts";
import type { ReplayVerdict } from "./verify-images.ts";

/** Replays the recordings. Throws RecordingError when no migration with a verdict is in them. */
export async function verdictOf(
  api: ReplayApi,
  io: Io,
  args: VerifyArguments,
  policies: readonly { policy: Policy; alias: string | null }[],
): Promise<ReplayVerdict> {
  const window = windowOf(args.assumeLogging, "auto");
  const session = openSession(api, io, args);
  const options: ReplayOptions = { policies, window, ...ranOption(api, args) };
  if (io.signal) options.signal = io.signal;
  const result = await session.read((opening) => api.replay(opening, options));
  const migration = mainMigration(result);
  if (migration === null || migration.verdicts.length === 0) {
    throw new RecordingError(
      { file: args.recordings.join(", "), at: "" },
      "a migration that came to its end",
      migration === null ? "none" : `one that was ${migration.outcome}`,
    );
  }
  return {
    policies: migration.verdicts.map((verdict) => ({
      name: verdict.policy,
      alias: policies.find(({ policy }) => policy.name === verdict.policy)?.alias ?? null,
      pages: {
        stale: PageRuns.from(verdict.stale),
        possiblyStale: PageRuns.from(verdict.possiblyStale),
        healed: PageRuns.from(verdict.healed.flatMap(({ runs }) => runs)),
      },
    })),
    result: await session.withHashes(result),
    options: {
      policies: policies.map(({ policy }) => policy.name),
      window,
      syncMarker: args.syncMarker ?? null,
    },
  };
}
