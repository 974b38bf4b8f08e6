/** `affected` of schema/report: is the host affected, and what would have helped. */
import type { Affected } from "../../answers/affected.ts";
import type { MachineResult } from "../../model/result.ts";
import { affectedSentence } from "../text/affected-text.ts";
import type { KeysOf } from "./result-json.ts";

export function affectedJson(affected: Affected, machine: MachineResult) {
  const { kernel, saved, unsaved, patches, ...rest } = affected;
  return {
    answer: rest.answer,
    sentence: affectedSentence(affected, machine),
    kernel: kernel && {
      release: kernel.release,
      policy: kernel.policy.name,
      toldBy: kernel.toldBy,
      sure: kernel.sure,
      reason: kernel.reason,
    },
    policy: rest.policy,
    ownDevices: rest.ownDevices,
    backEnd: rest.backEnd,
    measure: rest.measure,
    givenUp: rest.givenUp,
    pages: rest.pages,
    possibly: rest.possibly,
    saved,
    unsaved,
    unattributed: rest.unattributed,
    patches: patches.map(({ number, title, merged, stable }) => ({
      number,
      title,
      merged,
      stable,
    })),
  } satisfies KeysOf<Affected>;
}
