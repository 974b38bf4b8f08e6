/** DuckDB, where it is installed: an optional peer, loaded when a query is asked and never otherwise. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { UsageError } from "../model/place.ts";

/** A value as JSON has it: whole numbers beyond 2^53 and times as text. */
export type SqlValue =
  | null
  | boolean
  | number
  | string
  | readonly SqlValue[]
  | { readonly [key: string]: SqlValue };

export interface SqlColumn {
  name: string;
  /** As SQL names it: `BIGINT`, `VARCHAR`. */
  type: string;
}

/** Answers of one statement, some thousand rows at a time. */
export interface SqlAnswer {
  columns: readonly SqlColumn[];
  rows: AsyncIterable<readonly (readonly SqlValue[])[]>;
}

export interface Database {
  /** Throws UsageError for what is no SQL; tables are not looked for. */
  parse(sql: string): Promise<void>;
  /** Runs the statements of a text one after the other. Throws UsageError where one cannot be run. */
  ask(sql: string): AsyncIterable<SqlAnswer>;
  close(): void;
}

/** A database in memory. Throws UsageError, with what to install, where DuckDB is not. */
export async function openDatabase(signal?: AbortSignal): Promise<Database> {
  const { DuckDBInstance } = await loadDuckDb();
  // Nothing is fetched from anywhere because a query names it.
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
  });
  const connection = await instance.connect();
  const stop = (): void => connection.interrupt();
  signal?.addEventListener("abort", stop, { once: true });
  return {
    async parse(sql) {
      await told(() => connection.extractStatements(sql), signal);
    },
    ask: (sql) => statementsOf(connection, sql, signal),
    close() {
      signal?.removeEventListener("abort", stop);
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function loadDuckDb(): Promise<typeof import("@duckdb/node-api")> {
  try {
    return await import("@duckdb/node-api");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const absent = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
    throw new UsageError(
      `query needs DuckDB beside vhost-replay: npm install @duckdb/node-api (about 70 MB)${absent ? "" : `; the one that is here does not load: ${message.split("\n")[0]}`}`,
    );
  }
}

async function* statementsOf(
  connection: DuckDBConnection,
  sql: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<SqlAnswer> {
  const statements = await told(() => connection.extractStatements(sql), signal);
  for (let i = 0; i < statements.count; i++) {
    const result = await told(async () => (await statements.prepare(i)).stream(), signal);
    const columns = result.columnNames().map((name, column) => ({
      ...{ name, type: result.columnType(column).toString() },
    }));
    const chunks = result.yieldRowsJs();
    yield { columns, rows: rowsOf(() => told(() => chunks.next(), signal)) };
  }
}

async function* rowsOf(
  next: () => Promise<IteratorResult<readonly (readonly unknown[])[]>>,
): AsyncGenerator<readonly (readonly SqlValue[])[]> {
  for (let chunk = await next(); !chunk.done; chunk = await next()) {
    yield chunk.value.map((row) => row.map(plain));
  }
}

/** What DuckDB refuses is the user's SQL. */
async function told<T>(run: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await run();
  } catch (error) {
    signal?.throwIfAborted();
    // The first line says what is wrong; the others draw an arrow.
    const [why] = (error as Error).message.split("\n");
    throw new UsageError(`SQL: ${why!.replace(/^Failed to extract statements: /, "")}`);
  }
}

function plain(value: unknown): SqlValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  }
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
  }
  return String(value);
}
