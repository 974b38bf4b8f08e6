/** Reads a history: the header, checked, and columns as typed arrays, decoded when they are asked for. */
import { atByte, RecordingError } from "../model/place.ts";
import type { HealedBy, PageRun } from "../model/result.ts";
import { unpack } from "./container.ts";
import { type HistoryHeader, type HistoryMachine, type HistoryResult, SCHEMA } from "./header.ts";
import {
  type ColumnDefinition,
  type ColumnName,
  type ColumnType,
  TABLE_NAMES,
  TABLES,
  type TableName,
  VERDICT_SETS,
} from "./tables.ts";
import { type Numbers, readColumn } from "./varint.ts";

/** A table's columns, all of the same length. */
export type HistoryTable<Table extends TableName> = { readonly length: number } & {
  readonly [Column in ColumnName<Table>]: NumbersOf<(typeof TABLES)[Table][Column]>;
};

interface ArrayTypes {
  u8: Uint8Array;
  u16: Uint16Array;
  u32: Uint32Array;
  i32: Int32Array;
  f64: Float64Array;
}
type NumbersOf<Definition> = Definition extends { type: infer T extends ColumnType }
  ? ArrayTypes[T]
  : never;

/** One guest of a history. */
export interface MachineHistory extends Omit<HistoryMachine, "tables"> {
  /** The answer of the replay; its verdicts have their pages, but not the single writes to blame. */
  readonly result: HistoryResult;
  /** A table; decoded on first use. Throws RecordingError where its bytes are damaged. */
  table<Table extends TableName>(table: Table): HistoryTable<Table>;
}

export interface History extends Omit<HistoryHeader, "machines"> {
  readonly machines: readonly MachineHistory[];
}

const ARRAYS: Record<ColumnType, new (length: number) => Numbers> = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f64: Float64Array,
};

/**
 * Reads a history whose compression was taken off. `name` stands in errors. Throws RecordingError for
 * what is no history, of another version, or damaged.
 */
export function readHistory(name: string, bytes: Uint8Array): History {
  const { header, columns } = unpack(name, bytes);
  checkHeader(name, header, columns.length);
  try {
    return {
      ...header,
      machines: header.machines.map((machine) => readMachine(name, machine, columns)),
    };
  } catch (error) {
    if (error instanceof RecordingError) throw error;
    // What `checkHeader` does not look at: the answer's own parts.
    const found = error instanceof Error ? error.message : String(error);
    throw new RecordingError({ file: name, at: "" }, "an intact answer in the header", found);
  }
}

function readMachine(name: string, machine: HistoryMachine, columns: Uint8Array): MachineHistory {
  const tables = new Map<TableName, unknown>();
  const table = <Table extends TableName>(which: Table): HistoryTable<Table> => {
    let found = tables.get(which);
    if (!found) {
      found = readTable(name, machine, which, columns);
      tables.set(which, found);
    }
    return found as HistoryTable<Table>;
  };
  const { tables: _, ...rest } = machine;
  return { ...rest, result: withPages(machine.result, table("verdicts")), table };
}

function readTable(
  name: string,
  machine: HistoryMachine,
  which: TableName,
  columns: Uint8Array,
): Record<string, unknown> {
  const { rows, columns: extents } = machine.tables[which];
  const table: Record<string, unknown> = { length: rows };
  const definitions: Record<string, ColumnDefinition> = TABLES[which];
  for (const [column, { type, delta }] of Object.entries(definitions)) {
    const { offset, bytes } = extents[column]!;
    const into = new ARRAYS[type](rows);
    if (!readColumn(columns.subarray(offset, offset + bytes), delta, into)) {
      const place = { file: name, at: atByte(offset) };
      throw new RecordingError(place, `${rows} numbers of ${which}.${column}`, `${bytes} bytes`);
    }
    table[column] = into;
  }
  return table;
}

/** The verdicts with their pages. */
function withPages(result: HistoryResult, verdicts: HistoryTable<"verdicts">): HistoryResult {
  const migrations = result.migrations.map((migration) => ({
    ...migration,
    verdicts: migration.verdicts.map((verdict) => ({
      ...verdict,
      stale: [] as PageRun[],
      possiblyStale: [] as PageRun[],
      healed: [] as { by: HealedBy; runs: PageRun[] }[],
    })),
  }));
  for (let i = 0; i < verdicts.length; i++) {
    const policy = result.policies[verdicts.policy[i]!]?.name;
    const verdict = migrations[verdicts.migration[i]!]?.verdicts.find((v) => v.policy === policy);
    const set = VERDICT_SETS[verdicts.set[i]!];
    if (!verdict || !set) continue;
    const run = { gfn: verdicts.page[i]!, pages: verdicts.pages[i]! };
    if (set === "stale") verdict.stale.push(run);
    else if (set === "possibly-stale") verdict.possiblyStale.push(run);
    else {
      let healed = verdict.healed.find(({ by }) => by === set);
      if (!healed) {
        healed = { by: set, runs: [] };
        verdict.healed.push(healed);
      }
      healed.runs.push(run);
    }
  }
  return { ...result, migrations };
}

/** A column's rows take at least a byte each, so a header cannot ask for more memory than it has bytes. */
function checkHeader(name: string, header: unknown, size: number): asserts header is HistoryHeader {
  const refuse = (expected: string, found?: string): never => {
    throw new RecordingError({ file: name, at: "" }, expected, found);
  };
  const { schema, machines, streams } = (header ?? {}) as Partial<HistoryHeader>;
  if (schema !== SCHEMA) refuse(`a history of schema ${SCHEMA}`, String(schema).slice(0, 60));
  if (!Array.isArray(machines) || machines.length === 0) refuse("a machine in the history");
  if (!Array.isArray(streams)) refuse("streams in the history's header");
  for (const machine of machines as Partial<HistoryMachine>[]) {
    const lists = [machine?.policies, machine?.queues, machine?.logging, machine?.gaps];
    if (!lists.every(Array.isArray) || typeof machine.result !== "object") {
      refuse("policies and a result in the history's header");
    }
    for (const table of TABLE_NAMES) {
      const { rows = -1, columns = {} } = machine.tables?.[table] ?? {};
      for (const column of Object.keys(TABLES[table])) {
        const { offset, bytes } = columns?.[column] ?? { offset: -1, bytes: 0 };
        const fits = offset >= 0 && bytes >= rows && offset + bytes <= size;
        if (!Number.isInteger(rows) || rows < 0 || !fits) {
          refuse(`a column ${table}.${column} inside the file`, `${offset}+${bytes} of ${size}`);
        }
      }
    }
  }
}
