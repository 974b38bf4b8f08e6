/** Do predicted dirty logs equal observed ones? `verify --observed`. */
import { PAGE_BYTES } from "../model/pages.ts";
import { RecordingError } from "../model/place.ts";
import type { SyncMark } from "../model/result.ts";
import type { SyncView, WatchedWrite } from "../model/told.ts";
import { type Recording, type ReplayOptions, replay } from "../replay/replay.ts";
import { VHOST_USER_DRIVERS } from "../vhost/message.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { comparedImage } from "./compared-image.ts";
import {
  compareImages,
  equalsReversed,
  firstDifference,
  type ImageDifference,
} from "./log-difference.ts";
import { machineNumber, oneMachine } from "./machines.ts";
import type { ObservedImages } from "./observed.ts";
import type { Replayer } from "./replayer.ts";
import { type Straddles, startStraddles } from "./straddle.ts";

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
  /**
   * What differs is the other way round at the sync before or after it: requests of a user-space
   * back end that straddle a sync.
   */
  straddles: boolean;
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
  /**
   * It differs, and would equal the observed log at every sync if the log ended behind so many
   * pages; null: no such end is found, or none was looked for.
   */
  logPages: number | null;
  /**
   * It differs, and would equal the observed log at every sync if the bytes of each word of 64 bits
   * stood in the other order: images of a big-endian host, whose log is made of words of its own.
   */
  reversedWords: boolean;
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
      ...{ name: policy.name, alias, syncs: [], first: null, logPages: null, reversedWords: true },
    })),
    withoutImage: [],
    withoutSync: [],
  };
  const wanted = (await machineNumber(recording, options, base, run)) ?? 1;
  const highest = { page: -1 };
  const straddles = comparison.policies.map(() => startStraddles());
  const onSync = (view: SyncView) =>
    view.machine === wanted
      ? compareSync(comparison, observed, view, straddles, highest)
      : undefined;
  const { result, machine } = oneMachine(await run(recording, { ...base, onSync }), options);
  for (const one of straddles) one.finish();
  const userSpace = machine.devices.some(({ driver }) => VHOST_USER_DRIVERS.includes(driver));
  if (!userSpace) for (const { syncs } of comparison.policies) forgetStraddles(syncs);
  const compared = new Set(comparison.policies[0]?.syncs.map((sync) => sync.number));
  comparison.withoutSync = observed.numbers.filter((number) => !compared.has(number));
  for (const policy of comparison.policies) {
    policy.reversedWords &&= !isEqual(policy);
    policy.first = await explainFirst(recording, base, wanted, policy, run);
  }
  if (userSpace && base.logPages === undefined) {
    await findLogEnd(recording, base, comparison, { observed, run, highest: highest.page });
  }
  return { asked, result, comparison };
}

/** A recording without any sync is one round, compared with image 0. */
async function compareSync(
  comparison: Comparison,
  observed: ObservedImages,
  view: SyncView,
  straddles: readonly Straddles[] = [],
  highest = { page: -1 },
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
    const sync = { round, number, mark: view.mark, file, caveats, straddles: false, ...difference };
    policy.syncs.push(sync);
    policy.reversedWords &&= equalsReversed(predicted, image);
    straddles[index]?.add(predicted, image, (moved) => {
      sync.straddles = moved;
    });
  });
  highest.page = Math.max(highest.page, highestPage(image));
}

/** Only a back end of its own clockwork logs apart from what is recorded of it. */
function forgetStraddles(syncs: readonly SyncComparison[]): void {
  for (const sync of syncs) sync.straddles = false;
}

function highestPage(image: Uint8Array): number {
  for (let at = image.length - 1; at >= 0; at--) {
    if (image[at] !== 0) return at * 8 + 31 - Math.clz32(image[at]!);
  }
  return -1;
}

/** Pages of a log come in words of 64 (hw/virtio/vhost.h, vhost_log_chunk_t). */
const WORD = 64;

/**
 * A policy that predicts too much and never too little: perhaps the log is shorter than the memory,
 * which only a message tells. Reads the recording once more with the shortest log that holds all
 * that was observed.
 */
async function findLogEnd(
  recording: Recording,
  base: ReplayOptions,
  comparison: Comparison,
  { observed, run, highest }: { observed: ObservedImages; run: Replayer; highest: number },
): Promise<void> {
  const suspects = comparison.policies.filter(
    (policy) => !isEqual(policy) && policy.syncs.every(({ missing }) => missing.pages === 0),
  );
  if (suspects.length === 0 || highest < 0) return;
  const logPages = Math.ceil((highest + 1) / WORD) * WORD;
  const policies = suspects.map((one) => ({ ...one, syncs: [], first: null }));
  const again: Comparison = { ...comparison, policies, withoutImage: [], withoutSync: [] };
  const chosen = base.policies.filter(({ policy }) =>
    suspects.some(({ name }) => name === policy.name),
  );
  try {
    await run(recording, {
      ...{ ...base, policies: chosen, logPages },
      onSync: (view) => compareSync(again, observed, view),
    });
  } catch (error) {
    if (error instanceof RecordingError) return;
    throw error;
  }
  again.policies.forEach((policy, i) => {
    if (isEqual(policy)) suspects[i]!.logPages = logPages;
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
