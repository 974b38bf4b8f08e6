/** Tables as CSV (RFC 4180): a line of names, then a line a row; null is an empty field. */
import { EXPORT_TABLES, type ExportTable, type ExportValue, type TableRows } from "./schema.ts";

/** Rows that become text at once. */
const ROWS = 10_000;

/** The lines of a table, some thousand at a time. */
export function* csvOf(table: ExportTable, pieces: Iterable<TableRows>): Generator<string> {
  const names = Object.keys(EXPORT_TABLES[table]);
  yield `${names.join(",")}\r\n`;
  for (const { rows, columns } of pieces) {
    const readers = names.map((name) => columns[name]!);
    for (let from = 0; from < rows; from += ROWS) {
      let text = "";
      for (let row = from; row < Math.min(rows, from + ROWS); row++) {
        text += `${readers.map((read) => field(read(row))).join(",")}\r\n`;
      }
      yield text;
    }
  }
}

/** Empty text is quoted: it is not null. */
function field(value: ExportValue): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  return value === "" || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
