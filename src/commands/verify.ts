/** `verify`: predicted dirty logs against images that were observed. */

import { compareImages, firstDifference } from "../answers/compare-images.ts";
import { comparedImage } from "../answers/compared-image.ts";
import { RecordingError, UsageError } from "../model/place.ts";
import type { SyncView } from "../model/result.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { PAGE_BYTES } from "../report/text/number-text.ts";
import { textStyle } from "../report/text/text-layout.ts";
import {
  type Comparison,
  comparisonStatus,
  type ExplainedPage,
  type PolicyComparison,
  verifyJson,
  verifyText,
} from "../report/text/verify.ts";
import { DEFAULT_POLICIES } from "./report.ts";
import { type CommonArguments, replayablePolicies, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
import { type ObservedImages, observedImages } from "./shared/observed.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession, type Session } from "./shared/session.ts";
import type { ImageArguments } from "./verify-images.ts";

export interface VerifyArguments
  extends CommonArguments,
    MigrationArguments,
    Partial<ImageArguments> {
  observed?: string;
  policy?: string[];
  assumeLogging?: boolean;
}

/** Writes of the first differing page that are kept. */
const KEPT_WRITES = 16;

/** Prints what agrees and what does not; returns 0, 1 or 3 (`comparisonStatus`). */
export async function run(api: ReplayApi, io: Io, args: VerifyArguments): Promise<number> {
  const policies = replayablePolicies(api, io, args, args.policy ?? DEFAULT_POLICIES);
  const window = windowOf(args.assumeLogging, "recorded");
  const { sourceDump, destinationDump } = args;
  if (sourceDump !== undefined && destinationDump !== undefined && args.observed === undefined) {
    const { verifyImages } = await import("./verify-images.ts");
    const { verdictOf } = await import("./verify-verdict.ts");
    return verifyImages(api, io, { ...args, sourceDump, destinationDump }, () =>
      verdictOf(api, io, args, policies),
    );
  }
  if (args.observed === undefined || sourceDump !== undefined || destinationDump !== undefined) {
    throw new UsageError("verify: give --observed DIR, or --source-dump and --destination-dump");
  }
  const observed = await observedImages(args.observed);
  const session = openSession(api, io, args);
  const comparison: Comparison = {
    observed: args.observed,
    policies: policies.map(({ policy, alias }) => ({
      name: policy.name,
      alias,
      syncs: [],
      first: null,
    })),
    withoutImage: [],
    withoutSync: [],
  };
  const base: ReplayOptions = { policies, window };
  if (io.signal) base.signal = io.signal;
  const onSync = (view: SyncView) => compareSync(comparison, observed, view);
  const result = await session.read((opening) => api.replay(opening, { ...base, onSync }));
  const compared = new Set(comparison.policies[0]?.syncs.map((sync) => sync.number));
  comparison.withoutSync = observed.numbers.filter((number) => !compared.has(number));
  for (const policy of comparison.policies) {
    policy.first = await explainFirst(api, session, base, policy);
  }
  if (args.json) {
    const names = policies.map(({ policy }) => policy.name);
    const asked = { policies: names, window, syncMarker: args.syncMarker ?? null };
    const hashed = await session.withHashes(result);
    await io.out(jsonDocument(verifyJson(api.tool, asked, comparison, hashed)));
  } else {
    await io.out(verifyText(comparison, result, textStyle(io.color)));
  }
  return comparisonStatus(comparison);
}

/** A recording without any sync is one round, compared with image 0. */
async function compareSync(
  comparison: Comparison,
  observed: ObservedImages,
  view: SyncView,
): Promise<void> {
  if (view.mark === null && view.round.index > 0) return;
  const number = view.mark?.number ?? 0;
  const file = observed.file(number);
  if (file === undefined) {
    if (view.mark !== null) comparison.withoutImage.push(number);
    return;
  }
  const image = await observed.read(number);
  comparison.policies.forEach((policy, index) => {
    const predicted = comparedImage(view, index, image.length);
    const difference = compareImages(predicted, image);
    const { index: round, caveats } = view.round;
    policy.syncs.push({ round, number, mark: view.mark, file, caveats, ...difference });
  });
}

/** Reads the recording once more for the writes to the first page that differs. */
async function explainFirst(
  api: ReplayApi,
  session: Session,
  base: ReplayOptions,
  policy: PolicyComparison,
): Promise<ExplainedPage | null> {
  const sync = policy.syncs.find((one) => firstDifference(one) !== undefined);
  const page = sync && firstDifference(sync);
  if (!sync || !page) return null;
  const { number, round } = sync;
  const explained: ExplainedPage = {
    ...{ number, round, gfn: page.gfn, side: page.side },
    ...{ writes: [], moreWrites: 0, unexplained: null },
  };
  const options: ReplayOptions = {
    ...base,
    watch: { gpa: page.gfn * PAGE_BYTES, len: PAGE_BYTES },
    onWrite(write) {
      if (write.round !== round) return;
      if (explained.writes.length < KEPT_WRITES) explained.writes.push(write);
      else explained.moreWrites += 1;
    },
  };
  try {
    await session.read((opening) => api.replay(opening, options));
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    explained.unexplained = `the recording could not be read again: ${error.message}`;
  }
  return explained;
}
