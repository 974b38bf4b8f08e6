/**
 * A fleet as one dataset: a row for each case, machine and policy, in folders by host and day as Hive
 * names them, which DuckDB, Spark and Trino read as columns.
 */
import { type FleetResult, partsOfPlan } from "../fleet/merge.ts";
import type { Part } from "../fleet/part.ts";
import type { Plan, PlanEntry } from "../fleet/plan.ts";
import type { ExportColumn, ExportValue, TableRows } from "./schema.ts";

const number = { type: "int64", nullable: true } as const;
const text = { type: "text", nullable: true } as const;

/** docs/fleet.md says what they are; `host` and `day` are in the names of folders. */
export const FLEET_COLUMNS = {
  case_index: { type: "int32", nullable: false },
  name: { type: "text", nullable: false },
  vm: text,
  status: { type: "text", nullable: false },
  error: text,
  duplicate_of: { type: "int32", nullable: true },
  content: text,
  machine: { type: "int32", nullable: true },
  verdict: { type: "boolean", nullable: true },
  may_be_more: text,
  may_be_less: text,
  written: number,
  migrations: number,
  policy: text,
  logged: number,
  lost: number,
  stale: number,
  possibly_stale: number,
} as const satisfies Record<string, ExportColumn>;

type Row = Record<keyof typeof FLEET_COLUMNS, ExportValue>;

/** What Hive calls a value that is not there. */
const NO_VALUE = "__HIVE_DEFAULT_PARTITION__";

/** Rows by folder, `host=h1/day=2026-11-26`, in the order of these names. */
export function fleetDataset(
  plan: Plan,
  parts: Iterable<Part>,
  result: FleetResult,
): Map<string, TableRows> {
  const byId = partsOfPlan(plan, parts);
  const duplicates = new Map(result.duplicates.map(({ index, of }) => [index, of]));
  const folders = new Map<string, Row[]>();
  for (const entry of plan.entries) {
    const folder = folderOf(entry);
    const rows = folders.get(folder) ?? [];
    rows.push(...rowsOf(entry, byId.get(entry.id), duplicates.get(entry.index) ?? null));
    folders.set(folder, rows);
  }
  return new Map(
    [...folders]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([folder, rows]) => [folder, asColumns(rows)]),
  );
}

function asColumns(rows: readonly Row[]): TableRows {
  const names = Object.keys(FLEET_COLUMNS) as (keyof Row)[];
  const columns = names.map((name) => [name, (row: number) => rows[row]![name]] as const);
  return { rows: rows.length, columns: Object.fromEntries(columns) };
}

/** A label that is a day, otherwise the day (UTC) on which the case's files were changed last. */
function folderOf({ labels, files }: PlanEntry): string {
  const changed = files.map((file) => file.changed).filter((time) => typeof time === "number");
  const last = Math.max(...changed);
  const told = Number.isFinite(last) ? new Date(last).toISOString().slice(0, 10) : undefined;
  return `host=${escaped(labels.host)}/day=${escaped(labels.day ?? told)}`;
}

function escaped(value: string | undefined): string {
  return value === undefined || value === "" ? NO_VALUE : encodeURIComponent(value);
}

const NOT_KNOWN = {
  ...{ machine: null, verdict: null, may_be_more: null, may_be_less: null, written: null },
  ...{ migrations: null, policy: null, logged: null, lost: null, stale: null },
  possibly_stale: null,
};

function rowsOf(entry: PlanEntry, part: Part | undefined, duplicateOf: number | null): Row[] {
  const { index, name, labels } = entry;
  const head = {
    ...{ case_index: index, name, vm: labels.vm ?? null, duplicate_of: duplicateOf },
    ...{ status: part?.status ?? "missing", content: part?.content ?? null },
    error: part?.status === "failed" ? part.error : null,
  };
  if (part?.status !== "ok" || part.machines.length === 0) return [{ ...head, ...NOT_KNOWN }];
  return part.machines.flatMap((machine) =>
    machine.policies.map((policy) => ({
      ...head,
      machine: machine.number,
      verdict: machine.verdict,
      may_be_more: machine.mayBeMore.join(",") || null,
      may_be_less: machine.mayBeLess.join(",") || null,
      written: machine.written,
      migrations: machine.migrations,
      policy: policy.name,
      logged: policy.logged,
      lost: policy.lost,
      stale: policy.stale,
      possibly_stale: policy.possiblyStale,
    })),
  );
}
