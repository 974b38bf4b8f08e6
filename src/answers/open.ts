/** When an answer of "none" is no all-clear. */
import type { MachineResult } from "../model/result.ts";

/**
 * Whether pages may be missing from what is counted: events were lost or cannot be read, devices write of
 * which nothing is recorded, or the order or owner of writes is not known. At most none is none; at
 * least none is not.
 */
export function leavesOpen({ certainty }: Pick<MachineResult, "certainty">): boolean {
  return certainty === "lower" || certainty === "bounds";
}
