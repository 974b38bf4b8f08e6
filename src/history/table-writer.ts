/** From rows of the core to columns: which field of a row is which column. */
import {
  DRAIN_CAUSE,
  DRAIN_HEAD,
  DRAIN_KIND,
  DRAIN_LUN,
  DRAIN_OPCODE,
  DRAIN_PAGE,
  DRAIN_PAGES,
  DRAIN_PLACE,
  DRAIN_POP_PLACE,
  DRAIN_POP_STREAM,
  DRAIN_POP_TS,
  DRAIN_QUEUE,
  DRAIN_READ_BYTES,
  DRAIN_REQUEST,
  DRAIN_REQUEST_CAUSE,
  DRAIN_REQUEST_QUEUE,
  DRAIN_ROWS,
  DRAIN_SERIAL,
  DRAIN_STATE,
  DRAIN_STATE_KIND,
  DRAIN_STREAM,
  DRAIN_TS,
  DRAIN_USED_PLACE,
  DRAIN_USED_STREAM,
  DRAIN_USED_TS,
  DRAIN_WRITE_BYTES,
  DrainField,
  type DrainTable,
} from "../../assembly/drain-abi.ts";
import type { DrainedRows } from "../core/drain.ts";
import { type ColumnName, TABLES, type TableName } from "./tables.ts";
import { ColumnWriter } from "./varint.ts";

/** The columns of one table. */
export type TableColumns<Table extends TableName> = Record<ColumnName<Table>, ColumnWriter>;

/** Empty columns of a table. */
export function newTable<Table extends TableName>(table: Table): TableColumns<Table> {
  const columns = Object.entries(TABLES[table]).map(([name, { delta }]) => [
    name,
    new ColumnWriter(delta),
  ]);
  return Object.fromEntries(columns);
}

/** Where in a row a column's number is, in bytes, and what it is there. */
type Field = readonly [offset: number, field: DrainField];

const WRITES: Record<ColumnName<"writes">, Field> = {
  ns: [DRAIN_TS, DrainField.Time],
  page: [DRAIN_PAGE, DrainField.U32],
  pages: [DRAIN_PAGES, DrainField.U32],
  request: [DRAIN_REQUEST, DrainField.U32],
  queue: [DRAIN_QUEUE, DrainField.U32],
  cause: [DRAIN_CAUSE, DrainField.U16],
  stream: [DRAIN_STREAM, DrainField.U16],
  place: [DRAIN_PLACE, DrainField.U64],
};
const REQUESTS: Record<ColumnName<"requests">, Field> = {
  serial: [DRAIN_SERIAL, DrainField.U32],
  queue: [DRAIN_REQUEST_QUEUE, DrainField.U32],
  head: [DRAIN_HEAD, DrainField.I32],
  popNs: [DRAIN_POP_TS, DrainField.Time],
  usedNs: [DRAIN_USED_TS, DrainField.Time],
  state: [DRAIN_STATE, DrainField.U32],
  cause: [DRAIN_REQUEST_CAUSE, DrainField.I32],
  writeBytes: [DRAIN_WRITE_BYTES, DrainField.U64],
  readBytes: [DRAIN_READ_BYTES, DrainField.U64],
  lun: [DRAIN_LUN, DrainField.I32],
  opcode: [DRAIN_OPCODE, DrainField.I32],
  popStream: [DRAIN_POP_STREAM, DrainField.Stream],
  popPlace: [DRAIN_POP_PLACE, DrainField.U64],
  usedStream: [DRAIN_USED_STREAM, DrainField.Stream],
  usedPlace: [DRAIN_USED_PLACE, DrainField.U64],
};
const SENDS: Record<ColumnName<"sends">, Field> = {
  ns: [DRAIN_TS, DrainField.Time],
  page: [DRAIN_PAGE, DrainField.U32],
  pages: [DRAIN_PAGES, DrainField.U32],
  kind: [DRAIN_KIND, DrainField.U32],
};
const STATES: Record<ColumnName<"states">, Field> = {
  ns: [DRAIN_TS, DrainField.Time],
  page: [DRAIN_PAGE, DrainField.U32],
  pages: [DRAIN_PAGES, DrainField.U32],
  rows: [DRAIN_ROWS, DrainField.U32],
  state: [DRAIN_STATE_KIND, DrainField.U32],
};

/** Layout of the rows that the core drains. */
export const DRAINED = { writes: WRITES, requests: REQUESTS, sends: SENDS, states: STATES };

/** Appends rows to the columns of their table. */
export function appendRows<Table extends keyof typeof DRAINED>(
  which: DrainTable,
  fields: (typeof DRAINED)[Table],
  columns: TableColumns<Table>,
  rows: DrainedRows,
  originNs: bigint,
): void {
  const count = rows.length(which);
  if (count === 0) return;
  for (const [name, [offset, field]] of Object.entries(fields) as [ColumnName<Table>, Field][]) {
    const column: ColumnWriter = columns[name];
    const { bytes, last } = rows.encode(which, offset, field, column.delta, column.last, originNs);
    column.append(bytes, count, last);
  }
}
