/** Which kernel ran, and the policies that are asked about for it. */
import { type Ran, reportPolicies } from "../../answers/affected.ts";
import { recordedUname } from "../../formats/recorded-uname.ts";
import type { Recording } from "../../replay/replay.ts";
import type { ChosenPolicy } from "../../vhost/chosen-policy.ts";
import { type CommonArguments, replayablePolicies } from "./arguments.ts";
import type { Io } from "./io.ts";
import { kernelOf, type MigrationArguments, toldKernel } from "./migration-options.ts";
import type { ReplayApi } from "./replay-api.ts";

/**
 * The kernel that ran: what an option or a file of the case tells, or else the header of a trace.dat.
 * Throws UsageError for an option that names none, and RecordingError.
 */
export async function kernelThatRan(
  api: Pick<ReplayApi, "POLICIES">,
  args: MigrationArguments & Pick<CommonArguments, "kernel">,
  recording: Recording,
): Promise<Ran | undefined> {
  const told = toldKernel(api, args);
  if (told) return told;
  for (const source of recording.sources) {
    const uname = await recordedUname(source, recording.module, recording.surroundings);
    const kernel = uname === null ? undefined : kernelOf(uname, "the recording's header");
    if (kernel) return kernel;
  }
  return undefined;
}

/**
 * The policies of a question: those that were asked for, or else those of a report. Throws UsageError as
 * `replayablePolicies` does.
 */
export function policiesOf(
  api: Pick<ReplayApi, "POLICIES">,
  io: Pick<Io, "err">,
  args: { quiet?: boolean; policy?: string[] },
  kernel: Ran | undefined,
): ChosenPolicy[] {
  return args.policy === undefined
    ? reportPolicies(kernel)
    : replayablePolicies(api, io, args, args.policy);
}
