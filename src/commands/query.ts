/** `query`: SQL over everything that happened, by DuckDB over the tables of `export`. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { EXPORT_TABLE_NAMES } from "../export/schema.ts";
import { readHistory } from "../history/index.ts";
import { UsageError } from "../model/place.ts";
import { type Database, openDatabase, type SqlAnswer } from "../node/duckdb.ts";
import { jsonText } from "../report/json/json-text.ts";
import { answerLines, QUERY_SCHEMA } from "../report/text/sql-text.ts";
import { printable } from "../report/text/text-layout.ts";
import { type CommonArguments, windowOf } from "./shared/arguments.ts";
import { writeTablesInto } from "./shared/export-files.ts";
import { EXIT, type Io } from "./shared/io.ts";
import { kernelThatRan, policiesOf } from "./shared/kernel.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface QueryArguments extends CommonArguments, Pick<MigrationArguments, "ran"> {
  /** Absent: statements are read from standard input. */
  sql?: string;
  policy?: string[];
  assumeLogging?: boolean;
}

/** Text of a place, from the two columns that tables have of it. */
const PLACE_MACRO = `CREATE MACRO place(stream, number) AS
  stream || CASE WHEN ends_with(stream, '0x') THEN printf('%x', number) ELSE number::VARCHAR END`;

/** Prints the answers of the statements; returns 0. */
export async function run(api: ReplayApi, io: Io, args: QueryArguments): Promise<number> {
  if (args.sql === undefined && args.recordings.includes("-")) {
    throw new UsageError("query: standard input is the recording; give the SQL as an argument");
  }
  const database = await openDatabase(io.signal);
  const folder = await mkdtemp(join(tmpdir(), "vhost-replay-query-"));
  try {
    // Before a replay that may take minutes.
    if (args.sql !== undefined) await database.parse(args.sql);
    await fill(api, io, args, database, folder);
    if (args.sql === undefined) await converse(database, io, args);
    else await answer(database, io, args, args.sql);
    return EXIT.ok;
  } finally {
    database.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A view a table, over Parquet files in the folder. */
async function fill(
  api: ReplayApi,
  io: Io,
  args: QueryArguments,
  database: Database,
  folder: string,
): Promise<void> {
  const own = { window: windowOf(args.assumeLogging, "auto"), ...commonOptions(io, args) };
  const { bytes } = await openSession(api, io, args).read(async (recording) => {
    const kernel = await kernelThatRan(api, args, recording);
    const policies = policiesOf(api, io, args, kernel);
    const ran = kernel ? { ran: kernel.policy } : {};
    return api.history(recording, { ...own, policies, ...ran }, "events");
  });
  await writeTablesInto(readHistory("history", bytes), folder, api.tool.name);
  const views = EXPORT_TABLE_NAMES.map((table) => {
    const file = join(folder, `${table}.parquet`).replaceAll("'", "''");
    return `CREATE VIEW ${table} AS SELECT * FROM read_parquet('${file}')`;
  });
  for await (const { rows } of database.ask([...views, PLACE_MACRO].join(";"))) {
    for await (const _ of rows);
  }
}

async function answer(database: Database, io: Io, args: QueryArguments, sql: string) {
  for await (const one of database.ask(sql)) await print(io, args, one);
}

async function print(io: Io, args: QueryArguments, { columns, rows }: SqlAnswer): Promise<void> {
  if (!args.json) {
    for await (const text of answerLines({ columns, rows })) await io.out(text);
    return;
  }
  const head = JSON.stringify({ schema: QUERY_SCHEMA, columns });
  let before = `${head.slice(0, -1)},"rows":[`;
  for await (const chunk of rows) {
    for (const row of chunk) {
      await io.out(`${before}\n${jsonText(row)}`);
      before = ",";
    }
  }
  await io.out(`${before === "," ? "" : before}\n]}\n`);
}

/** Statements from standard input, each up to its semicolon; a wrong one does not end it at a terminal. */
async function converse(database: Database, io: Io, args: QueryArguments): Promise<void> {
  const atTerminal = process.stdin.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    ...(atTerminal ? { output: process.stderr, prompt: "sql> " } : {}),
  });
  let closed = false;
  lines.once("close", () => {
    closed = true;
  });
  /** Node.js 24 refuses a prompt once the input has ended. */
  const prompt = (): void => {
    if (atTerminal && !closed) lines.prompt();
  };
  const stop = (): void => lines.close();
  io.signal?.addEventListener("abort", stop, { once: true });
  lines.on("SIGINT", stop);
  const ask = async (sql: string): Promise<void> => {
    try {
      await answer(database, io, args, sql);
    } catch (error) {
      if (!atTerminal || !(error instanceof UsageError)) throw error;
      io.err(`${printable(error.message)}\n`);
    }
  };
  if (atTerminal) io.err(`Tables: ${EXPORT_TABLE_NAMES.join(", ")}. A statement ends with ;\n`);
  let statement = "";
  prompt();
  for await (const line of lines) {
    statement += `${line}\n`;
    if (line.trimEnd().endsWith(";")) {
      await ask(statement);
      statement = "";
    }
    prompt();
  }
  if (statement.trim() !== "") await ask(statement);
  if (atTerminal) io.err("\n");
}
