/** All tables of an export, of all machines of a history. */
import type { History, MachineHistory } from "../history/index.ts";
import { HISTORY_TABLES } from "./history-tables.ts";
import { RESULT_TABLES } from "./result-tables.ts";
import type { ExportTable, TableRows } from "./schema.ts";

/** The rows of a table: a piece for each machine, in their order. */
export function piecesOf(history: History, table: ExportTable): TableRows[] {
  return history.machines.map((machine) => rowsOf(history, machine, table));
}

function rowsOf(history: History, machine: MachineHistory, table: ExportTable): TableRows {
  if (table in HISTORY_TABLES) {
    return HISTORY_TABLES[table as keyof typeof HISTORY_TABLES](history, machine);
  }
  return RESULT_TABLES[table as keyof typeof RESULT_TABLES](machine.result);
}
