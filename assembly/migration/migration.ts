/**
 * A live migration, replayed for every policy at once. A page is stale at the destination when its
 * last change came after it was read for the last time. For each row, per page:
 *
 *   a write that the row's policy leaves out   sets it      (migration-write.ts)
 *   a send of the page                         clears it: the change was part of what was sent
 *   a sync, where the policy logged it         clears it: QEMU sends the page again
 *   a vCPU's write that QEMU saw, a stop       clear it: QEMU sends the page again
 *
 * What is left at the end is stale. Where the order of a write and a send is not known it is left as
 * possible, not as certain. docs/laws.md; QEMU migration/ram.c ram_save_iterate(),
 * migration_bitmap_sync(), ram_save_page(). Here: its time line.
 */
import { drainBegin, draining } from "../known/drain";
import { PageState } from "../drain-abi";
import { beginFetch, clearEarly, fetchEndsBy } from "./early";
import { afterSlack, clearFlight, flushed, hasSlack, openFlight } from "./flight";
import { clearPages, openPages } from "./migration-page";
import { beginInside, beginRound, takeRound } from "./migration-round";
import { migration, NO_SPACE } from "./migration-state";
import { forgetRecent, openRecent } from "./recent";
import { clearPackets } from "./packets";
import { clearSent } from "./resend";
import { clearEntries } from "./stale-entry";
import { restartZeros, sendZeros } from "./zero-pages";

/** The dirty log goes on: from here on an unlogged write may be lost. False: out of memory. */
export function startMigration(ts: u64): bool {
  if (!openPages() || !openFlight() || !openRecent()) return false;
  let m = migration();
  clearPages();
  clearFlight();
  clearEarly();
  clearEntries();
  clearSent();
  clearPackets();
  restartZeros();
  m.underWay = true;
  m.firstPass = true;
  m.firstPassEnd = 0;
  m.endTs = 0;
  m.gapEnd = 0;
  m.syncs = 0;
  m.saves = 0;
  m.zeroSends = 0;
  m.unplacedSends = 0;
  m.resends = 0;
  m.cpuDirtied = 0;
  m.loads = 0;
  m.zeroLoads = 0;
  m.byArrival = false;
  m.xbzrle = false;
  m.startTs = ts;
  m.source = NO_SPACE;
  if (draining) drainBegin(PageState.Begin);
  beginInside(roundsSuffice());
  forgetRecent();
  return true;
}

/** Nothing was seen that decides inside a round, and nobody asks for the single writes or states. */
function roundsSuffice(): bool {
  let m = migration();
  return (
    !m.saves && !m.byArrival && !m.unseenData && !m.keepsEntries && !draining && !hasSlack()
  );
}

/** A sync has taken the planes: a new round begins. */
export function migrationRoundEnd(): void {
  let m = migration();
  if (!m.underWay) return;
  beginRound(!m.endTs && roundsSuffice(), m.firstPass, m.syncs);
  forgetRecent();
}

/**
 * It is over, however: what is missing stays as it is until the next one. With a tolerance it may be
 * over a little later on the clock of the writes, so those count on until then: the host reads the
 * verdict once that is past. True: it is past now.
 */
export function endMigration(ts: u64): bool {
  let m = migration();
  if (!m.underWay || m.endTs) return !m.underWay;
  takeRound();
  sendZeros(~(<u64>0), ts);
  m.endTs = afterSlack(ts);
  // What is written until then may be after the end.
  m.gapEnd = m.endTs;
  if (m.endTs == ts) m.underWay = false;
  return !m.underWay;
}

/** Whether what happens at `ts` is no part of a migration. */
export function migrationIsOver(ts: u64): bool {
  return !migration().underWay || (migration().endTs != 0 && ts >= migration().endTs);
}

export function migrationEnded(): bool {
  return migration().endTs != 0;
}

/** Nothing follows that could be a part of it. */
export function closeMigration(): void {
  takeRound();
  if (migration().underWay) beginFetch(migration().endTs != 0);
  migration().underWay = false;
}

/** QEMU fetches the dirty log (before: what it fetches is in the planes). */
export function migrationSync(ts: u64): void {
  let m = migration();
  if (!m.underWay || m.endTs) return;
  flushed(ts);
  let end = afterSlack(ts);
  if (end != ts) fetchEndsBy(end);
  if (++m.syncs != 2) return;
  m.firstPassEnd = end;
  if (m.firstPassEnd == ts) m.firstPass = false;
}

/** An event of xbzrle. True: the first one, which the host is to note. */
export function onXbzrle(): bool {
  let m = migration();
  if (!m.underWay || m.xbzrle) return false;
  m.xbzrle = true;
  return true;
}

/** The end of a pass over dirty memory: what was queued is read. */
export function onFlushed(ts: u64): void {
  if (migration().underWay && !migration().endTs) flushed(ts);
}
