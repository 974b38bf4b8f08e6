/**
 * The tables of an export and their columns: the one list that every writer, the views of `query` and
 * docs/exports.md go by.
 */

/** How a column's values are kept. Whole numbers of up to 32 and 64 bits, text, true or false. */
export type ColumnType = "int32" | "int64" | "text" | "boolean";

export interface ExportColumn<Nullable extends boolean = boolean> {
  readonly type: ColumnType;
  /** Null is "not known" or "does not apply", never 0. */
  readonly nullable: Nullable;
}

const int32 = { type: "int32", nullable: false } as const;
const int64 = { type: "int64", nullable: false } as const;
const text = { type: "text", nullable: false } as const;
const boolean = { type: "boolean", nullable: false } as const;
const orNull = <Type extends ColumnType>({ type }: { type: Type }) =>
  ({ type, nullable: true }) as const;

/**
 * Times are nanoseconds on the recording's clock, `gfn` is the number of a guest page of 4 KiB
 * (gpa >> 12). docs/exports.md says what each column is.
 */
export const EXPORT_TABLES = {
  machines: {
    machine: int32,
    pid: orNull(int32),
    name: orNull(text),
    log_window: text,
    verdict: boolean,
    certainty: text,
    written: orNull(int64),
    rounds_left_out: int64,
    findings_left_out: int64,
  },
  policies: {
    machine: int32,
    policy: text,
    title: text,
    what_if: boolean,
    logged: orNull(int64),
    lost: orNull(int64),
    still_lost: orNull(int64),
  },
  devices: {
    machine: int32,
    device: int32,
    driver: text,
    features: orNull(text),
  },
  queues: {
    machine: int32,
    device: int32,
    queue: orNull(int32),
    num: int64,
    popped: int64,
    completed: int64,
    unknown_head: int64,
    rejected: int64,
    dropped: int64,
    in_flight_at_end: int64,
    lost_completions: int64,
    write_descriptors: int64,
    write_bytes: int64,
  },
  requests: {
    machine: int32,
    request: int64,
    device: int32,
    queue: orNull(int32),
    head: orNull(int32),
    pop_ns: orNull(int64),
    used_ns: orNull(int64),
    state: text,
    cause: orNull(text),
    write_bytes: int64,
    read_bytes: int64,
    lun: orNull(int32),
    opcode: orNull(int32),
    pop_stream: orNull(text),
    pop_place: orNull(int64),
    used_stream: orNull(text),
    used_place: orNull(int64),
  },
  writes: {
    machine: int32,
    ns: int64,
    gfn: int64,
    pages: int64,
    request: orNull(int64),
    device: int32,
    queue: orNull(int32),
    cause: text,
    stream: text,
    place: int64,
  },
  rounds: {
    machine: int32,
    round: int32,
    policy: text,
    sync: orNull(int64),
    sync_ns: orNull(int64),
    written: orNull(int64),
    logged: orNull(int64),
    lost: orNull(int64),
    extra: orNull(int64),
    newly_lost: orNull(int64),
    still_lost: orNull(int64),
    sent: orNull(int64),
    caveats: int32,
  },
  round_pages: {
    machine: int32,
    round: int32,
    policy: text,
    page_set: text,
    gfn: int64,
    pages: int64,
  },
  pages: {
    machine: int32,
    migration: orNull(int32),
    policy: text,
    page_set: text,
    healed_by: orNull(text),
    gfn: int64,
    pages: int64,
  },
  migrations: {
    machine: int32,
    migration: int32,
    source: text,
    outcome: text,
    log_on_ns: int64,
    first_sync_ns: orNull(int64),
    stopped_ns: orNull(int64),
    postcopy_ns: orNull(int64),
    end_ns: orNull(int64),
    syncs: int64,
    sent_data: int64,
    sent_zero: int64,
    sent_unplaced: int64,
    send_times: text,
    cpu_dirtied: int64,
  },
  verdicts: {
    machine: int32,
    migration: int32,
    policy: text,
    stale: orNull(int64),
    at_most_likely: orNull(int64),
    at_most: orNull(int64),
    what_if: boolean,
  },
  sends: {
    machine: int32,
    ns: int64,
    gfn: int64,
    pages: int64,
    kind: text,
  },
  findings: {
    machine: int32,
    code: text,
    policy: text,
    device: int32,
    queue: orNull(int32),
    cause: text,
    round: int32,
    rounds: int64,
    pages: int64,
    requests: int64,
    certainty: text,
    first_ns: int64,
    first_gpa: int64,
    first_request: orNull(int64),
    first_place: text,
  },
  limits: {
    machine: int32,
    code: text,
    effect: orNull(text),
    sentence: text,
    places: int32,
  },
} as const satisfies Record<string, Record<string, ExportColumn>>;

export type ExportTable = keyof typeof EXPORT_TABLES;
type Columns<Table extends ExportTable> = (typeof EXPORT_TABLES)[Table];
export type ExportColumnName<Table extends ExportTable> = keyof Columns<Table> & string;

export const EXPORT_TABLE_NAMES = Object.keys(EXPORT_TABLES) as ExportTable[];

interface ValueTypes {
  int32: number;
  int64: number | bigint;
  text: string;
  boolean: boolean;
}
type ValueOf<Column> = Column extends { type: infer Type extends ColumnType; nullable: infer Null }
  ? ValueTypes[Type] | (Null extends true ? null : never)
  : never;

/** Any value of a row. */
export type ExportValue = number | bigint | string | boolean | null;

/** Rows of a table as columns: what stands in row `i` of each. */
export interface TableRows {
  readonly rows: number;
  readonly columns: Readonly<Record<string, (row: number) => ExportValue>>;
}

/** Columns of rows that are plain objects, which are few. */
export function ofObjects<Table extends ExportTable>(
  table: Table,
  rows: readonly { [Name in ExportColumnName<Table>]: ValueOf<Columns<Table>[Name]> }[],
): TableRows {
  const columns = Object.keys(EXPORT_TABLES[table]).map((name) => [
    name,
    (row: number) => rows[row]![name as ExportColumnName<Table>],
  ]);
  return { rows: rows.length, columns: Object.fromEntries(columns) };
}

/** Columns that look up their values, of rows that are many. */
export function ofColumns<Table extends ExportTable>(
  _table: Table,
  rows: number,
  columns: { [Name in ExportColumnName<Table>]: (row: number) => ValueOf<Columns<Table>[Name]> },
): TableRows {
  return { rows, columns };
}
