/** The policies that a proof replays: one for each dirty log that any of them writes. */
import type { CauseMask } from "../vhost/causes.ts";
import type { Policy } from "../vhost/policy.ts";

/** One of the policies for every choice of what is logged; those without numbers are left out. */
export function distinctPolicies(policies: readonly Policy[]): { policy: Policy; alias: null }[] {
  const masks = new Set<CauseMask>();
  const chosen: { policy: Policy; alias: null }[] = [];
  for (const policy of policies) {
    if (policy.fatal !== undefined || masks.has(policy.logs)) continue;
    masks.add(policy.logs);
    chosen.push({ policy, alias: null });
  }
  return chosen;
}
