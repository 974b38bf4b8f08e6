/** Takes a replay as it runs and makes a history of it. */

import { DrainTable } from "../../assembly/drain-abi.ts";
import { RowSet } from "../../assembly/page-abi.ts";
import type { DrainedRows } from "../core/drain.ts";
import type { Row } from "../core/rows.ts";
import { machinesText } from "../model/machine-text.ts";
import type { MigrationVerdict } from "../model/migration-result.ts";
import { UsageError } from "../model/place.ts";
import type { DeviceSummary, PageRun, ReplayResult } from "../model/result.ts";
import type { ReplaySink, ReplayTables } from "../replay/replay-options.ts";
import { CAUSE_LIST, type CauseMask, causeName, hasCause, NOT_WRITTEN } from "../vhost/causes.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import { baseNames, withoutPaths } from "./base-names.ts";
import { layOut, pack } from "./container.ts";
import type {
  HistoryHeader,
  HistoryLevel,
  HistoryMachine,
  HistoryQueue,
  HistoryResult,
  HistoryStream,
} from "./header.ts";
import { SCHEMA } from "./header.ts";
import { logIntervals } from "./log-intervals.ts";
import { appendRows, DRAINED, newTable, type TableColumns } from "./table-writer.ts";
import { ROUND_SETS, TABLE_NAMES, type TableName, VERDICT_SETS } from "./tables.ts";
import type { ColumnWriter } from "./varint.ts";

const WRITTEN = ROUND_SETS.indexOf("written");
const LOGGED = ROUND_SETS.indexOf("logged");

/** Gaps that a header lists: a picture has no room for more. */
const MOST_GAPS = 10_000;

/** Give it to a replay as its sink; afterwards `finish` makes the document. */
export class HistoryWriter implements ReplaySink {
  readonly level: HistoryLevel;
  readonly #tables: { [Table in TableName]: TableColumns<Table> } = {
    writes: newTable("writes"),
    requests: newTable("requests"),
    sends: newTable("sends"),
    states: newTable("states"),
    rounds: newTable("rounds"),
    verdicts: newTable("verdicts"),
  };
  #origin: bigint | null = null;
  #rows: readonly Row[] = [];
  #streams: HistoryStream[] = [];
  #queues: HistoryQueue[] = [];
  readonly #gaps: string[] = [];

  /** Number of the machine that the rows are of; null: there is one. */
  readonly #number: number | null;

  /** How many policies it is of: the first of the replay. */
  readonly #policies: number;

  constructor(level: HistoryLevel, machine: number | null, policies: number) {
    this.level = level;
    this.#number = machine;
    this.#policies = policies;
  }

  get events(): boolean {
    return this.level === "events";
  }

  rows(rows: DrainedRows, firstNs: bigint): void {
    const tables = this.#tables;
    this.#origin ??= firstNs;
    appendRows(DrainTable.Writes, DRAINED.writes, tables.writes, rows, this.#origin);
    appendRows(DrainTable.Requests, DRAINED.requests, tables.requests, rows, this.#origin);
    appendRows(DrainTable.Sends, DRAINED.sends, tables.sends, rows, this.#origin);
    appendRows(DrainTable.States, DRAINED.states, tables.states, rows, this.#origin);
  }

  gap(ns: bigint): void {
    if (this.#gaps.length < MOST_GAPS) this.#gaps.push(ns.toString());
  }

  round({ core, rows }: ReplayTables, index: number): void {
    const { rounds } = this.#tables;
    const take = (set: number, row: number, runs: RowSet): void =>
      core.eachRun(row, runs, (page, pages) => {
        rounds.round.put(index);
        rounds.set.put(set);
        rounds.row.put(row);
        rounds.page.put(page);
        rounds.pages.put(pages);
      });
    rows.forEach((row, i) => {
      if (row.policy >= this.#policies) return;
      if (same(rows, row, "windowMask") === i) take(WRITTEN, i, RowSet.Written);
      if (same(rows, row, "logsMask") === i) take(LOGGED, i, RowSet.Logged);
    });
  }

  end(tables: ReplayTables): void {
    const { core, rows, streams, placeOf } = tables;
    this.#rows = rows;
    this.#streams = Array.from({ length: streams }, (_, stream) => streamOf(placeOf, stream));
    const find = tables.queueOf();
    for (let id = 0; id < core.exports.queues(); id++) {
      const { device, index } = find(id);
      this.#queues.push({ device, index });
    }
  }

  /** The document, not compressed. `policies`: those of the replay, in its order. */
  finish(
    replayed: ReplayResult,
    policies: readonly ChosenPolicy[],
    tool: { name: string; version: string },
  ): Uint8Array<ArrayBuffer> {
    const result = ofOneMachine(replayed, this.#number);
    result.migrations.forEach((migration, i) => {
      for (const verdict of migration.verdicts) this.#verdict(i, result, verdict);
    });
    const names = baseNames(result.inputs.map(({ name }) => name));
    const columns = TABLE_NAMES.flatMap((table) =>
      Object.values(this.#tables[table]).map((column: ColumnWriter) => column.pieces()),
    );
    const { extents, size } = layOut(columns);
    let next = 0;
    const tables = Object.fromEntries(
      TABLE_NAMES.map((table) => {
        const own = Object.entries<ColumnWriter>(this.#tables[table]);
        const rows = own[0]![1].count;
        return [
          table,
          { rows, columns: Object.fromEntries(own.map(([n]) => [n, extents[next++]!])) },
        ];
      }),
    ) as HistoryMachine["tables"];
    const firstNs = result.inputs.map((input) => input.firstNs).find((ns) => ns !== null);
    const header: HistoryHeader = {
      schema: SCHEMA,
      tool: { name: tool.name, version: tool.version },
      level: this.level,
      originNs: (this.#origin ?? firstNs ?? "0").toString(),
      causes: CAUSE_LIST.map((cause) => ({
        name: causeName(cause),
        written: !hasCause(NOT_WRITTEN, cause),
      })),
      streams: this.#streams,
      machines: [this.#machine(result, policies, tables)],
    };
    return pack(JSON.stringify(withoutPaths(header, names)), columns, extents, size);
  }

  #machine(
    result: HistoryResult,
    policies: readonly ChosenPolicy[],
    tables: HistoryMachine["tables"],
  ): HistoryMachine {
    const own = this.#rows.filter(
      ({ window, policy }) => window === result.window && policy < this.#policies,
    );
    return {
      ...{ number: result.number, pid: result.pid, name: result.name },
      result: withoutPages(result),
      window: result.window,
      policies: own.map((row) => {
        const { policy, alias } = policies[row.policy]!;
        return {
          name: policy.name,
          alias,
          title: policy.title,
          counts: causesIn(row.windowMask),
          logs: causesIn(row.logsMask),
          row: this.#rows.indexOf(row),
          loggedRow: same(this.#rows, row, "logsMask"),
          writtenRow: same(this.#rows, row, "windowMask"),
        };
      }),
      queues: this.#queues,
      gaps: this.#gaps,
      logging: result.devices.flatMap((device: DeviceSummary) =>
        logIntervals(device.logging, device.number),
      ),
      tables,
    };
  }

  #verdict(migration: number, result: HistoryResult, verdict: MigrationVerdict): void {
    const { verdicts } = this.#tables;
    const policy = result.policies.findIndex(({ name }) => name === verdict.policy);
    const put = (set: (typeof VERDICT_SETS)[number], runs: readonly PageRun[]): void => {
      for (const { gfn, pages } of runs) {
        verdicts.migration.put(migration);
        verdicts.policy.put(policy);
        verdicts.set.put(VERDICT_SETS.indexOf(set));
        verdicts.page.put(gfn);
        verdicts.pages.put(pages);
      }
    };
    put("stale", verdict.stale);
    put("likely-stale", verdict.likelyStale);
    put("possibly-stale", verdict.possiblyStale);
    for (const { by, runs } of verdict.healed) put(by, runs);
  }
}

function causesIn(mask: CauseMask): number[] {
  return CAUSE_LIST.filter((cause) => hasCause(mask, cause));
}

/** The first row of the same window that has the same mask. */
function same(rows: readonly Row[], row: Row, mask: "windowMask" | "logsMask"): number {
  return rows.findIndex((other) => other.window === row.window && other[mask] === row[mask]);
}

/** How a stream's places are written, from what it makes of one. */
function streamOf(placeOf: ReplayTables["placeOf"], stream: number): HistoryStream {
  const probe = 0x1234567;
  const { file, at } = placeOf(stream, probe);
  for (const radix of [10, 16]) {
    const digits = probe.toString(radix);
    if (at.endsWith(digits)) return { file, before: at.slice(0, -digits.length), radix };
  }
  throw new Error(`bug: a place is written ${at}`);
}

/** The columns are of one machine's pages. Throws UsageError where none, or more than one, is meant. */
function ofOneMachine(
  { inputs, machines, eventsReplayed }: ReplayResult,
  number: number | null,
): HistoryResult {
  const [machine, ...others] =
    number === null ? machines : machines.filter((one) => one.number === number);
  if (!machine || others.length > 0) {
    throw new UsageError(
      `a history is of one machine, and ${machinesText(machines)}: choose one with --machine`,
    );
  }
  return { ...machine, inputs, eventsReplayed };
}

/** A result without the pages of its verdicts, which are columns. */
function withoutPages(result: HistoryResult): HistoryResult {
  return {
    ...result,
    migrations: result.migrations.map((migration) => ({
      ...migration,
      verdicts: migration.verdicts.map((verdict) => ({
        ...verdict,
        stale: [],
        likelyStale: [],
        possiblyStale: [],
        healed: verdict.healed.map(({ by }) => ({ by, runs: [] })),
        pages: [],
      })),
    })),
  };
}
