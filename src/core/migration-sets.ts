/** What the core knows of a migration at its end, as plain data. */
import {
  MIG_DOUBT_FIRST_PASS,
  MIG_DOUBT_FLIGHT,
  MIG_DOUBT_QUEUED,
  RowSet,
  STALE_DOUBT,
  STALE_SENT,
} from "../../assembly/abi.ts";
import type { Doubt, HealedBy, PageRun, StalePage } from "../model/result.ts";
import type { Core } from "./core.ts";
import { type PlaceOf, type QueueName, readEvidence } from "./queue-record.ts";

/** Sets of one row, ascending runs. */
export interface RowVerdict {
  row: number;
  stale: PageRun[];
  possible: PageRun[];
  healed: { by: HealedBy; runs: PageRun[] }[];
  /** Logged by the policy and never sent again. */
  pending: number;
  /** Would be stale had no page been sent again, beside those that are. */
  resendless(): PageRun[];
  pages: StalePage[];
  /** Stale or possibly stale pages of which no write is kept. */
  pagesWithoutEvidence: number;
}

const HEALERS: readonly [HealedBy, RowSet][] = [
  ["first-send", RowSet.MigFirstSend],
  ["resend", RowSet.MigResend],
  ["log", RowSet.MigLog],
  ["cpu", RowSet.MigCpu],
  ["stop", RowSet.MigStop],
];

/** Runs that a set is read to; a guest of a TiB that is stale in every other page has more. */
const MAX_RUNS = 1_000_000;
/** Pages whose last write is read: what the core keeps of all rows together. */
const MAX_PAGES = 262144;

/** The verdict of one row. `startNs`: when the dirty log went on. */
export function readVerdict(
  core: Core,
  row: number,
  startNs: bigint,
  placeOf: PlaceOf,
  queueOf: (id: number) => QueueName,
  withPages: boolean,
): RowVerdict {
  const runsOf = (set: RowSet): PageRun[] => core.runs(row, set, MAX_RUNS).runs;
  const stale = runsOf(RowSet.MigStale);
  const possible = runsOf(RowSet.MigPossible);
  const pages: StalePage[] = [];
  let without = 0;
  const add = (runs: readonly PageRun[], certain: boolean): void => {
    for (const run of runs) {
      for (let gfn = run.gfn; gfn < run.gfn + run.pages; gfn++) {
        const page =
          pages.length < MAX_PAGES
            ? readPage(core, row, gfn, certain, startNs, placeOf, queueOf)
            : null;
        if (page) pages.push(page);
        else without++;
      }
    }
  };
  if (withPages) {
    add(stale, true);
    add(possible, false);
  }
  return {
    row,
    stale,
    possible,
    healed: HEALERS.map(([by, set]) => ({ by, runs: runsOf(set) })).filter(
      ({ runs }) => runs.length > 0,
    ),
    pending: core.count(row, RowSet.MigPending),
    resendless: () => runsOf(RowSet.MigResendless),
    pages,
    pagesWithoutEvidence: without,
  };
}

function readPage(
  core: Core,
  row: number,
  gfn: number,
  certain: boolean,
  startNs: bigint,
  placeOf: PlaceOf,
  queueOf: (id: number) => QueueName,
): StalePage | null {
  const at = core.exports.findEntry(gfn, row);
  if (at === 0) return null;
  const write = readEvidence(core, at, placeOf, queueOf);
  const sent = core.view.getUint32(at + STALE_SENT, true);
  const sentNs = sent === 0 ? null : startNs + BigInt(sent - 1) * 1000n;
  const straddles = sentNs !== null && write.popNs !== null && BigInt(write.popNs) <= sentNs + 999n;
  return {
    gfn,
    verdict: certain ? "stale" : "possibly-stale",
    write,
    sentNs: sentNs === null ? null : sentNs.toString(),
    poppedBeforeSend: straddles,
    doubts: certain ? [] : doubtsOf(core.view.getUint32(at + STALE_DOUBT, true)),
  };
}

function doubtsOf(bits: number): Doubt[] {
  const doubts: Doubt[] = [];
  if (bits & MIG_DOUBT_FIRST_PASS) doubts.push("first-pass");
  if (bits & MIG_DOUBT_FLIGHT) doubts.push("in-flight");
  if (bits & MIG_DOUBT_QUEUED) doubts.push("queued");
  return doubts;
}
