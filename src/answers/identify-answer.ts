/** Which vhost explains an observed dirty log? `identify`. */
import { RecordingError, UsageError } from "../model/place.ts";
import { type Recording, type ReplayOptions, replay } from "../replay/replay.ts";
import { POLICIES, type Policy, refusal } from "../vhost/policy.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { comparedImage } from "./compared-image.ts";
import { type Identification, type RankedPolicy, startIdentifier } from "./identify.ts";
import { type MachineOptions, machineNumber, oneMachine } from "./machines.ts";
import type { ObservedImages } from "./observed.ts";
import type { Replayer } from "./replayer.ts";
import { type ResidueCause, residuePasses, startResidue } from "./residue.ts";

export interface Options
  extends Pick<CommonOptions, "window" | "signal" | "logPages" | keyof MachineOptions> {
  observed: ObservedImages;
  /** Among which vhosts; default: all of the table. */
  among?: readonly Policy[];
}

export interface Answer extends CommonAnswer {
  /** What was observed, as the user named it. */
  observed: string;
  identification: Identification;
  /** Of the pages on which the best row differs. */
  causes: ResidueCause[];
  /** Why there are none, when the recording could not be read again. */
  unexplained: string | null;
  withoutImage: number[];
  withoutSync: number[];
}

/**
 * Reads the recording once, and once more where no row explains everything. Throws what `replay`
 * and reading an image throw, and UsageError where none of the policies has a dirty log.
 */
export async function ask(
  recording: Recording,
  options: Options,
  run: Replayer = replay,
): Promise<Answer> {
  const { observed, among = POLICIES } = options;
  const identifier = startIdentifier(among);
  if (identifier.candidates.length === 0) throw new UsageError(refusals(among));
  const policies = identifier.candidates.map(({ policy }) => ({ policy, alias: null }));
  const { asked, base } = prepare(recording, { ...options, policies }, "recorded");
  const withoutImage: number[] = [];
  const compared = new Set<number>();
  const wanted = (await machineNumber(recording, options, base, run)) ?? 1;
  const found = await run(recording, {
    ...base,
    async onSync(view) {
      if (view.machine !== wanted) return;
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
  });
  const { result, machine } = oneMachine(found, options);
  const identification = identifier.finish(machine.devices);
  return {
    asked: { ...asked, policies: among.map(({ name }) => name) },
    result,
    observed: observed.name,
    identification,
    ...(await explainResidue(recording, base, wanted, identification, run)),
    withoutImage,
    withoutSync: observed.numbers.filter((number) => !compared.has(number)),
  };
}

/**
 * 0: a policy equals every observed image. 1: none does. 3: nothing could be compared, or images
 * are left whose sync is not in the recording.
 */
export function statusOf({
  identification,
  withoutSync,
}: Pick<Answer, "identification" | "withoutSync">): 0 | 1 | 3 {
  const best = identification.ranking[0];
  if (!best || best.syncs === 0) return 3;
  if (best.syncsEqual < best.syncs) return 1;
  return withoutSync.length > 0 ? 3 : 0;
}

/** The rows of the first rank that nothing tells apart from the best, the best first. */
export function bestOf({ ranking }: Identification): RankedPolicy[] {
  const [best] = ranking;
  if (!best || best.syncs === 0) return [];
  return ranking.filter((row) => row === best || best.ties.includes(row.policy));
}

function refusals(policies: readonly Policy[]): string {
  return policies.map((policy) => refusal(policy) ?? "").join("\n") || "no policy to compare";
}

/** Reads the recording once more, for the causes of the pages on which the best row differs. */
async function explainResidue(
  recording: Recording,
  options: ReplayOptions,
  machine: number,
  { residue }: Identification,
  run: Replayer,
): Promise<{ causes: ResidueCause[]; unexplained: string | null }> {
  if (residue.length === 0) return { causes: [], unexplained: null };
  const tally = startResidue(residue);
  const rounds = new Map(residue.map((difference) => [difference.round, difference]));
  try {
    for (const pass of residuePasses()) {
      await run(recording, {
        ...options,
        policies: pass.policies,
        // A plane is the same under both readings; a mask of one cause is not.
        window: "recorded",
        onSync(view) {
          if (view.machine !== machine) return;
          const difference = rounds.get(view.round.index);
          if (difference) tally.add(pass, difference, (n) => comparedImage(view, n, 0));
        },
      });
    }
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    return { causes: [], unexplained: `the recording could not be read again: ${error.message}` };
  }
  return { causes: tally.finish(), unexplained: null };
}
