/** `query`: the questions of docs/exports.md and their answers, as they stand there. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ROOT, run, scratchFolder } from "../support/exported.ts";
import { errorsOf } from "../support/schemas.ts";

const DOCS = readFileSync(join(ROOT, "docs/exports.md"), "utf8");
const MIGRATION = "traces/migration/6.1";

/** Question, recording, SQL and answer. */
function questions(): { question: string; path: string; sql: string; answer: string }[] {
  let path = "";
  let question = "";
  const found = [];
  for (const match of DOCS.matchAll(
    /On `([^`]+)`:|^\*\*(.*\?)\*\*|```sql\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/gm,
  )) {
    if (match[1]) path = match[1];
    else if (match[2]) question = match[2];
    else found.push({ question, path, sql: match[3]!, answer: match[4]! });
  }
  return found;
}

test("ten questions are in the docs", () => {
  expect(new Set(questions().map(({ question }) => question)).size).toBe(10);
});

/** Stands between the answers of one run. */
const BETWEEN = "SELECT 'next' AS question";
const answers = new Map<string, string>();

beforeAll(() => {
  for (const path of new Set(questions().map((one) => one.path))) {
    const own = questions().filter((one) => one.path === path);
    const sql = own.map((one) => one.sql).join(`;\n${BETWEEN};\n`);
    const { status, out, err } = run(["query", path, "--quiet", sql]);
    expect([status, err]).toEqual([0, ""]);
    const parts = out.split("question\nnext\n");
    own.forEach(({ question }, i) => void answers.set(question, parts[i]!));
  }
});

test.each(questions())("$question", ({ question, answer }) => {
  expect(answers.get(question)).toBe(answer);
});

describe("query", () => {
  test("--json prints columns and rows as the schema says", () => {
    const sql =
      "SELECT kind, sum(pages) AS pages, NULL AS nothing FROM sends GROUP BY kind ORDER BY 1";
    const { out, status } = run(["query", MIGRATION, "--quiet", "--json", sql]);
    expect(status).toBe(0);
    const document = JSON.parse(out);
    expect(errorsOf("query", document)).toEqual([]);
    expect(document.columns.map(({ name }: { name: string }) => name)).toEqual([
      ...["kind", "pages", "nothing"],
    ]);
    expect(document.rows).toEqual([
      ["data", 4792, null],
      ["zero", 4704, null],
    ]);
    const empty = run(["query", MIGRATION, "--quiet", "--json", "SELECT 1 AS one WHERE false"]);
    expect(JSON.parse(empty.out).rows).toEqual([]);
  });

  test("reads statements from standard input, the last one without its semicolon", () => {
    const input = "SELECT count(*) AS n\nFROM requests;\nSELECT 7 AS seven";
    const { out, status } = run(["query", MIGRATION, "--quiet"], input);
    expect([status, out]).toEqual([0, "   n\n1510\nseven\n    7\n"]);
  });

  test("what is no SQL is status 2 with one line, before anything is replayed", () => {
    const { status, err, out } = run(["query", "no-such-file", "SELEC 1"]);
    expect([status, out]).toEqual([2, ""]);
    expect(err).toMatch(/no-such-file|SQL: Parser Error/);
    const wrong = run(["query", MIGRATION, "--quiet", "SELEC 1"]);
    expect([wrong.status, wrong.err]).toEqual([
      ...[2, 'vhost-replay: SQL: Parser Error: syntax error at or near "SELEC"\n'],
    ]);
    const absent = run(["query", MIGRATION, "--quiet", "SELECT * FROM nothing"]);
    expect(absent.status).toBe(2);
    expect(absent.err).toMatch(/^vhost-replay: SQL: Catalog Error: .*nothing/);
  });

  test("without DuckDB it says what to install, status 2; everything else works", () => {
    const folder = scratchFolder();
    const home = join(folder, "node_modules/vhost-replay");
    mkdirSync(home, { recursive: true });
    for (const part of ["dist", "build", "package.json"]) {
      cpSync(join(ROOT, part), join(home, part), { recursive: true });
    }
    for (const name of ["commander", "hyparquet-writer", "hyparquet", "pbf", "zstddec"]) {
      symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name), "dir");
    }
    const own = (...args: string[]) =>
      spawnSync(process.execPath, [join(home, "dist/cli/cli.js"), ...args], {
        cwd: ROOT,
        encoding: "utf8",
      });
    const asked = own("query", "test/fixtures/cdb/6.16-smoke.txt.gz", "SELECT 1");
    expect([asked.status, asked.stdout]).toEqual([2, ""]);
    expect(asked.stderr).toBe(
      "vhost-replay: query needs DuckDB beside vhost-replay: npm install @duckdb/node-api (about 70 MB)\n",
    );
    const written = join(folder, "out");
    const exported = own("export", "test/fixtures/cdb/6.16-smoke.txt.gz", "--parquet", written);
    expect(exported.stderr).toContain("tables with");
  });
});
