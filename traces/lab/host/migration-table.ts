/** What the migrations showed, and what of it must not be. */
import { versionNumber } from "./kernels.ts";
import type { Migration } from "./migration.ts";
import { columns } from "./table.ts";

/** The first kernel that logs what vhost-scsi writes, as major * 1000 + minor. */
const PATCHED = 6016;
/** The first whose SET_LOG_BASE waits for requests in flight. */
const WAITS = 7002;

function pages({ differ }: Migration): number {
  return [...differ.values()].reduce((total, n) => total + n, 0);
}

/**
 * Faults of the lab or of the tool. That pages differ is the finding, not a fault; but only pages
 * that the device writes may, and a kernel that logs them must lose none when no request is in
 * flight at the start of logging.
 */
export function migrationFaults(one: Migration): string[] {
  const faults: string[] = [];
  const version = versionNumber(one.release);
  const device = (one.differ.get("data") ?? 0) + (one.differ.get("response") ?? 0);
  if (pages(one) > device) faults.push(`${pages(one) - device} pages differ that no device wrote`);
  const exact = version >= WAITS || (version >= PATCHED && one.load === "normal");
  if (exact && device > 0) faults.push(`${device} pages differ, and this kernel should lose none`);
  if (!exact && device === 0) faults.push("no page differs: this run shows nothing");
  const { missed } = one.verdict;
  if (missed.length > 0) {
    const first = missed.slice(0, 8).join(", ");
    faults.push(`${missed.length} pages differ that stale does not name: ${first}`);
  }
  return faults;
}

/**
 * One line a run: the pages that differ, and what `stale` says of the kernel that ran. A page that
 * is called stale and does not differ got the same bytes twice, or a shorter read than asked.
 */
export function migrationText(runs: readonly Migration[]): string {
  const head = [
    ...["migration on", "load", "pages differ", "data", "response"],
    ...["stale", "of them differ", "possibly", "of them differ", "not named"],
  ];
  const lines = runs.map((one) => {
    const { stale, possibly, differStale, differPossibly, missed } = one.verdict;
    const numbers = [
      ...[pages(one), one.differ.get("data") ?? 0, one.differ.get("response") ?? 0],
      ...[stale, differStale, possibly, differPossibly, missed.length],
    ];
    return [one.release, one.load, ...numbers.map(String)];
  });
  const notes = runs.flatMap((one) =>
    migrationFaults(one).map((fault) => `WRONG    ${one.release} ${one.load}: ${fault}`),
  );
  return [columns([head, ...lines]), ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}
