/** `diff`: what differs between two cases, or between two policies of one. */
import { reportPolicies } from "../answers/affected.ts";
import { ask, type Side, statusOf } from "../answers/difference.ts";
import { UsageError } from "../model/place.ts";
import { differenceJson } from "../report/json/difference-json.ts";
import { differenceText } from "../report/text/difference-text.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import { type CommonArguments, replayablePolicies, windowOf } from "./shared/arguments.ts";
import { casesOf, oneOf } from "./shared/case.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan } from "./shared/kernel.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface DiffArguments extends Omit<CommonArguments, "recordings"> {
  a: string;
  /** Absent: two policies of `a`. */
  b?: string;
  policy?: string[];
  /** The kernel that ran: once of both, or of A and of B. */
  ran?: string[];
  assumeLogging?: boolean;
}

/** Prints what differs; returns 0, 1 or 3 (`statusOf`). */
export async function run(api: ReplayApi, io: Io, args: DiffArguments): Promise<number> {
  const chosen = args.policy && replayablePolicies(api, io, args, args.policy);
  if (args.b === undefined && chosen?.length !== 2) {
    throw new UsageError("diff: give two cases, or one and two policies (--policy A --policy B)");
  }
  const { ran } = args;
  if (ran !== undefined && (args.b === undefined || chosen)) {
    throw new UsageError("diff: --ran names the kernels of two cases, where no --policy does");
  }
  if (ran !== undefined && ran.length > 2) {
    throw new UsageError("diff: --ran may be given once for A and once for B");
  }
  const [ranA, ranB = ranA] = ran ?? [];
  const [first, second = first] = chosen ?? [];
  const options = { window: windowOf(args.assumeLogging, "auto"), ...commonOptions(io, args) };
  const answer = await openSide(api, io, args, { name: args.a, policy: first, ran: ranA }, (a) =>
    openSide(api, io, args, { name: args.b ?? args.a, policy: second, ran: ranB }, (b) => {
      const named = args.b === undefined;
      const own = (side: Side): Side => (named ? { ...side, name: side.policy.policy.name } : side);
      return ask(own(a), own(b), options);
    }),
  );
  await say(io, args, {
    text: (style) => differenceText(answer, style),
    json: () => differenceJson(api.tool, answer),
  });
  return statusOf(answer);
}

/** Opens a case, with the policy that was chosen or that of the kernel that ran there. */
async function openSide<T>(
  api: ReplayApi,
  io: Io,
  args: DiffArguments,
  {
    name,
    policy,
    ran,
  }: { name: string; policy: ChosenPolicy | undefined; ran: string | undefined },
  use: (side: Side) => Promise<T>,
): Promise<T> {
  const { ran: _, ...rest } = args;
  const plain = { ...rest, recordings: [name], ...(ran === undefined ? {} : { ran }) };
  const cases = await casesOf(api, io, plain);
  const opened = cases === null ? { api, args: plain } : oneOf(cases, io);
  return openSession(opened.api, io, opened.args).read(async (recording) => {
    const kernel = policy ? undefined : await kernelThatRan(opened.api, opened.args, recording);
    const told = policy !== undefined || kernel !== undefined;
    return use({ name, recording, policy: policy ?? reportPolicies(kernel)[0]!, told });
  });
}
