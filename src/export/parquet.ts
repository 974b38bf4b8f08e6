/**
 * Tables as Apache Parquet, written by hyparquet-writer. Numbers are packed as differences, which made
 * the writes of a 1 GB recording a third as large; text has a dictionary.
 */

import type { BasicType, ColumnSource } from "hyparquet-writer";
import { ParquetWriter, schemaFromColumnData, type Writer } from "hyparquet-writer";
import type { ColumnType, ExportColumn, ExportValue, TableRows } from "./schema.ts";

/** Rows of a group: its columns are in memory at once. */
const GROUP_ROWS = 250_000;

const TYPES: Readonly<Record<ColumnType, BasicType>> = {
  int32: "INT32",
  int64: "INT64",
  text: "STRING",
  boolean: "BOOLEAN",
};

/**
 * Writes rows as one Parquet file. `gzip` compresses the pages. Rows of several pieces are told apart by
 * nothing but their values.
 */
export async function writeParquet(
  writer: Writer,
  definition: Readonly<Record<string, ExportColumn>>,
  pieces: Iterable<TableRows>,
  gzip: (bytes: Uint8Array) => Uint8Array,
  createdBy: string,
): Promise<void> {
  const empty = columnsOf(definition, { rows: 0, columns: {} }, 0, 0);
  const file = new ParquetWriter({
    writer,
    schema: schemaFromColumnData({ columnData: empty }),
    codec: "GZIP",
    compressors: { GZIP: gzip },
    createdBy,
  });
  for (const piece of pieces) {
    for (let from = 0; from < piece.rows; from += GROUP_ROWS) {
      const rows = Math.min(GROUP_ROWS, piece.rows - from);
      await file.write({
        columnData: columnsOf(definition, piece, from, rows),
        rowGroupSize: GROUP_ROWS,
      });
    }
  }
  await file.finish();
}

function columnsOf(
  definition: Readonly<Record<string, ExportColumn>>,
  piece: TableRows,
  from: number,
  rows: number,
): ColumnSource[] {
  return Object.entries(definition).map(([name, { type, nullable }]) => {
    const data = new Array<ExportValue>(rows);
    const read = rows > 0 ? piece.columns[name]! : () => null;
    for (let i = 0; i < rows; i++) {
      const value = read(from + i);
      data[i] = type === "int64" && typeof value === "number" ? BigInt(value) : value;
    }
    const numbers = type === "int32" || type === "int64";
    const anything = data.some((value) => value !== null);
    return {
      ...{ name, data, type: TYPES[type], nullable },
      ...(numbers && anything ? { encoding: "DELTA_BINARY_PACKED" as const } : {}),
    };
  });
}
