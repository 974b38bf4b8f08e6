/** The policies that somebody asks for, by the names that people use. */
import { UsageError } from "../model/place.ts";
import { findPolicy, POLICIES, type Policy, refusal } from "./policy.ts";

export interface ChosenPolicy {
  policy: Policy;
  /** The name by which it was asked for, when that is an alias. */
  alias: string | null;
}

/** The policies that are asked for when none is named. */
export const DEFAULT_POLICIES: readonly string[] = ["unpatched", "patched"];

/**
 * Policies by name or alias, in the order asked for, none twice. An alias that several rows of
 * `table` have stands for all of them; a name that is not in it may be a kernel version or a choice
 * of patches (`resolvePolicy`). Throws UsageError for a name that means nothing.
 */
export function choosePolicies(
  names: readonly string[] = DEFAULT_POLICIES,
  table: readonly Policy[] = POLICIES,
): ChosenPolicy[] {
  const found: ChosenPolicy[] = [];
  for (const name of names) {
    for (const row of rowsNamed(name, table)) {
      if (!found.some(({ policy }) => policy === row.policy)) found.push(row);
    }
  }
  return found;
}

function rowsNamed(name: string, table: readonly Policy[]): ChosenPolicy[] {
  const exact = table.find((policy) => policy.name === name);
  if (exact) return [{ policy: exact, alias: null }];
  const aliased = table.filter((policy) => policy.aliases.includes(name));
  if (aliased.length === 0) return [{ policy: findPolicy(name), alias: null }];
  return aliased.map((policy) => ({ policy, alias: name }));
}

/** Throws UsageError for the first of these that has no numbers, with what would happen instead. */
export function refuseFatal(policies: readonly ChosenPolicy[]): void {
  for (const { policy } of policies) {
    const why = refusal(policy);
    if (why !== null) throw new UsageError(why);
  }
}
