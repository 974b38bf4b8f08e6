/** The command line in a folder of its own, and what it wrote there. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import { afterAll } from "vitest";

export const ROOT = join(import.meta.dirname, "../..");

/** A folder that goes when the tests of a file are over. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "vhost-replay-export-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Runs the command in the repository's folder. */
export function run(args: readonly string[], input = "") {
  const done = spawnSync(process.execPath, [join(ROOT, "dist/cli/cli.js"), ...args], {
    cwd: ROOT,
    encoding: "utf8",
    input,
    maxBuffer: 1 << 28,
  });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

/** The machine in a JSON answer. */
export function machineOf(args: readonly string[]) {
  return JSON.parse(run([...args, "--quiet", "--json"]).out).machines[0];
}

/** Rows of a Parquet file, numbers as numbers. */
export async function parquetRows(file: string): Promise<Record<string, unknown>[]> {
  const bytes = readFileSync(file);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const compressors = { GZIP: (input: Uint8Array) => new Uint8Array(gunzipSync(input)) };
  const rows = await parquetReadObjects({ file: buffer as ArrayBuffer, compressors });
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === "bigint" ? Number(value) : value,
      ]),
    ),
  );
}

/** Of rows that pass, a column's sum. */
export function sumOf(
  rows: readonly Record<string, unknown>[],
  column: string,
  filter: Record<string, unknown> = {},
): number {
  return rows
    .filter((row) => Object.entries(filter).every(([name, value]) => row[name] === value))
    .reduce((sum, row) => sum + Number(row[column]), 0);
}
