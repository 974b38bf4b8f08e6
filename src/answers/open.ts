/** When an answer of "none" is no all-clear. */
import type { Limit } from "../model/result.ts";
import { UNSEEN } from "../replay/unseen-devices.ts";

/** Whether devices write in this machine of which nothing is recorded: what they did is open. */
export function leavesOpen(limits: readonly Limit[]): boolean {
  return limits.some(({ code }) => code === UNSEEN);
}
