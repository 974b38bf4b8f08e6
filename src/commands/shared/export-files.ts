/** Exports as files and folders: each is there whole or not at all. */
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Writer } from "hyparquet-writer";
import { csvOf } from "../../export/csv.ts";
import { FLEET_COLUMNS } from "../../export/fleet-dataset.ts";
import { fileNameOf, namedSets, SETS_SCHEMA } from "../../export/page-sets.ts";
import { roaringOf } from "../../export/roaring.ts";
import {
  EXPORT_TABLE_NAMES,
  EXPORT_TABLES,
  type ExportColumn,
  type TableRows,
} from "../../export/schema.ts";
import { piecesOf } from "../../export/tables.ts";
import type { History } from "../../history/index.ts";
import { newFolder } from "../../node/new-folder.ts";
import { jsonDocument } from "../../report/json/result-json.ts";

const countRows = (pieces: readonly TableRows[]): number =>
  pieces.reduce((sum, { rows }) => sum + rows, 0);

/** A folder with a Parquet file a table; returns the number of rows. */
export async function writeTables(
  history: History,
  folder: string,
  createdBy: string,
): Promise<number> {
  let rows = 0;
  await newFolder(folder, async (unfinished) => {
    rows = await writeTablesInto(history, unfinished, createdBy);
  });
  return rows;
}

/** The same in a folder that is there. */
export async function writeTablesInto(
  history: History,
  folder: string,
  createdBy: string,
): Promise<number> {
  let rows = 0;
  for (const table of EXPORT_TABLE_NAMES) {
    const pieces = piecesOf(history, table);
    rows += countRows(pieces);
    await writeParquetFile(
      join(folder, `${table}.parquet`),
      EXPORT_TABLES[table],
      pieces,
      createdBy,
    );
  }
  return rows;
}

/** A dataset in folders by host and day, a Parquet file each. */
export async function writeDataset(
  folder: string,
  folders: ReadonlyMap<string, TableRows>,
  createdBy: string,
): Promise<void> {
  await newFolder(folder, async (unfinished) => {
    for (const [name, rows] of folders) {
      await mkdir(join(unfinished, name), { recursive: true });
      const file = join(unfinished, name, "cases.parquet");
      await writeParquetFile(file, FLEET_COLUMNS, [rows], createdBy);
    }
  });
}

/** One Parquet file. */
export async function writeParquetFile(
  path: string,
  definition: Readonly<Record<string, ExportColumn>>,
  pieces: readonly TableRows[],
  createdBy: string,
): Promise<void> {
  const [{ ByteWriter }, { writeParquet }] = await Promise.all([
    import("hyparquet-writer"),
    import("../../export/parquet.ts"),
  ]);
  const file = openSync(path, "wx");
  try {
    const writer = fileWriter(new ByteWriter(), file);
    await writeParquet(writer, definition, pieces, (bytes) => gzipSync(bytes), createdBy);
  } finally {
    closeSync(file);
  }
}

/** Buffers a row group, then hands it to the file: the library's own writer ignores short writes. */
function fileWriter(
  buffer: Writer & { getBytes(): Uint8Array; index: number },
  file: number,
): Writer {
  const flush = (): void => {
    const bytes = buffer.getBytes();
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    buffer.index = 0;
  };
  return Object.assign(buffer, { flush, finish: flush });
}

/** A folder with a CSV file a table; returns the number of rows. */
export async function writeCsv(history: History, folder: string): Promise<number> {
  let rows = 0;
  await newFolder(folder, async (unfinished) => {
    for (const table of EXPORT_TABLE_NAMES) {
      const pieces = piecesOf(history, table);
      rows += countRows(pieces);
      await writeFile(join(unfinished, `${table}.csv`), csvOf(table, pieces));
    }
  });
  return rows;
}

/** A folder with a Roaring bitmap a set, and an index of them; returns the number of sets. */
export async function writeRoaring(history: History, folder: string): Promise<number> {
  const sets: unknown[] = [];
  await newFolder(folder, async (unfinished) => {
    for (const named of namedSets(history)) {
      const file = fileNameOf(named);
      const bytes = roaringOf(named.runs);
      await writeFile(join(unfinished, file), bytes, { flag: "wx" });
      const { machine, migration, policy, set, runs } = named;
      sets.push({ ...{ file, machine, migration, policy, set }, pages: runs.pages });
    }
    const index = { schema: SETS_SCHEMA, pageBytes: 4096, sets };
    await writeFile(join(unfinished, "index.json"), jsonDocument(index));
  });
  return sets.length;
}

/** A trace for Perfetto. */
export async function writePerfettoFile(history: History, path: string): Promise<void> {
  const { writePerfetto } = await import("../../export/perfetto.ts");
  const unfinished = `${path}.part`;
  try {
    const file = await open(unfinished, "w");
    try {
      writePerfetto(history, (bytes) => {
        for (let at = 0; at < bytes.length; ) at += writeSync(file.fd, bytes, at);
      });
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
