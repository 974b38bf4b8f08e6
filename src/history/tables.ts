/**
 * The tables of a history and their columns: the one list that the writer, the reader, the page and
 * docs/history.md go by.
 */

/** How the numbers of a column are kept once it is read. */
export type ColumnType = "u8" | "u16" | "u32" | "i32" | "f64";

export interface ColumnDefinition<Type extends ColumnType = ColumnType> {
  readonly type: Type;
  /** Differences of neighbours are kept, not the numbers. */
  readonly delta: boolean;
}

function plain<Type extends ColumnType>(type: Type): ColumnDefinition<Type> {
  return { type, delta: false };
}
function delta<Type extends ColumnType>(type: Type): ColumnDefinition<Type> {
  return { type, delta: true };
}

/** Times are nanoseconds from the header's `originNs`; pages are numbers of 4 KiB; -1 is "not known". */
export const TABLES = {
  /** Writes of devices, in the order of time. */
  writes: {
    ns: delta("f64"),
    page: delta("u32"),
    pages: plain("u32"),
    /** Serial of the request; 0 for a write to a ring. */
    request: delta("u32"),
    queue: delta("u32"),
    cause: delta("u8"),
    stream: delta("u16"),
    place: delta("f64"),
  },
  /** Requests, in the order in which they left their queue; those in flight at the end last. */
  requests: {
    serial: delta("u32"),
    queue: delta("u32"),
    head: delta("i32"),
    popNs: delta("f64"),
    usedNs: delta("f64"),
    state: delta("u8"),
    cause: delta("i32"),
    writeBytes: delta("f64"),
    readBytes: delta("f64"),
    lun: delta("i32"),
    opcode: delta("i32"),
    popStream: delta("i32"),
    popPlace: delta("f64"),
    usedStream: delta("i32"),
    usedPlace: delta("f64"),
  },
  /** Pages of a migration that were sent, arrived, or were dirtied by a vCPU; `kind`: SEND_KINDS. */
  sends: { ns: delta("f64"), page: delta("u32"), pages: plain("u32"), kind: delta("u8") },
  /** What pages become under the policies of `rows`; `state`: PAGE_STATES. */
  states: {
    ns: delta("f64"),
    page: delta("u32"),
    pages: plain("u32"),
    rows: delta("f64"),
    state: delta("u8"),
  },
  /** Pages of each round: `set` of ROUND_SETS, of the row `row`. */
  rounds: {
    round: delta("u32"),
    set: delta("u8"),
    row: delta("u8"),
    page: delta("u32"),
    pages: plain("u32"),
  },
  /** Pages of each migration's verdict: `set` of VERDICT_SETS, of the policy at `policy` in the header. */
  verdicts: {
    migration: delta("u32"),
    policy: delta("u8"),
    set: delta("u8"),
    page: delta("u32"),
    pages: plain("u32"),
  },
} as const satisfies Record<string, Record<string, ColumnDefinition>>;

export type TableName = keyof typeof TABLES;
export type ColumnName<Table extends TableName> = keyof (typeof TABLES)[Table] & string;

export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** By number, as in the tables. The first two are DrainSend and PageState of assembly/drain-abi.ts. */
export const SEND_KINDS = ["data", "zero", "arrival", "cpu"] as const;
export const PAGE_STATES = [
  "begin",
  "missing",
  "unsent",
  "possible",
  "healed",
  "healed-first-send",
  "healed-resend",
  "healed-log",
  "healed-cpu",
  "healed-stop",
  "likely",
] as const;
export const ROUND_SETS = ["written", "logged"] as const;
export const VERDICT_SETS = [
  "stale",
  "likely-stale",
  "possibly-stale",
  "first-send",
  "resend",
  "log",
  "cpu",
  "stop",
] as const;
/** RequestState of assembly/queue-abi.ts. */
export const REQUEST_STATES = ["in-flight", "completed", "dropped", "unknown-head"] as const;
