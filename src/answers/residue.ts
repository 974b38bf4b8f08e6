/**
 * What is left when the best policy does not equal an observed log: each page that differs, by the
 * causes that wrote it in that round, or by its place in a neighbouring sync.
 */
import { Cause } from "../../assembly/abi.ts";
import { causeName } from "../vhost/causes.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import type { SyncDifference } from "./identify.ts";

/** Causes that stand for themselves; Part repeats what others wrote. */
const WRITERS = Cause.PartLogged;

/** Pages of one side with one explanation, over all syncs. */
export interface ResidueCause {
  side: "missing" | "extra";
  /** Causes of the writes (`io-late`); none: no write in the round, or not looked for. */
  causes: string[];
  /** The page differs the other way round at the sync before or after it. */
  neighbour: boolean;
  pages: number;
  syncs: number;
}

/** One policy for each cause: what it logs is what that cause wrote. */
export function causePolicies(): ChosenPolicy[] {
  return Array.from({ length: WRITERS }, (_, cause) => ({
    alias: null,
    policy: {
      ...{ name: causeName(cause), aliases: [], title: causeName(cause), evidence: [] },
      logs: 1 << cause,
    },
  }));
}

/** Adds up explanations, most pages first. */
export interface ResidueTally {
  /** `image(cause)`: pages that this cause wrote in the round of `difference`. */
  add(difference: SyncDifference, image: (cause: number) => Uint8Array): void;
  finish(): ResidueCause[];
}

/** A tally for the differences of one policy, in the order of the syncs. */
export function startResidue(differences: readonly SyncDifference[]): ResidueTally {
  const found = new Map<string, ResidueCause & { last: number }>();
  return {
    add(difference, image) {
      const pages = [...difference.missingPages, ...difference.extraPages];
      const causes = pages.map((): string[] => []);
      for (let cause = 0; cause < WRITERS; cause++) {
        const bits = image(cause);
        pages.forEach((gfn, at) => {
          if (((bits[gfn >>> 3] ?? 0) >>> (gfn & 7)) & 1) causes[at]!.push(causeName(cause));
        });
      }
      const at = differences.findIndex((one) => one.round === difference.round);
      const beside = [differences[at - 1], differences[at + 1]].filter(
        (one) => one !== undefined && Math.abs(one.round - difference.round) === 1,
      );
      const others = {
        missing: new Set(beside.flatMap((one) => one!.extraPages)),
        extra: new Set(beside.flatMap((one) => one!.missingPages)),
      };
      pages.forEach((gfn, i) => {
        const side = i < difference.missingPages.length ? "missing" : "extra";
        const neighbour = others[side].has(gfn);
        const key = `${side} ${neighbour} ${causes[i]!.join(" ")}`;
        const entry = found.get(key) ?? {
          ...{ side, causes: causes[i]!, neighbour, pages: 0, syncs: 0, last: -1 },
        };
        entry.pages++;
        if (entry.last !== difference.round) entry.syncs++;
        entry.last = difference.round;
        found.set(key, entry);
      });
    },
    finish: () =>
      [...found.values()]
        .map(({ last: _, ...entry }) => entry)
        .sort((a, b) => b.pages - a.pages || a.causes.join().localeCompare(b.causes.join(), "en")),
  };
}
