/** Do predicted dirty logs equal observed ones? `verify --observed`. */
import { PAGE_BYTES } from "../model/pages.ts";
import { RecordingError } from "../model/place.ts";
import type { SyncMark } from "../model/result.ts";
import type { SyncView, WatchedWrite } from "../model/told.ts";
import { type Recording, type ReplayOptions, replay } from "../replay/replay.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { comparedImage } from "./compared-image.ts";
import { compareImages, firstDifference, type ImageDifference } from "./log-difference.ts";
import { machineNumber, oneMachine } from "./machines.ts";
import type { ObservedImages } from "./observed.ts";
import type { Replayer } from "./replayer.ts";

/** Writes of the first differing page that are kept. */
const KEPT_WRITES = 16;

export interface Options extends CommonOptions {
  observed: ObservedImages;
}

export interface Answer extends CommonAnswer {
  comparison: Comparison;
}

/** One sync under one policy. */
export interface SyncComparison extends ImageDifference {
  round: number;
  number: number;
  /** Null for the one image of a recording without syncs. */
  mark: SyncMark | null;
  file: string;
  /** Why the prediction of this round may be incomplete. */
  caveats: string[];
}

/** The first page that differs, and the writes to it in that round. */
export interface ExplainedPage {
  number: number;
  round: number;
  gfn: number;
  side: "missing" | "extra";
  writes: WatchedWrite[];
  moreWrites: number;
  /** Why there is no explanation, when the recording could not be read again. */
  unexplained: string | null;
}

/** One policy against all observed images. */
export interface PolicyComparison {
  name: string;
  alias: string | null;
  syncs: SyncComparison[];
  first: ExplainedPage | null;
}

/** All of it. */
export interface Comparison {
  /** Folder of the observed images, as the user wrote it. */
  observed: string;
  policies: PolicyComparison[];
  /** Numbers of syncs in the recording that have no image. */
  withoutImage: number[];
  /** Numbers of images whose sync is not in the recording. */
  withoutSync: number[];
}

/** Whether a policy predicts every image that has a sync. */
export function isEqual(policy: PolicyComparison): boolean {
  return policy.syncs.every((sync) => sync.missing.pages === 0 && sync.extra.pages === 0);
}

/**
 * 0: some policy equals every observed image. 1: each differs in one or more. 3: nothing could be
 * compared, or what was compared is equal but images are left whose sync is not in the recording.
 */
export function statusOf({ comparison }: Pick<Answer, "comparison">): 0 | 1 | 3 {
  if (!comparison.policies.some((policy) => policy.syncs.length > 0)) return 3;
  if (!comparison.policies.some(isEqual)) return 1;
  return comparison.withoutSync.length > 0 ? 3 : 0;
}

/**
 * Reads the recording once, and for each policy that differs once more, for the writes to the first
 * page that differs. Throws what `replay` and reading an image throw.
 */
export async function ask(
  recording: Recording,
  options: Options,
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "recorded");
  const { observed } = options;
  const comparison: Comparison = {
    observed: observed.name,
    policies: base.policies.map(({ policy, alias }) => ({
      ...{ name: policy.name, alias, syncs: [], first: null },
    })),
    withoutImage: [],
    withoutSync: [],
  };
  const wanted = (await machineNumber(recording, options, base, run)) ?? 1;
  const onSync = (view: SyncView) =>
    view.machine === wanted ? compareSync(comparison, observed, view) : undefined;
  const { result } = oneMachine(await run(recording, { ...base, onSync }), options);
  const compared = new Set(comparison.policies[0]?.syncs.map((sync) => sync.number));
  comparison.withoutSync = observed.numbers.filter((number) => !compared.has(number));
  for (const policy of comparison.policies) {
    policy.first = await explainFirst(recording, base, wanted, policy, run);
  }
  return { asked, result, comparison };
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
  recording: Recording,
  base: ReplayOptions,
  machine: number,
  policy: PolicyComparison,
  run: Replayer,
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
      if (write.machine !== machine || write.round !== round) return;
      if (explained.writes.length < KEPT_WRITES) explained.writes.push(write);
      else explained.moreWrites += 1;
    },
  };
  try {
    await run(recording, options);
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    explained.unexplained = `the recording could not be read again: ${error.message}`;
  }
  return explained;
}
