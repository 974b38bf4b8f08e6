/** How fast a recorded migration sent, and what its guest's vCPUs dirtied, as far as QEMU counts it. */
import type { MigrationResult } from "../model/migration-result.ts";
import type { MachineResult } from "../model/result.ts";
import type { Load } from "./load.ts";
import { indexAt } from "./precopy.ts";

/** QEMU limits what it sends in windows of this length (migration/migration-stats.h). */
const WINDOW_NS = 1e8;

/** Pages with data that were sent in a second: over all of the first windows, and in the fullest one. Null: too few. */
export function sendRate({ sentNs }: Load): { slowest: number; fastest: number } | null {
  const [first] = sentNs;
  if (first === undefined) return null;
  const counts: number[] = [];
  // The fullest windows are those in which only the limit held QEMU up.
  for (let from = first; ; from += WINDOW_NS) {
    const begin = indexAt(sentNs, from);
    if (begin >= sentNs.length || from + WINDOW_NS > sentNs.at(-1)!) break;
    counts.push(indexAt(sentNs, from + WINDOW_NS) - begin);
  }
  if (counts.length < 2) return null;
  const sorted = counts.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1]!;
  const fastest = sorted.at(-1)!;
  if (median === 0) return null;
  return { slowest: (median * 1e9) / WINDOW_NS, fastest: (fastest * 1e9) / WINDOW_NS };
}

export interface OtherDirty {
  least: number;
  median: number;
  pages: number;
  perSecond: number;
}

/**
 * What QEMU's syncs found dirty and no vhost had logged, while the guest ran: in each pass `least` pages, mostly `median`; at
 * most `pages` in any pass, however short, and so many a second more. Null: nothing counts it.
 */
export function otherDirty(
  machine: MachineResult,
  migration: MigrationResult | null,
  ran: string | null,
): OtherDirty | null {
  if (migration === null) return null;
  const policy = ran ?? migration.verdicts.find(({ whatIf }) => !whatIf)?.policy ?? null;
  const row = machine.policies.findIndex(({ name }) => name === policy);
  if (row < 0) return null;
  const stopped = migration.stoppedNs === null ? null : BigInt(migration.stoppedNs);
  const passes: { pages: number; ns: number }[] = [];
  let before: { found: number; ns: bigint } | null = null;
  for (const { bitmapSync, policies } of machine.rounds) {
    if (bitmapSync === null || bitmapSync.dirtyPages === null) continue;
    if (stopped !== null && BigInt(bitmapSync.startNs) >= stopped) break;
    const { dirtyPages: found } = bitmapSync;
    const ns = BigInt(bitmapSync.startNs);
    // The count begins again each second (num_dirty_pages_period of ram.c).
    const fresh = before === null || found < before.found ? found : found - before.found;
    const pages = Math.max(0, fresh - (policies[row]?.logged ?? 0));
    if (before !== null) passes.push({ pages, ns: Number(ns - before.ns) });
    before = { found, ns };
  }
  const longest = passes.toSorted((a, b) => b.ns - a.ns)[0];
  if (!longest || longest.ns <= 0) return null;
  const short = passes.filter(({ ns }) => ns < WINDOW_NS).map(({ pages }) => pages);
  return {
    median: passes.map(({ pages }) => pages).sort((a, b) => a - b)[passes.length >> 1] ?? 0,
    least: Math.min(...passes.map(({ pages }) => pages)),
    pages: Math.max(0, ...short),
    perSecond: (longest.pages * 1e9) / longest.ns,
  };
}
