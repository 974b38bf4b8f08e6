/** From a migration that ended to its result: the verdict of every policy. */
import { RowSet } from "../../../assembly/page-abi.ts";
import { type RowVerdict, readVerdict } from "../../core/migration-sets.ts";
import type { Row } from "../../core/rows.ts";
import {
  type Doubt,
  type MigrationResult,
  type MigrationVerdict,
  type SendTimes,
  STALE_LADDER,
  type StalePage,
  type StaleVerdict,
} from "../../model/migration-result.ts";
import { countPages, PageRuns } from "../../model/page-runs.ts";
import type { PageRun } from "../../model/result.ts";
import type { CauseMask } from "../../vhost/causes.ts";
import { assumeLogging, type Policy } from "../../vhost/policy.ts";
import type { Device } from "../device.ts";
import type { ReplayState } from "../replay-state.ts";
import { judgeFirstPass } from "./first-pass.ts";
import type { RamMap } from "./ram-map.ts";
import type { Migration } from "./timeline.ts";

/**
 * A policy whose log explains the sends: this share of the pages that it logged, at most, was never
 * sent again. Pages of zeros are sent unseen, so where no destination was recorded more may lack.
 */
const FITS = 0.02;
const FITS_WITHOUT_ZEROS = 0.1;

/** The result of a migration, read from the core at its end. */
export function readMigration(
  run: ReplayState,
  ram: RamMap,
  migration: Migration,
): MigrationResult {
  const { exports } = run.core;
  const data = exports.pagesSaved();
  const zero = exports.zerosSent();
  const loads = exports.pagesLoaded() + exports.zerosLoaded();
  const startNs = BigInt(migration.logOn.ns);
  const multifd = exports.sentUnseen();
  const placed = multifd && judgeFirstPass(run.core, ram, startNs, migration.writtenBefore);
  const sendTimes: SendTimes = multifd
    ? placed
      ? "packets"
      : "none"
    : data > 0
      ? zero > 0
        ? "source-and-destination"
        : "source"
      : loads > 0
        ? "destination"
        : "none";
  const { kinds } = migration;
  if (multifd) kinds.add("multifd", null, "multifd_send_fill");
  if (exports.pagesDirtiedByCpu() > 0) kinds.add("dirty-ring", null, "kvm_dirty_ring_page");
  const plugged = pluggedNs(run.devices, migration);
  if (plugged !== null) kinds.add("hotplugged-device", plugged, "SET_OWNER");
  if (data > 0 && run.plan.loadedUnseen) kinds.add("mapped-ram", null, "ram_load_complete");
  const result: MigrationResult = {
    ...courseOf(migration),
    sends: { data, zero, unplaced: exports.pagesUnplaced() },
    sendTimes,
    zeroResendsAtMost: zeroResends(run, migration, sendTimes),
    blocks: [...ram.placed].map(([key, placed]) => ({
      block: key.slice(key.indexOf(" ") + 1),
      placed,
    })),
    cpuDirtied: exports.pagesDirtiedByCpu(),
    verdicts: [],
  };
  // A migration that did not come to its end leaves no stale destination.
  if (migration.outcome === "cancelled" || migration.outcome === "failed") return result;
  const rows = rowsOfWindow(run);
  const queueOf = run.queueOf();
  const read = rows.map(({ index }) =>
    readVerdict(run.core, index, startNs, run.placeOf, queueOf, run.options.stalePages ?? false),
  );
  rows.forEach(({ row }, i) => {
    const whatIf = isWhatIf(run, rows, i, read, sendTimes);
    const about = { migration, sendTimes, whatIf, zerosSeen: result.zeroResendsAtMost === 0 };
    result.verdicts.push(verdictOf(run, row, read[i]!, about));
  });
  return result;
}

/**
 * When a device was plugged: opened while the guest ran, by the QEMU whose devices are logged. One that is
 * there at the start is opened before. null: none was, as far as is recorded.
 */
function pluggedNs(devices: readonly Device[], migration: Migration): string | null {
  const { running, logOn } = migration;
  if (running === null) return null;
  const logged = devices.filter(({ logging }) => logging.some(({ what }) => what === "LOG_ALL on"));
  const openers = new Set(logged.flatMap(({ opened }) => opened?.by ?? []));
  const plugged = devices.find(
    ({ opened }) =>
      opened !== null &&
      openers.has(opened.by) &&
      BigInt(opened.ns) > BigInt(running.ns) &&
      BigInt(opened.ns) < BigInt(logOn.ns),
  );
  return plugged?.opened?.ns ?? null;
}

/** The result of a migration that takes no dirty log: nothing can be missing from it. */
export function readUnlogged(migration: Migration): MigrationResult {
  return {
    ...courseOf(migration),
    sends: { data: 0, zero: 0, unplaced: 0 },
    sendTimes: "none",
    zeroResendsAtMost: null,
    blocks: [],
    cpuDirtied: 0,
    verdicts: [],
  };
}

function courseOf(migration: Migration) {
  return {
    from: migration.from,
    outcome: migration.outcome,
    kinds: migration.kinds.all,
    logOn: migration.logOn,
    firstSyncNs: migration.firstSync?.ns ?? null,
    stoppedNs: migration.stopped?.ns ?? null,
    postcopyNs: migration.postcopy?.ns ?? null,
    endNs: migration.end?.ns ?? null,
    syncs: migration.syncs,
    states: migration.states,
  };
}

/**
 * How many pages may have been sent again as pages of zeros without being seen, at most. A send
 * clears a page's bit in QEMU's bitmap, which is set at the beginning and at each sync that finds
 * the page newly dirty; so a page that was sent again was found before, and pages that were sent
 * again with data, which are seen, are no others. migration/ram.c migration_bitmap_clear_dirty(),
 * save_zero_page(), ram_save_page(). null: not known.
 */
function zeroResends(run: ReplayState, migration: Migration, sendTimes: SendTimes): number | null {
  const { exports } = run.core;
  if (sendTimes === "destination") return 0;
  if (sendTimes === "none" || sendTimes === "packets") return null;
  const { zeros } = run.plan;
  const data = exports.pagesSaved();
  if (zeros && !zeros.incomplete && !zeros.lossy) {
    const all = zeros.data === data && zeros.unplaced === 0;
    if (all && !exports.destinationDiffers()) return 0;
  }
  // Post-copy marks whole huge pages once more, COLO resets the counter at checkpoints.
  if (migration.postcopy || migration.states.some(({ state }) => state === "colo")) return null;
  if (run.inputs.some(({ feed }) => feed.summary().gaps.length > 0)) return null;
  const most = migration.newlyDirty.most;
  const seen = exports.pagesResent();
  // More than QEMU found is no recording of one migration.
  return most === null || most < seen ? null : most - seen;
}

/** The rows of the window that counts now: recorded, once logging was seen. */
function rowsOfWindow(run: ReplayState): { row: Row; index: number }[] {
  const { window } = run.options;
  const seen = run.core.exports.loggingSeen() !== 0;
  const wanted = window === "auto" ? (seen ? "recorded" : "assumed") : window;
  return run.rows.map((row, index) => ({ row, index })).filter(({ row }) => row.window === wanted);
}

/**
 * Whether another policy explains the page sends and logs more than this one: then a page was sent
 * again because of that log, and would not have been under this policy.
 */
function isWhatIf(
  run: ReplayState,
  rows: readonly { row: Row; index: number }[],
  i: number,
  read: readonly RowVerdict[],
  sendTimes: SendTimes,
): boolean {
  if (sendTimes === "none") return false;
  const { ran } = run.options;
  const own = rows[i]!.row.logsMask;
  const more = (other: CauseMask): boolean => (other & ~own) !== 0n;
  if (ran !== undefined) return more(maskOf(ran, rows[i]!.row));
  const limit = sendTimes === "source" ? FITS_WITHOUT_ZEROS : FITS;
  return rows.some(({ row, index }, j) => {
    if (!more(row.logsMask) || (own & ~row.logsMask) !== 0n) return false;
    const logged = run.core.count(index, RowSet.EverLogged);
    return logged > 0 && read[j]!.pending <= logged * limit;
  });
}

function sumPages(counts: RowVerdict["causes"]): number {
  return counts.reduce((sum, { pages }) => sum + pages, 0);
}

function union(a: PageRun[], b: PageRun[]): PageRun[] {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  return PageRuns.from(a).union(PageRuns.from(b)).toArray();
}

function difference(a: PageRun[], b: PageRun[]): PageRun[] {
  if (a.length === 0 || b.length === 0) return a;
  return PageRuns.from(a).subtract(PageRuns.from(b)).toArray();
}

/** What a policy logs, in the window of this row. */
function maskOf(policy: Policy, row: Row): CauseMask {
  return row.window === "recorded" ? policy.logs : assumeLogging(policy.logs);
}

/** Why a page is possibly stale when that came after its last write. */
function laterDoubt(run: ReplayState, sendTimes: SendTimes): Doubt {
  if (run.gapCount > 0) return "events-lost";
  return run.plan.tolerance > 0n && sendTimes !== "destination" ? "in-flight" : "arrival";
}

interface Circumstances {
  migration: Migration;
  sendTimes: SendTimes;
  whatIf: boolean;
  /** No page was sent again as zeros without being seen. */
  zerosSeen: boolean;
}

/** The sets of the ladder: the core says what the order of writes and sends is. */
function verdictOf(
  run: ReplayState,
  row: Row,
  read: RowVerdict,
  { migration, sendTimes, whatIf, zerosSeen }: Circumstances,
): MigrationVerdict {
  const asked = run.options.stalePages || run.options.staleCauses;
  const unfinished = migration.outcome === "unfinished";
  const down = (verdict: StaleVerdict): StaleVerdict => {
    if (unfinished) return "possibly-stale";
    // Any page may be one of those that were sent again as zeros.
    return verdict === "stale" && !zerosSeen ? "likely-stale" : verdict;
  };
  const sets: Record<StaleVerdict, PageRun[]> = {
    stale: [],
    "likely-stale": [],
    "possibly-stale": [],
  };
  const told = [read.stale, read.likely, read.possible];
  STALE_LADDER.forEach((verdict, i) => {
    sets[down(verdict)] = union(sets[down(verdict)], told[i]!);
  });
  const surer = union(sets.stale, sets["likely-stale"]);
  const known = union(surer, sets["possibly-stale"]);
  const unsent = whatIf ? difference(read.resendless(), known) : [];
  const possiblyStale = union(sets["possibly-stale"], unsent);
  const open = union(known, unsent);
  const pages = read.pages.map((page): StalePage => {
    const verdict = down(page.verdict);
    // Where none is recorded, that of this page is not worth a word.
    const unsaid = sendTimes === "none" || sendTimes === "packets";
    const doubts = page.doubts.filter((doubt) => !unsaid || doubt !== "no-send-seen");
    if (verdict === "likely-stale") {
      if (sendTimes === "none") doubts.push("no-send-times");
      else if (sendTimes === "packets") doubts.push("sends-unseen");
      else if (!zerosSeen) doubts.push("zeros-unseen");
    } else if (verdict === "possibly-stale") {
      if (sendTimes === "none") doubts.push("no-send-times");
      if (unfinished) doubts.push("unfinished");
      if (doubts.length === 0) doubts.push(laterDoubt(run, sendTimes));
    }
    return { ...page, verdict, doubts };
  });
  return {
    policy: run.options.policies[row.policy]!.policy.name,
    best: countPages(sets.stale),
    likely: countPages(surer),
    worst: countPages(open),
    stale: sets.stale,
    likelyStale: sets["likely-stale"],
    possiblyStale,
    healed: read.healed
      .map(({ by, runs }) => ({ by, runs: difference(runs, open) }))
      .filter(({ runs }) => runs.length > 0),
    loggedNotSent: read.pending,
    whatIf,
    pages,
    causes: read.causes,
    pagesWithoutEvidence: asked ? countPages(open) - sumPages(read.causes) : 0,
  };
}
