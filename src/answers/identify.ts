/**
 * Which policy explains an observed dirty log: every distinct row against every observed image,
 * ranked by syncs that are equal and then by pages that are not.
 */
import type { DeviceSummary, Round, SyncMark } from "../model/result.ts";
import { fitsDevices, type Policy } from "../vhost/policy-row.ts";

/** Policies that log the same causes: one row of the replay. */
export interface Candidate {
  /** The first of them stands for all. */
  policy: Policy;
  policies: Policy[];
}

/** A sync at which a candidate's log differs from the observed one. */
export interface SyncDifference {
  number: number;
  name: string;
  round: number;
  /** Pages in the observed log only, and in the predicted one only. */
  missing: number;
  extra: number;
  /** At most `KEPT_PAGES` of each, ascending. */
  missingPages: number[];
  extraPages: number[];
  caveats: string[];
}

/** One row of the answer. */
export interface RankedPolicy {
  /** From 1; the same for rows that nothing tells apart. */
  rank: number;
  /** Its name. */
  policy: string;
  syncsEqual: number;
  syncs: number;
  missing: number;
  extra: number;
  /** Other policies whose images are the same at every sync. */
  ties: string[];
  /** The recording can be of this vhost; otherwise the row is a what-if. */
  fits: boolean;
  /** The probes of the recording name it. */
  named: boolean;
}

/** The answer, best first. */
export interface Identification {
  syncs: number;
  ranking: RankedPolicy[];
  /** Where the best row differs. */
  residue: SyncDifference[];
  /** Differing syncs that are counted and not kept. */
  moreResidue: number;
}

export const KEPT_PAGES = 4096;
const KEPT_SYNCS = 256;

/** Candidates of these policies, in their order; those without a log (`fatal`) are left out. */
export function candidatesOf(policies: readonly Policy[]): Candidate[] {
  const found: Candidate[] = [];
  for (const policy of policies.filter((row) => row.fatal === undefined)) {
    const same = found.find((candidate) => candidate.policy.logs === policy.logs);
    if (same) same.policies.push(policy);
    else found.push({ policy, policies: [policy] });
  }
  return found;
}

interface Tally {
  equal: number;
  missing: number;
  extra: number;
  differences: SyncDifference[];
  moreDifferences: number;
}

/** What is known of a device beside its log. */
export type IdentifiedDevice = Pick<DeviceSummary, "driver" | "features" | "backEnd">;

/** Collects one sync after the other. */
export interface Identifier {
  readonly candidates: readonly Candidate[];
  /** `predicted(i)`: image of candidate i, bit n = page n, as long as it needs to be. */
  addSync(
    round: Pick<Round, "index" | "caveats">,
    mark: SyncMark | null,
    observed: Uint8Array,
    predicted: (candidate: number) => Uint8Array,
  ): void;
  /** `devices`: those of the recording. */
  finish(devices: readonly IdentifiedDevice[]): Identification;
}

/** An identifier over these policies, at most `MAX_ROWS` distinct ones. */
export function startIdentifier(policies: readonly Policy[]): Identifier {
  const candidates = candidatesOf(policies);
  const tallies = candidates.map(
    (): Tally => ({ equal: 0, missing: 0, extra: 0, differences: [], moreDifferences: 0 }),
  );
  /** Candidates with one number have had the same images so far. */
  let alike = candidates.map(() => 0);
  let syncs = 0;
  return {
    candidates,
    addSync(round, mark, observed, predicted) {
      syncs++;
      const seen: { image: Uint8Array; alike: number }[] = [];
      alike = candidates.map((_, i) => {
        const image = predicted(i);
        addDifference(tallies[i]!, image, observed, {
          ...{ number: mark?.number ?? 0, name: mark?.name ?? "", round: round.index },
          ...{ missing: 0, extra: 0, missingPages: [], extraPages: [] },
          caveats: round.caveats,
        });
        const before = seen.findIndex((one) => one.alike === alike[i] && same(one.image, image));
        return before < 0 ? seen.push({ image, alike: alike[i]! }) - 1 : before;
      });
    },
    finish: (devices) => {
      const ranking = rank(policies, candidates, tallies, alike, syncs, devices);
      const best = candidates.findIndex(({ policies: all }) =>
        all.some((policy) => policy.name === ranking[0]?.policy),
      );
      const { differences = [], moreDifferences = 0 } = tallies[best] ?? {};
      return { syncs, ranking, residue: differences, moreResidue: moreDifferences };
    },
  };
}

function rank(
  order: readonly Policy[],
  candidates: readonly Candidate[],
  tallies: readonly Tally[],
  alike: readonly number[],
  syncs: number,
  devices: readonly IdentifiedDevice[],
): RankedPolicy[] {
  const rows = candidates.flatMap(({ policies }, i) => {
    const { equal, missing, extra } = tallies[i]!;
    const tied = candidates.flatMap((other, at) => (alike[at] === alike[i] ? other.policies : []));
    return policies.map((policy) => ({
      ...{ rank: 0, policy: policy.name, syncsEqual: equal, syncs, missing, extra },
      ties: order
        .filter((other) => other !== policy && tied.includes(other))
        .map((other) => other.name),
      fits: fitsDevices(policy, devices),
      named: devices.some(({ backEnd }) => backEnd === policy.name),
    }));
  });
  const places = new Map(order.map((policy, at) => [policy.name, at]));
  const distance = (a: RankedPolicy, b: RankedPolicy): number =>
    b.syncsEqual - a.syncsEqual || a.missing + a.extra - (b.missing + b.extra);
  rows.sort(
    (a, b) =>
      distance(a, b) ||
      Number(b.named) - Number(a.named) ||
      Number(b.fits) - Number(a.fits) ||
      places.get(a.policy)! - places.get(b.policy)!,
  );
  rows.forEach((row, at) => {
    const above = rows[at - 1];
    row.rank = above && distance(above, row) === 0 ? above.rank : at + 1;
  });
  return rows;
}

function addDifference(
  tally: Tally,
  predicted: Uint8Array,
  observed: Uint8Array,
  difference: SyncDifference,
): void {
  const bytes = Math.max(predicted.length, observed.length);
  for (let at = 0; at < bytes; at++) {
    const p = predicted[at] ?? 0;
    const o = observed[at] ?? 0;
    if (p === o) continue;
    for (let bit = 0; bit < 8; bit++) {
      if (((p ^ o) >>> bit) & 1) addPage(difference, at * 8 + bit, ((o >>> bit) & 1) === 1);
    }
  }
  tally.missing += difference.missing;
  tally.extra += difference.extra;
  if (difference.missing + difference.extra === 0) tally.equal++;
  else if (tally.differences.length < KEPT_SYNCS) tally.differences.push(difference);
  else tally.moreDifferences++;
}

function addPage(difference: SyncDifference, gfn: number, observed: boolean): void {
  const pages = observed ? difference.missingPages : difference.extraPages;
  if (observed) difference.missing++;
  else difference.extra++;
  if (pages.length < KEPT_PAGES) pages.push(gfn);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return long.every((byte, at) => byte === (short[at] ?? 0));
}
