/** `affected` of schema/report: is the host affected, and what would have helped. */
import type { Answer } from "../../answers/affected.ts";
import { affectedSentence } from "../text/affected-text.ts";

export function affectedJson(answer: Answer) {
  const { kernel, saved, unsaved, patches, ...rest } = answer.affected;
  return {
    answer: rest.answer,
    sentence: affectedSentence(answer),
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
  };
}
