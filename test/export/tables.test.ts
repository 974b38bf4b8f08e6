/** Exported tables say what `--json` says: read back by hyparquet, by DuckDB and as CSV. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parquetMetadata } from "hyparquet";
import { beforeAll, describe, expect, test } from "vitest";
import { EXPORT_TABLE_NAMES, EXPORT_TABLES } from "../../src/export/schema.ts";
import { openDatabase } from "../../src/node/duckdb.ts";
import { machineOf, parquetRows, ROOT, run, scratchFolder, sumOf } from "../support/exported.ts";

const CASES: [string, string][] = [
  ["a migration", "traces/migration/6.1"],
  ["a migration on two clocks", "traces/migration/6.1-inflight"],
  ["a log switched on and off", "traces/vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"],
  ["lost events", "traces/vhost-scsi/6.1.0-50-amd64/18-lost/trace.txt.gz"],
  ["no verdict: logging was never on", "traces/vhost-scsi/6.1.0-50-amd64/21-nolog/trace.txt.gz"],
  ["requests held to the end", "traces/vhost-scsi/6.1.0-50-amd64/33-held/trace.txt.gz"],
  ["trace.dat", "traces/vhost-scsi-variants/6.1-long/trace.dat"],
  ["LUN and CDB", "test/fixtures/cdb/6.16-smoke.txt.gz"],
];

type Row = Record<string, unknown>;

describe.each(CASES)("%s", (_, path) => {
  const folder = scratchFolder();
  const tables: Record<string, Row[]> = {};
  let report: ReturnType<typeof machineOf>;

  beforeAll(async () => {
    const { status, err } = run([
      ...["export", path, "--parquet", `${folder}/p`, "--csv", `${folder}/c`],
    ]);
    expect([0, 1, 3], err).toContain(status);
    for (const table of EXPORT_TABLE_NAMES) {
      tables[table] = await parquetRows(join(folder, "p", `${table}.parquet`));
    }
    report = machineOf(["report", path]);
  });

  test("has the columns of the schema, with their types and nulls", () => {
    for (const table of EXPORT_TABLE_NAMES) {
      const bytes = readFileSync(join(folder, "p", `${table}.parquet`));
      const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
      const [, ...columns] = parquetMetadata(buffer as ArrayBuffer).schema;
      const found = columns.map(({ name, type, repetition_type }) => [name, type, repetition_type]);
      const types = { int32: "INT32", int64: "INT64", text: "BYTE_ARRAY", boolean: "BOOLEAN" };
      const expected = Object.entries(EXPORT_TABLES[table]).map(([name, { type, nullable }]) => [
        ...[name, types[type], nullable ? "OPTIONAL" : "REQUIRED"],
      ]);
      expect(found, table).toEqual(expected);
    }
  });

  test("policies, rounds and findings are those of report --json", () => {
    expect(
      tables.policies!.map(({ policy, logged, lost, still_lost }) => [
        policy,
        logged,
        lost,
        still_lost,
      ]),
    ).toEqual(
      report.policies.map((policy: Record<string, unknown>) => [
        ...[policy.name, policy.logged, policy.lost, policy.stillLost],
      ]),
    );
    const rounds = report.rounds.flatMap(
      (round: { index: number; written: number; policies: Row[] }) =>
        round.policies.map(({ logged, lost, extra, newlyLost, stillLost }, i) => [
          ...[round.index, report.policies[i].name, round.written, logged, lost, extra],
          ...[newlyLost, stillLost],
        ]),
    );
    expect(
      tables.rounds!.map((row) => [
        ...[row.round, row.policy, row.written, row.logged, row.lost, row.extra],
        ...[row.newly_lost, row.still_lost],
      ]),
    ).toEqual(rounds);
    expect(tables.findings!.map(({ code, pages, requests }) => [code, pages, requests])).toEqual(
      report.findings.map(({ code, pages, requests }: Row) => [code, pages, requests]),
    );
    expect(tables.limits!.map(({ code }) => code)).toEqual(
      report.limits.map(({ code }: Row) => code),
    );
  });

  test("pages of each set add up to the counts, of each round too", () => {
    for (const { policy, logged, lost, still_lost } of tables.policies!) {
      const sum = (page_set: string): number =>
        sumOf(tables.pages!, "pages", { migration: null, policy, page_set });
      const known = lost !== null;
      expect([sum("logged"), sum("lost"), sum("still-lost")]).toEqual(
        known ? [logged, lost, still_lost] : [0, 0, 0],
      );
      for (const round of tables.rounds!.filter((row) => row.policy === policy)) {
        const of = (page_set: string): number =>
          sumOf(tables.round_pages!, "pages", { policy, page_set, round: round.round });
        expect([of("written"), of("logged"), of("lost")]).toEqual(
          known ? [round.written, round.logged, round.lost] : [0, 0, 0],
        );
      }
    }
  });

  test("requests are those of requests --json, a row each", () => {
    const lines = run(["requests", path, "--json", "--quiet"]).out.trimEnd().split("\n");
    const bytes = (list: { len: number }[]) => list.reduce((sum, { len }) => sum + len, 0);
    const rows = tables.requests!.toSorted((a, b) => Number(a.request) - Number(b.request));
    expect(
      rows.map(({ request, state, head, write_bytes }) => [request, state, head, write_bytes]),
    ).toEqual(
      lines
        .map((line) => JSON.parse(line))
        .map(({ serial, state, head, writes }) => [serial, state, head, bytes(writes)])
        .toSorted(([a], [b]) => a - b),
    );
    for (const queue of tables.queues!) {
      const { device } = queue;
      const own = tables.requests!.filter(
        (row) => row.device === device && row.queue === queue.queue && row.state === "completed",
      );
      expect(own.length).toBe(queue.completed);
      expect(sumOf(own, "write_bytes")).toBe(queue.write_bytes);
    }
  });

  test("CSV has the same cells", () => {
    for (const table of EXPORT_TABLE_NAMES) {
      const [names, ...rows] = csvRows(readFileSync(join(folder, "c", `${table}.csv`), "utf8"));
      expect(names, table).toEqual(Object.keys(EXPORT_TABLES[table]));
      const expected = tables[table]!.map((row) =>
        names!.map((name) => (row[name!] === null ? null : String(row[name!]))),
      );
      expect(rows, table).toEqual(expected);
    }
  });
});

/** Fields of RFC 4180, an unquoted empty one as null. */
function csvRows(text: string): (string | null)[][] {
  expect(text.endsWith("\r\n")).toBe(true);
  const rows: (string | null)[][] = [[]];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1)!.push(quoted === undefined ? bare || null : quoted.replaceAll('""', '"'));
    if (end === "\r\n") rows.push([]);
  }
  return rows.slice(0, -1);
}

describe("a migration", () => {
  const folder = scratchFolder();
  const path = "traces/migration/6.1";

  test("stale pages, sends and healed ones are those of stale --json; DuckDB sums the same", async () => {
    expect(run(["export", path, "--parquet", `${folder}/p`, "--quiet"]).status).toBe(1);
    const stale = machineOf(["stale", path]);
    const { sends } = stale.migrations[0];
    const pages = await parquetRows(join(folder, "p/pages.parquet"));
    for (const verdict of stale.policies) {
      const of = (page_set: string): string[] =>
        pages
          .filter((row) => row.migration === 0 && row.policy === verdict.policy)
          .filter((row) => row.page_set === page_set)
          .flatMap(({ gfn, pages: count }) =>
            Array.from({ length: Number(count) }, (_, i) => Number(gfn) + i),
          )
          .toSorted((a, b) => a - b)
          .map((page) => `0x${page.toString(16)}`);
      expect(of("stale")).toEqual(verdict.stale);
      expect(of("likely-stale")).toEqual(verdict.likelyStale);
      expect(of("possibly-stale")).toEqual(verdict.possiblyStale);
      expect(of("healed")).toEqual(verdict.healed);
    }
    const { best } = stale.policies[0].counts;
    expect(best).toBeGreaterThan(1000);
    const sent = await parquetRows(join(folder, "p/sends.parquet"));
    const both = sumOf(sent, "pages", { kind: "data" }) + sumOf(sent, "pages", { kind: "zero" });
    expect(both).toBe(sends.data + sends.zero - sends.unplaced);

    const database = await openDatabase();
    const file = (table: string) => `read_parquet('${folder}/p/${table}.parquet')`;
    const sql = `SELECT policy, sum(pages) FROM ${file("pages")}
        WHERE migration = 0 AND page_set = 'stale' GROUP BY policy;
      SELECT sum(pages) FROM ${file("sends")} WHERE kind IN ('data', 'zero');
      SELECT count(*), sum(write_bytes) FROM ${file("requests")}`;
    const answers: unknown[] = [];
    for await (const { rows } of database.ask(sql)) {
      for await (const chunk of rows) answers.push(...chunk);
    }
    database.close();
    const requests = await parquetRows(join(folder, "p/requests.parquet"));
    expect(answers).toEqual([
      ...[["linux-6.1.146", best], [both]],
      [requests.length, sumOf(requests, "write_bytes")],
    ]);
  });

  test("what is there already is not replaced, and nothing half is left", () => {
    const again = run(["export", path, "--parquet", `${folder}/p`]);
    expect([again.status, again.err]).toEqual([2, expect.stringContaining("not empty")]);
    expect(readdirSync(folder)).toEqual(["p"]);
    expect(run(["export", path]).status).toBe(2);
  });
});

test("docs/exports.md lists every table and column, with its type", () => {
  const docs = readFileSync(join(ROOT, "docs/exports.md"), "utf8");
  let table = "";
  const listed: string[] = [];
  for (const [, name, column, type] of docs.matchAll(
    /^\| (?:`(\w+)`)? ?\| `(\w+)` \| (int32|int64|text|boolean)(?:, null)? \|/gm,
  )) {
    table = name ?? table;
    listed.push(`${table}.${column} ${type}`);
  }
  const nulls = [...docs.matchAll(/\| `(\w+)` \| (?:int32|int64|text|boolean), null \|/g)];
  const columns = EXPORT_TABLE_NAMES.flatMap((name) =>
    Object.entries(EXPORT_TABLES[name]).map(([column, { type, nullable }]) => ({
      ...{ text: `${name}.${column} ${type}`, column, nullable },
    })),
  );
  expect(listed).toEqual(columns.map(({ text }) => text));
  expect(nulls.map(([, column]) => column)).toEqual(
    columns.filter(({ nullable }) => nullable).map(({ column }) => column),
  );
});
