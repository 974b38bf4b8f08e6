/** `policies`: the table, with what each row rests on. */

import { policiesJson } from "../report/json/policies-json.ts";
import { policiesText } from "../report/text/policies-text.ts";
import { choosePolicies } from "../vhost/chosen-policy.ts";
import { EXIT, type Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { say } from "./shared/say.ts";

export interface PoliciesArguments {
  name?: string;
  json?: boolean;
}

/** Prints all policies, or the ones that a name or alias stands for; returns 0. */
export async function run(
  api: Pick<ReplayApi, "POLICIES" | "tool">,
  io: Io,
  args: PoliciesArguments,
): Promise<number> {
  const named = args.name !== undefined;
  const policies = named
    ? choosePolicies([args.name!], api.POLICIES).map(({ policy }) => policy)
    : api.POLICIES;
  await say(io, args, {
    text: (style) => policiesText(policies, named, style),
    json: () => policiesJson(api.tool, policies),
  });
  return EXIT.ok;
}
