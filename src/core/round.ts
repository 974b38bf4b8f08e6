/** Rounds: from one sync to the next. What a sync's counts say, and why they may be incomplete. */
import {
  COUNT_EXTRA,
  COUNT_LOGGED,
  COUNT_LOST,
  COUNT_NEWLY_LOST,
  COUNT_STALE,
  COUNT_WRITTEN,
  COUNTS_SIZE,
} from "../../assembly/page-abi.ts";
import type { PolicyRound, Round, SyncMark } from "../model/result.ts";
import type { Core } from "./core.ts";
import type { Row } from "./rows.ts";

/** A marker that ends a round: `dirty_sync_begin 3 after-boot`. */
export const DEFAULT_SYNC_MARKER = /^dirty_sync_begin (?<n>\d+)(?: (?<name>.*))?$/;

/**
 * Number and name of a marker that is a sync, null for another text; `numbered`: the number is its own,
 * and not `ordinal`.
 */
export function matchSync(
  marker: RegExp,
  text: string,
  ordinal: number,
): { number: number; name: string; numbered: boolean } | null {
  const match = marker.exec(text);
  if (!match) return null;
  const n = match.groups?.n ?? (/^\d+$/.test(match[1] ?? "") ? match[1] : undefined);
  const number = n === undefined ? ordinal : Number(n);
  const safe = Number.isSafeInteger(number);
  return {
    number: safe ? number : ordinal,
    name: match.groups?.name ?? "",
    numbered: safe && n !== undefined,
  };
}

/** The counts of the round that `exports.sync()` just ended, for one window. */
export function readRound(
  core: Core,
  rows: readonly Row[],
  index: number,
  sync: SyncMark | null,
  caveats: string[],
): Round[] {
  const at = core.exports.countsPtr();
  const windows = [...new Set(rows.map((row) => row.window))];
  return windows.map((window) => {
    const policies: PolicyRound[] = [];
    let written = 0;
    rows.forEach((row, i) => {
      if (row.window !== window) return;
      const count = (offset: number): number => core.u64(at + i * COUNTS_SIZE + offset);
      written = count(COUNT_WRITTEN);
      policies.push({
        logged: count(COUNT_LOGGED),
        lost: count(COUNT_LOST),
        extra: count(COUNT_EXTRA),
        newlyLost: count(COUNT_NEWLY_LOST),
        stillLost: count(COUNT_STALE),
      });
    });
    return { index, sync, written, policies, bitmapSync: null, caveats };
  });
}

/** Whether anything happened in this round: an empty rest after the last sync is not listed. */
export function isEmpty(round: Round): boolean {
  return round.written === 0 && round.policies.every((policy) => policy.logged === 0);
}
