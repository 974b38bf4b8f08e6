/** The table at the end. */
import type { Verdict } from "./check.ts";

export interface Row {
  release: string;
  scenario: string;
  form: string;
  verdict: Verdict;
}

/** Cells below each other, two blanks between. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, index) =>
    Math.max(...rows.map((row) => (row[index] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export const FORM_NAMES: Record<string, string> = { regs: "register", btf: "member" };

/** One line a recording, then what is wrong and what is inexact, then the sums. */
export function tableText(rows: readonly Row[]): string {
  const head = [
    "kernel",
    "scenario",
    "probes",
    "equal",
    "different",
    "inexact",
    "identify answers",
  ];
  const lines = rows.map(({ release, scenario, form, verdict }) => [
    release,
    scenario,
    FORM_NAMES[form] ?? form,
    `${verdict.equal} of ${verdict.syncs}`,
    String(verdict.different.length || ""),
    String(verdict.inexact.length || ""),
    verdict.identified,
  ]);
  const notes = rows.flatMap(({ release, scenario, form, verdict }) => {
    const where = `${release} ${scenario} (${FORM_NAMES[form] ?? form})`;
    return [
      ...verdict.wrong.map((text) => `WRONG    ${where}: ${text}`),
      ...verdict.notes.map((text) => `note     ${where}: ${text}`),
      ...verdict.inexact.map(({ sync, reason }) => `inexact  ${where}: sync ${sync}: ${reason}`),
    ];
  });
  const sum = (count: (verdict: Verdict) => number): number =>
    rows.reduce((total, { verdict }) => total + count(verdict), 0);
  const total =
    `${rows.length} recordings, ${sum(({ syncs }) => syncs)} syncs: ${sum(({ equal }) => equal)} equal, ` +
    `${sum(({ inexact }) => inexact.length)} inexact with the reason named, ` +
    `${sum(({ different }) => different.length)} different; ` +
    `${rows.filter(({ verdict }) => verdict.wrong.length > 0).length} recordings wrong`;
  return [columns([head, ...lines]), "", ...notes, ...(notes.length > 0 ? [""] : []), total].join(
    "\n",
  );
}
