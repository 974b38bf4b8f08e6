/** Findings: lost pages by policy, cause and queue, as the core attributed them. */
import {
  FINDING_FIRST,
  FINDING_MORE_RUNS,
  FINDING_NEXT,
  FINDING_PAGES,
  FINDING_REQUESTS,
  FINDING_ROUNDS,
  FINDING_ROW,
  FINDING_RUN_LIST,
  FINDING_RUNS,
} from "../../assembly/page-abi.ts";
import { readEvidence } from "../core/queue-record.ts";
import type { Certainty, Finding, LogWindow, PageRun } from "../model/result.ts";
import type { MachineReplay } from "./machine-replay.ts";

/** Findings that a result lists. */
const MAX_FINDINGS = 200;

/** Findings of the rows of one window, most pages first. */
export function readFindings(
  run: MachineReplay,
  window: LogWindow,
  certainty: Certainty,
): { findings: Finding[]; more: number } {
  const { core } = run;
  const queueOf = run.queueOf();
  const findings: Finding[] = [];
  for (let at = core.exports.firstFindingPtr(); at !== 0; ) {
    const view = core.view;
    const row = run.rows[view.getUint32(at + FINDING_ROW, true)];
    const next = view.getUint32(at + FINDING_NEXT, true);
    if (row?.window === window) {
      const first = readEvidence(core, at + FINDING_FIRST, run.placeOf, queueOf);
      const runs: PageRun[] = [];
      for (let i = 0; i < view.getUint32(at + FINDING_RUNS, true); i++) {
        const entry = at + FINDING_RUN_LIST + i * 8;
        runs.push({ gfn: view.getUint32(entry, true), pages: view.getUint32(entry + 4, true) });
      }
      findings.push({
        code: `lost-${first.cause}`,
        policy: run.options.policies[row.policy]!.policy.name,
        round: first.round,
        rounds: view.getUint32(at + FINDING_ROUNDS, true),
        queue: first.queue,
        device: first.device,
        cause: first.cause,
        pages: core.u64(at + FINDING_PAGES),
        requests: core.u64(at + FINDING_REQUESTS),
        runs,
        moreRuns: view.getUint32(at + FINDING_MORE_RUNS, true),
        first,
        certainty,
        written: /^(io|ctl|evt)-/.test(first.cause) ? "bound" : "exact",
      });
    }
    at = next;
  }
  const order = run.options.policies.map((chosen) => chosen.policy.name);
  findings.sort(
    (a, b) =>
      order.indexOf(a.policy) - order.indexOf(b.policy) ||
      b.pages - a.pages ||
      compareNames(a.cause, b.cause) ||
      (a.queue ?? -1) - (b.queue ?? -1),
  );
  return {
    findings: findings.slice(0, MAX_FINDINGS),
    more: Math.max(0, findings.length - MAX_FINDINGS),
  };
}

/** By code units: loading the rules of a language takes longer than the rest of a small report. */
function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
