/**
 * Rows: what the core computes at each sync. A policy under one reading of the logging window is
 * one row, so the recorded and the assumed window cost one pass together.
 */
import { Cause, MAX_ROWS, ROW_LOGS, ROW_SIZE, ROW_WINDOW } from "../../assembly/page-abi.ts";
import { UsageError } from "../model/place.ts";
import type { LogWindow } from "../model/result.ts";
import { type CauseMask, mask } from "../vhost/causes.ts";
import { ASSUMED_WINDOW, assumeLogging, type Policy, windowOf } from "../vhost/policy.ts";
import type { Core } from "./core.ts";

export type WindowChoice = LogWindow | "auto";

export interface Row {
  policy: number;
  window: LogWindow;
  windowMask: CauseMask;
  logsMask: CauseMask;
}

/** The rows of these policies. Throws UsageError when they are too many for one pass. */
export function makeRows(policies: readonly Policy[], choice: WindowChoice): Row[] {
  const windows: LogWindow[] = choice === "auto" ? ["recorded", "assumed"] : [choice];
  const rows = windows.flatMap((window) =>
    policies.map((policy, index) => ({
      policy: index,
      window,
      windowMask: window === "recorded" ? windowOf(policy.logs) : ASSUMED_WINDOW,
      logsMask: window === "recorded" ? policy.logs : assumeLogging(policy.logs),
    })),
  );
  if (rows.length > MAX_ROWS) {
    throw new UsageError(
      `${policies.length} policies are too many at once; at most ${MAX_ROWS / windows.length}`,
    );
  }
  return rows;
}

/** Logged up to the used length; only marked when some row asks. */
const PARTS = mask(Cause.PartLogged, Cause.PartOff);

/** Tells the core the masks of all rows. */
export function installRows(core: Core, rows: readonly Row[]): void {
  const at = core.exports.rowTablePtr();
  const view = core.view;
  rows.forEach((row, i) => {
    view.setBigUint64(at + i * ROW_SIZE + ROW_WINDOW, row.windowMask, true);
    view.setBigUint64(at + i * ROW_SIZE + ROW_LOGS, row.logsMask, true);
  });
  core.exports.setParts(rows.some((row) => (row.logsMask & PARTS) !== 0n));
}
