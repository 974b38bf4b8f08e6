/**
 * The policies: which writes a given vhost logs. A kernel is a row of data; nothing in the code
 * asks which kernel it is. docs/model.md defines the causes.
 */
import { closest } from "../model/closest.ts";
import { UsageError } from "../model/place.ts";
import { BACK_ENDS } from "./backends.ts";
import { KERNELS } from "./kernels.ts";
import { type Policy, seriesPolicy } from "./policy-row.ts";
import { NO_PATCHES, PATCHES, patchList } from "./series.ts";
import { versionRow } from "./versions.ts";

export { ASSUMED_WINDOW, assumeLogging, causeName, WINDOW, windowOf } from "./causes.ts";
export type { LoggingManner, Policy } from "./policy-row.ts";

/** All policies with a row: kernels in the order in which they came, then other vhosts. */
export const POLICIES: readonly Policy[] = [...KERNELS, ...BACK_ENDS];

/** A policy, and why a name stands for it. */
export interface ResolvedPolicy {
  policy: Policy;
  /** One sentence; null when the name is the row's own or an alias of it. */
  reason: string | null;
}

/**
 * The policy of a name: a row or an alias (`linux-6.16`, `patched`), any kernel version
 * (`linux-6.12.40`), or a choice of patches (`series:1-3`, `series:4,5,6,7`, `series:none`).
 * Throws UsageError that says what is known. A policy with `fatal` has no numbers: `refusal()`.
 */
export function resolvePolicy(name: string): ResolvedPolicy {
  const own = POLICIES.find((row) => row.name === name || row.aliases.includes(name));
  if (own) return { policy: own, reason: null };
  if (name.startsWith("series:")) return { policy: chosenPatches(name), reason: null };
  const version = versionRow(name);
  const row = version && POLICIES.find((policy) => policy.name === version.row);
  if (row) return { policy: row, reason: `${name} is ${row.name}: ${version.reason}` };
  const names = POLICIES.flatMap((policy) => [policy.name, ...policy.aliases]);
  const meant = closest(name, names);
  const perhaps = meant === undefined ? "" : `, perhaps ${meant} is meant`;
  throw new UsageError(
    `unknown policy ${JSON.stringify(name.slice(0, 60))}${perhaps}; known are ${names.join(", ")}, ` +
      "any linux-X.Y or linux-X.Y.Z, and series:LIST of patches 1 to 10 such as series:1-3,5",
  );
}

/** The policy of this name (`resolvePolicy`, without the reason). Throws UsageError. */
export function findPolicy(name: string): Policy {
  return resolvePolicy(name).policy;
}

/** Why a policy has no numbers, as a sentence that names it; null when it has. */
export function refusal(policy: Policy): string | null {
  return policy.fatal === undefined ? null : `${policy.name} has no dirty log: ${policy.fatal}.`;
}

/** The same name is the same row, so that asking twice is asking once. */
const CHOSEN = new Map<string, Policy>();
const MOST_CHOSEN = 1024;
/** Characters of a list of patches. */
const MOST_LIST = 100;

function chosenPatches(name: string): Policy {
  const before = CHOSEN.get(name);
  if (before) return before;
  const patches = parsePatches(name);
  const policy = seriesPolicy(
    { ...NO_PATCHES, patches, buffers: "lazy" },
    {
      name,
      title: `vhost-scsi with patches ${patchList(patches)} of the series`,
      evidence: patches.map((number) => {
        const { title, merged } = PATCHES[number - 1]!;
        return `${number} ${title} (${merged ?? "never merged"})`;
      }),
    },
  );
  if (CHOSEN.size >= MOST_CHOSEN) CHOSEN.clear();
  CHOSEN.set(name, policy);
  return policy;
}

function parsePatches(name: string): number[] {
  const list = name.slice("series:".length);
  if (list === "none") return [];
  const chosen = new Set<number>();
  for (const part of list.slice(0, MOST_LIST + 1).split(",")) {
    const match = /^(\d{1,2})(?:-(\d{1,2}))?$/.exec(part);
    const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (list.length > MOST_LIST || !(from >= 1 && from <= to && to <= PATCHES.length)) {
      throw new UsageError(
        `series: expected patches from 1 to ${PATCHES.length} such as series:1-3,5 or ` +
          `series:none, found ${JSON.stringify(part.slice(0, 60))}`,
      );
    }
    for (let number = from; number <= to; number++) chosen.add(number);
  }
  return [...chosen].sort((a, b) => a - b);
}
