/** What the core knows of a migration at its end, as plain data. */
import {
  MIG_DOUBT_FIRST_PASS,
  MIG_DOUBT_FLIGHT,
  MIG_DOUBT_POPPED,
  MIG_DOUBT_QUEUED,
  MIG_DOUBT_UNSEEN,
  RowSet,
  STALE_DOUBT,
  STALE_SENT,
} from "../../assembly/page-abi.ts";
import type { Doubt, HealedBy, StalePage, StaleVerdict } from "../model/migration-result.ts";
import type { PageRun } from "../model/result.ts";
import { CAUSE_LIST, causeName } from "../vhost/causes.ts";
import type { Core } from "./core.ts";
import { type PlaceOf, type QueueName, readEvidence } from "./queue-record.ts";

/** Sets of one row, ascending runs. */
export interface RowVerdict {
  row: number;
  stale: PageRun[];
  likely: PageRun[];
  possible: PageRun[];
  healed: { by: HealedBy; runs: PageRun[] }[];
  /** Logged by the policy and never sent again. */
  pending: number;
  /** Would be stale had no page been sent again, beside those that are. */
  resendless(): PageRun[];
  pages: StalePage[];
  /** Open pages by the cause of the write to blame, where such are kept. */
  causes: { cause: string; pages: number }[];
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
  const likely = runsOf(RowSet.MigLikely);
  const possible = runsOf(RowSet.MigPossible);
  const pages: StalePage[] = [];
  const add = (runs: readonly PageRun[], verdict: StaleVerdict): void => {
    for (const run of runs) {
      for (let gfn = run.gfn; gfn < run.gfn + run.pages; gfn++) {
        const page =
          pages.length < MAX_PAGES
            ? readPage(core, row, gfn, verdict, startNs, placeOf, queueOf)
            : null;
        if (page) pages.push(page);
      }
    }
  };
  if (withPages) {
    add(stale, "stale");
    add(likely, "likely-stale");
    add(possible, "possibly-stale");
  }
  return {
    row,
    stale,
    likely,
    possible,
    healed: HEALERS.map(([by, set]) => ({ by, runs: runsOf(set) })).filter(
      ({ runs }) => runs.length > 0,
    ),
    pending: core.count(row, RowSet.MigPending),
    resendless: () => runsOf(RowSet.MigResendless),
    pages,
    causes: readCauses(core, row),
  };
}

function readCauses(core: Core, row: number): RowVerdict["causes"] {
  const at = core.exports.countOpenCauses(row);
  return CAUSE_LIST.flatMap((cause) => {
    const pages = core.view.getUint32(at + cause * 4, true);
    return pages === 0 ? [] : [{ cause: causeName(cause), pages }];
  });
}

function readPage(
  core: Core,
  row: number,
  gfn: number,
  verdict: StaleVerdict,
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
    verdict,
    write,
    sentNs: sentNs === null ? null : sentNs.toString(),
    poppedBeforeSend: straddles,
    doubts: doubtsOf(verdict, core.view.getUint32(at + STALE_DOUBT, true)),
  };
}

/** Doubts that leave a page likely stale, and those that leave it possibly so. */
const DOUBTS: Readonly<Record<StaleVerdict, readonly [bit: number, doubt: Doubt][]>> = {
  stale: [],
  "likely-stale": [
    [MIG_DOUBT_POPPED, "popped-before-send"],
    [MIG_DOUBT_UNSEEN, "no-send-seen"],
  ],
  "possibly-stale": [
    [MIG_DOUBT_FIRST_PASS, "first-pass"],
    [MIG_DOUBT_FLIGHT, "in-flight"],
    [MIG_DOUBT_QUEUED, "queued"],
  ],
};

function doubtsOf(verdict: StaleVerdict, bits: number): Doubt[] {
  return DOUBTS[verdict].flatMap(([bit, doubt]) => (bits & bit ? [doubt] : []));
}
