/** `policies`: the table, with what each row rests on. */

import { jsonDocument } from "../report/json/result-json.ts";
import { policiesJson, policiesText } from "../report/text/policies.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { policiesNamed } from "./shared/arguments.ts";
import { EXIT, type Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";

export interface PoliciesArguments {
  name?: string;
  json?: boolean;
}

/** Prints all policies, or the ones that a name or alias stands for; returns 0. */
export async function run(
  api: Pick<ReplayApi, "POLICIES" | "findPolicy" | "tool">,
  io: Io,
  args: PoliciesArguments,
): Promise<number> {
  const named = args.name !== undefined;
  const policies = named
    ? policiesNamed(api, [args.name!]).map(({ policy }) => policy)
    : api.POLICIES;
  await io.out(
    args.json
      ? jsonDocument(policiesJson(api.tool, policies))
      : policiesText(policies, named, textStyle(io.color)),
  );
  return EXIT.ok;
}
