/** `fleet` on real files: parts whole or not there, statuses for schedulers. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Part, writePart } from "../../src/fleet/part.ts";
import { openDatabase } from "../../src/node/duckdb.ts";
import { sha256 } from "../../src/node/fleet-files.ts";

const ROOT = join(import.meta.dirname, "../..");
const TRACES = join(ROOT, "traces/vhost-scsi/6.1.0-50-amd64");
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fleet-"));
  for (const name of ["01-smoke", "03-indirect"]) {
    mkdirSync(join(folder, "rec", name), { recursive: true });
    copyFileSync(join(TRACES, name, "trace.txt.gz"), join(folder, "rec", name, "trace.txt.gz"));
  }
  writeFileSync(join(folder, "rec/zz-poison.txt"), "no recording\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

function fleet(args: string[], env: Record<string, string> = {}) {
  const cli = join(ROOT, "dist/cli/cli.js");
  const { SLURM_ARRAY_TASK_ID: _, ...own } = process.env;
  const done = spawnSync(process.execPath, [cli, "fleet", ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { ...own, ...env },
  });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

const plan = () =>
  fleet([
    "plan",
    "-o",
    "plan.ndjson",
    "--root",
    "rec",
    "rec/01-smoke",
    "rec/03-indirect",
    "rec/zz-poison.txt",
  ]);
const ids = (): string[] =>
  readFileSync(join(folder, "plan.ndjson"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((l) => JSON.parse(l).id);

test("a plan, its parts and their merge; bounds and status 3 until the last part is there", () => {
  expect(plan()).toMatchObject({ status: 0, out: "3 cases, indexes 0-2\n" });
  expect(
    fleet(["run", "plan.ndjson", "-o", "parts", "--root", "rec", "--index", "1-2"]),
  ).toMatchObject({ status: 0 });
  expect(fleet(["missing", "plan.ndjson", "parts"])).toMatchObject({ status: 3, out: "0\n" });
  const partial = fleet(["merge", "plan.ndjson", "parts", "--json"]);
  expect(partial.status).toBe(3);
  expect(JSON.parse(partial.out).policies[0].affected).toEqual({ atLeast: 1, atMost: 3 });
  expect(
    fleet(["run", "plan.ndjson", "-o", "parts", "--root", "rec"], { SLURM_ARRAY_TASK_ID: "0" })
      .status,
  ).toBe(0);
  const whole = fleet(["merge", "plan.ndjson", "parts", "--json"]);
  expect(whole.status).toBe(1);
  const { policies, failed, missing } = JSON.parse(whole.out);
  // 841 pages of 03-indirect, as `report` says of it alone, and those of 01-smoke.
  expect(policies[0].lost.atLeast).toBeGreaterThan(841);
  expect(failed).toHaveLength(1);
  expect(missing.count).toBe(0);
});

test("the parts of one process are those of a process each, byte for byte", () => {
  expect(fleet(["run", "plan.ndjson", "-o", "one", "--root", "rec"]).status).toBe(0);
  for (const id of ids()) {
    const name = `${id}.json`;
    expect(readFileSync(join(folder, "one", name))).toEqual(
      readFileSync(join(folder, "parts", name)),
    );
  }
  expect(readdirSync(join(folder, "one"))).toHaveLength(3);
});

test("a file that is not there is to be tried again: status 75 and no part", () => {
  const gone = fleet(["run", "plan.ndjson", "-o", "gone", "--root", "elsewhere"]);
  expect(gone.status).toBe(75);
  expect(readdirSync(join(folder, "gone"))).toEqual([]);
  expect(gone.err).toContain("3 cases to be tried again");
});

test("a plan of another version of the tool is refused", () => {
  const text = readFileSync(join(folder, "plan.ndjson"), "utf8").replace(
    '"version":"',
    '"version":"9.',
  );
  writeFileSync(join(folder, "other.ndjson"), text);
  const refused = fleet(["run", "other.ndjson", "-o", "never", "--root", "rec"]);
  expect(refused.status).toBe(2);
  expect(refused.err).toMatch(/was made by 9\./);
});

test("a part that another version made is said, is missing, and is made again", () => {
  const [id] = ids();
  const path = join(folder, "one", `${id}.json`);
  const whole = readFileSync(path, "utf8");
  const part: Part = { ...JSON.parse(whole), checksum: undefined };
  const older = { ...part, tool: { ...part.tool, version: "0.0.9" } };
  writeFileSync(path, writePart(older, sha256));
  const missing = fleet(["missing", "plan.ndjson", "one"]);
  expect([missing.status, missing.out]).toEqual([3, "0\n"]);
  expect(missing.err).toMatch(/the part of 01-smoke is of version 0\.0\.9/);
  expect(fleet(["run", "plan.ndjson", "-o", "one", "--root", "rec"]).status).toBe(0);
  expect(readFileSync(path, "utf8")).toBe(whole);
});

test("an index that the plan has not is a usage error that names the variable", () => {
  const wrong = fleet(["run", "plan.ndjson", "-o", "never", "--root", "rec"], {
    JOB_COMPLETION_INDEX: "7",
  });
  expect(wrong.status).toBe(2);
  expect(wrong.err).toContain("JOB_COMPLETION_INDEX: expected indexes up to 2");
});

test("a folder is a case: roles by content, the destination told, other files left out", () => {
  cpSync(join(ROOT, "traces/migration/6.1"), join(folder, "cases/migration"), { recursive: true });
  // QEMU's own recording of the source has another clock, whose relation is one more thing not known.
  rmSync(join(folder, "cases/migration/src.simpletrace.gz"));
  expect(fleet(["plan", "-o", "case.ndjson", "--root", "cases", "cases/migration"]).status).toBe(0);
  const run = fleet(["run", "case.ndjson", "-o", "case", "--root", "cases"]);
  expect([run.status, run.err]).toEqual([0, ""]);
  const { policies } = JSON.parse(fleet(["merge", "case.ndjson", "case", "--json"]).out);
  // What `stale` says of the two recordings (README).
  expect(policies[0].stale).toEqual({ atLeast: 1929, atMost: 1941 });
  expect(policies[1].stale).toEqual({ atLeast: 0, atMost: 0 });
});

test("merge --parquet is one dataset by host and day, with the sums of --json", async () => {
  const labels = [
    { name: "01-smoke", host: "a/b=c", vm: "v1", day: "2026-11-01" },
    { name: "03-indirect", host: "h2" },
  ];
  writeFileSync(join(folder, "labels"), labels.map((label) => JSON.stringify(label)).join("\n"));
  const files = ["01-smoke", "03-indirect", "zz-poison.txt"].map((name) => `rec/${name}`);
  const planned = fleet([
    ...["plan", "-o", "dated.ndjson", "--root", "rec", "--labels", "labels", ...files],
  ]);
  expect(planned.status).toBe(0);
  fleet(["run", "dated.ndjson", "-o", "dated", "--root", "rec", "--index", "0,2"]);
  const merge = fleet(["merge", "dated.ndjson", "dated", "--json", "--parquet", "set"]);
  expect(merge.status).toBe(3);
  const { policies } = JSON.parse(merge.out);
  const database = await openDatabase();
  const set = `read_parquet('${folder}/set/**/*.parquet', hive_partitioning = true)`;
  const sql = `SELECT status, host, count(DISTINCT name) AS cases FROM ${set} GROUP BY ALL ORDER BY ALL;
    SELECT policy, sum(lost) FROM ${set} WHERE policy IS NOT NULL GROUP BY ALL ORDER BY ALL;
    SELECT day::VARCHAR, vm FROM ${set} WHERE host = 'a/b=c' LIMIT 1;
    SELECT count(*) FROM ${set} WHERE status <> 'ok' AND (lost IS NOT NULL OR policy IS NOT NULL)`;
  const answers: unknown[] = [];
  for await (const { rows } of database.ask(sql))
    for await (const chunk of rows) answers.push(chunk);
  database.close();
  expect(answers).toEqual([
    [
      ["failed", null, 1],
      ["missing", "h2", 1],
      ["ok", "a/b=c", 1],
    ],
    policies.map(({ name, lost }: { name: string; lost: { atLeast: number } }) => [
      ...[name, lost.atLeast],
    ]),
    [["2026-11-01", "v1"]],
    [[0]],
  ]);
});
