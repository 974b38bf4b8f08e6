/** `identify`: which policy explains an observed dirty log. */
import { comparedImage } from "../answers/compared-image.ts";
import { type Identification, startIdentifier } from "../answers/identify.ts";
import { type ResidueCause, residuePasses, startResidue } from "../answers/residue.ts";
import { RecordingError, UsageError } from "../model/place.ts";
import { identifyJson } from "../report/json/identify-json.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { type IdentifyAnswer, identifyStatus, identifyText } from "../report/text/identify-text.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { type Policy, refusal } from "../vhost/policy.ts";
import { type CommonArguments, policiesNamed, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { observedImages } from "./shared/observed.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession, type Session } from "./shared/session.ts";

export interface IdentifyArguments extends CommonArguments {
  observed: string;
  /** Only among these. */
  policy?: string[];
  assumeLogging?: boolean;
}

/** Prints the ranking and what it leaves over; returns 0, 1 or 3 (`identifyStatus`). */
export async function run(api: ReplayApi, io: Io, args: IdentifyArguments): Promise<number> {
  const policies = args.policy
    ? policiesNamed(api, args.policy).map(({ policy }) => policy)
    : api.POLICIES;
  const window = windowOf(args.assumeLogging, "recorded");
  const observed = await observedImages(args.observed);
  const session = openSession(api, io, args);
  const identifier = startIdentifier(policies);
  if (identifier.candidates.length === 0) throw new UsageError(refusals(policies));
  const withoutImage: number[] = [];
  const compared = new Set<number>();
  const options: ReplayOptions = {
    policies: identifier.candidates.map(({ policy }) => ({ policy, alias: null })),
    window,
    async onSync(view) {
      // A recording without any sync is one round, compared with image 0.
      if (view.mark === null && view.round.index > 0) return;
      const number = view.mark?.number ?? 0;
      if (observed.file(number) === undefined) {
        if (view.mark !== null) withoutImage.push(number);
        return;
      }
      compared.add(number);
      const image = await observed.read(number);
      identifier.addSync(view.round, view.mark, image, (row) => comparedImage(view, row, 0));
    },
  };
  if (io.signal) options.signal = io.signal;
  const result = await session.read((opening) => api.replay(opening, options));
  const identification = identifier.finish(result.devices.map(({ driver }) => driver));
  const answer: IdentifyAnswer = {
    observed: args.observed,
    identification,
    ...(await explainResidue(api, session, options, identification)),
    withoutImage,
    withoutSync: observed.numbers.filter((number) => !compared.has(number)),
  };
  if (args.json) {
    const names = policies.map(({ name }) => name);
    const asked = { policies: names, window, syncMarker: args.syncMarker ?? null };
    const hashed = await session.withHashes(result);
    await io.out(jsonDocument(identifyJson(api.tool, asked, answer, hashed)));
  } else {
    await io.out(identifyText(answer, result, textStyle(io.color)));
  }
  return identifyStatus(answer);
}

function refusals(policies: readonly Policy[]): string {
  return policies.map((policy) => refusal(policy) ?? "").join("\n") || "no policy to compare";
}

/** Reads the recording once more, for the causes of the pages on which the best row differs. */
async function explainResidue(
  api: ReplayApi,
  session: Session,
  options: ReplayOptions,
  { residue }: Identification,
): Promise<{ causes: ResidueCause[]; unexplained: string | null }> {
  if (residue.length === 0) return { causes: [], unexplained: null };
  const tally = startResidue(residue);
  const rounds = new Map(residue.map((difference) => [difference.round, difference]));
  try {
    for (const pass of residuePasses()) {
      await session.read((opening) =>
        api.replay(opening, {
          ...options,
          policies: pass.policies,
          // A plane is the same under both readings; a mask of one cause is not.
          window: "recorded",
          onSync(view) {
            const difference = rounds.get(view.round.index);
            if (difference) tally.add(pass, difference, (n) => comparedImage(view, n, 0));
          },
        }),
      );
    }
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    return { causes: [], unexplained: `the recording could not be read again: ${error.message}` };
  }
  return { causes: tally.finish(), unexplained: null };
}
