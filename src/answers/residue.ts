/**
 * What is left when the best policy does not equal an observed log: each page that differs, by the
 * causes that wrote it in that round, or by its place in a neighbouring sync.
 */
import { Cause, MAX_ROWS } from "../../assembly/page-abi.ts";
import { CAUSE_LIST, causeName, mask } from "../vhost/causes.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import type { Policy } from "../vhost/policy-row.ts";
import type { SyncDifference } from "./identify.ts";

/** Causes that stand for themselves; Part repeats what others wrote. */
const WRITERS = CAUSE_LIST.filter((cause) => cause !== Cause.PartLogged && cause !== Cause.PartOff);

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

/** Causes that one reading of the recording tells apart, and a policy for each. */
export interface ResiduePass {
  causes: readonly Cause[];
  /** What policy n logs is what cause n wrote. */
  policies: ChosenPolicy[];
}

/** As few readings as tell all causes apart. */
export function residuePasses(): ResiduePass[] {
  const passes: ResiduePass[] = [];
  for (let from = 0; from < WRITERS.length; from += MAX_ROWS) {
    const causes = WRITERS.slice(from, from + MAX_ROWS);
    const policies = causes.map((cause) => ({ alias: null, policy: causePolicy(cause) }));
    passes.push({ causes, policies });
  }
  return passes;
}

function causePolicy(cause: Cause): Policy {
  const name = causeName(cause);
  return { name, aliases: [], title: name, evidence: [], logs: mask(cause) };
}

/** Adds up explanations, most pages first. */
export interface ResidueTally {
  /** `image(n)`: pages that cause n of this pass wrote in the round of `difference`. */
  add(pass: ResiduePass, difference: SyncDifference, image: (n: number) => Uint8Array): void;
  finish(): ResidueCause[];
}

/** A tally for the differences of one policy, in the order of the syncs. */
export function startResidue(differences: readonly SyncDifference[]): ResidueTally {
  const writers = new Map<SyncDifference, string[][]>();
  return {
    add(pass, difference, image) {
      const pages = pagesOf(difference);
      const causes = writers.get(difference) ?? pages.map((): string[] => []);
      writers.set(difference, causes);
      pass.causes.forEach((cause, n) => {
        const bits = image(n);
        pages.forEach((gfn, at) => {
          if (((bits[gfn >>> 3] ?? 0) >>> (gfn & 7)) & 1) causes[at]!.push(causeName(cause));
        });
      });
    },
    finish: () => addUp(differences, writers),
  };
}

/** Pages that differ: first the missing ones, then the extra ones. */
function pagesOf(difference: SyncDifference): number[] {
  return [...difference.missingPages, ...difference.extraPages];
}

function addUp(
  differences: readonly SyncDifference[],
  writers: ReadonlyMap<SyncDifference, string[][]>,
): ResidueCause[] {
  const found = new Map<string, ResidueCause & { last: number }>();
  differences.forEach((difference, at) => {
    const causes = writers.get(difference);
    if (causes === undefined) return;
    const beside = [differences[at - 1], differences[at + 1]].filter(
      (one) => one !== undefined && Math.abs(one.round - difference.round) === 1,
    );
    const others = {
      missing: new Set(beside.flatMap((one) => one!.extraPages)),
      extra: new Set(beside.flatMap((one) => one!.missingPages)),
    };
    pagesOf(difference).forEach((gfn, i) => {
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
  });
  return [...found.values()]
    .map(({ last: _, ...entry }) => entry)
    .sort((a, b) => b.pages - a.pages || a.causes.join().localeCompare(b.causes.join(), "en"));
}
