/**
 * A fleet on Slurm's job arrays: killed tasks, a drained node, a full disk, two arrays over one plan.
 * Whatever happens on the way, the parts are those of a serial run, byte for byte.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FleetResult } from "../../src/fleet/merge.ts";
import { Cluster, missingForCluster } from "./cluster.ts";

const ROOT = join(import.meta.dirname, "../..");
const CLI = join(ROOT, "dist/cli/cli.js");
const lacking = missingForCluster();

/** Recordings of the repository, by a name of a host each. */
function recordings(): string[] {
  const traces = join(ROOT, "traces");
  return readdirSync(traces, { recursive: true, encoding: "utf8" })
    .filter((name) => /^vhost-(scsi|net|vsock)\/.*\/trace\.txt\.gz$/.test(name))
    .sort()
    .slice(0, 34)
    .map((name) => join(traces, name));
}

describe.skipIf(lacking.length > 0)(`a fleet on Slurm (lacking: ${lacking.join(" ")})`, () => {
  let cluster: Cluster;
  let folder: string;
  let serial: string;
  let last: number;
  const table: string[][] = [["what", "tasks", "parts", "equal bytes"]];

  const cli = (...args: string[]) => {
    const done = spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8", cwd: folder });
    return { status: done.status, out: done.stdout, err: done.stderr };
  };
  const work = (parts: string): string =>
    `exec '${process.execPath}' '${CLI}' fleet run '${folder}/plan.ndjson' -o '${parts}' --root '${folder}/recordings'`;
  const partsOf = (parts: string): Map<string, string> =>
    new Map(
      readdirSync(parts)
        .filter((name) => name.endsWith(".json") && !name.startsWith("."))
        .sort()
        .map((name) => [name, readFileSync(join(parts, name), "utf8")]),
    );
  const merged = (...parts: string[]): FleetResult =>
    JSON.parse(cli("fleet", "merge", "plan.ndjson", ...parts, "--json").out);
  const row = (what: string, tasks: number, parts: string): void => {
    const equal = [...partsOf(parts)].filter(([name, text]) => partsOf(serial).get(name) === text);
    table.push([what, `${tasks}`, `${partsOf(parts).size}`, `${equal.length}`]);
  };

  beforeAll(async () => {
    cluster = await Cluster.start();
    folder = cluster.folder;
    for (const [i, file] of recordings().entries()) {
      const host = join(folder, "recordings", `host-${String(i).padStart(2, "0")}`);
      mkdirSync(host, { recursive: true });
      copyFileSync(file, join(host, "trace.txt.gz"));
    }
    for (const [name, text] of [
      ["host-x1", "this is no recording\n"],
      ["host-x2", ""],
    ] as const) {
      mkdirSync(join(folder, "recordings", name));
      writeFileSync(join(folder, "recordings", name, "trace.txt"), text);
    }
    const cases = readdirSync(join(folder, "recordings")).map((name) => `recordings/${name}`);
    const planned = cli("fleet", "plan", "-o", "plan.ndjson", "--root", "recordings", ...cases);
    expect(planned.err).toBe("");
    last = cases.length - 1;
    serial = join(folder, "serial");
    const run = cli("fleet", "run", "plan.ndjson", "-o", serial, "--root", "recordings");
    expect([run.status, run.err]).toEqual([0, ""]);
    expect(partsOf(serial).size).toBe(cases.length);
  });

  afterAll(() => {
    cluster?.stop();
    const widths = table[0]!.map((_, i) => Math.max(...table.map((cells) => cells[i]!.length)));
    for (const cells of table) {
      console.log(cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  "));
    }
  });

  test("poison input is a failed part with its sentence, and no failed task", () => {
    const result = merged(serial);
    expect(result.failed.map(({ name }) => name)).toEqual(["host-x1", "host-x2"]);
    expect(result.missing.count).toBe(0);
    row("serial", 1, serial);
  });

  test("a task killed in the middle is missing, is named, and is made up for", async () => {
    const parts = join(folder, "killed");
    const job = cluster.submit(
      `[ "$SLURM_ARRAY_TASK_ID" = 11 ] && kill -9 $$\n${work(parts)}`,
      `0-${last}`,
    );
    // The killed task waits for its second try, in which it would be killed again.
    await cluster.finishedBut(job, 11);
    cluster.cancel(job);
    const before = merged(parts);
    expect(before.missing).toEqual({ count: 1, indexes: "11" });
    expect(cli("fleet", "merge", "plan.ndjson", parts).status).toBe(3);
    const { affected } = before.policies[0]!;
    expect(affected.atMost).toBeGreaterThan(affected.atLeast);
    const missing = cli("fleet", "missing", "plan.ndjson", parts).out.trim();
    const again = cluster.submit(work(parts), missing);
    await cluster.finished(again);
    expect(partsOf(parts)).toEqual(partsOf(serial));
    expect(merged(parts)).toEqual(merged(serial));
    row("one task killed", last + 2, parts);
  });

  test("a node drained in the middle takes nothing with it", async () => {
    const parts = join(folder, "drained");
    const job = cluster.submit(work(parts), `0-${last}`);
    await cluster.finished(job, last - 6);
    cluster.drain("n2");
    await cluster.finished(job);
    cluster.resume("n2");
    expect(partsOf(parts)).toEqual(partsOf(serial));
    row("a node drained", last + 1, parts);
  });

  test("a full disk leaves no part and status 75; with room again the rest is done", async () => {
    const parts = join(folder, "full");
    mkdirSync(parts);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=96k", "tmpfs", parts]);
    try {
      const job = cluster.submit(`( ${work(parts)} ); echo "status $?"`, `0-${last}`);
      await cluster.finished(job);
      const statuses = Array.from({ length: last + 1 }, (_, i) =>
        Number(/^status (\d+)$/m.exec(cluster.output(job, i))?.[1]),
      );
      const there = partsOf(parts);
      expect(statuses.filter((status) => status === 75).length).toBeGreaterThan(0);
      expect(new Set(statuses)).toEqual(new Set([0, 75]));
      expect(there.size).toBe(statuses.filter((status) => status === 0).length);
      for (const [name, text] of there) expect(partsOf(serial).get(name)).toBe(text);
      row("a full disk", last + 1, parts);
      execFileSync("mount", ["-o", "remount,size=16m", parts]);
      const left = merged(parts).missing;
      await cluster.finished(cluster.submit(work(parts), left.indexes));
      expect(partsOf(parts)).toEqual(partsOf(serial));
      row("with room again", left.count, parts);
    } finally {
      execFileSync("umount", [parts]);
    }
  });

  test("two arrays over one plan and folder do no harm", async () => {
    const parts = join(folder, "twice");
    const jobs = [
      cluster.submit(work(parts), `0-${last}`),
      cluster.submit(work(parts), `0-${last}`),
    ];
    for (const job of jobs) await cluster.finished(job);
    expect(partsOf(parts)).toEqual(partsOf(serial));
    expect(readdirSync(parts).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    row("two arrays at once", 2 * (last + 1), parts);
  });

  test("a part that is cut or damaged is missing, and is made again", () => {
    const parts = join(folder, "twice");
    const [name] = [...partsOf(parts).keys()];
    const whole = readFileSync(join(parts, name!), "utf8");
    writeFileSync(join(parts, name!), whole.slice(0, 200));
    expect(merged(parts).missing.count).toBe(1);
    expect(merged(parts, serial).missing.count).toBe(0);
    const run = cli("fleet", "run", "plan.ndjson", "-o", parts, "--root", "recordings");
    expect(run.status).toBe(0);
    expect(readFileSync(join(parts, name!), "utf8")).toBe(whole);
    expect(existsSync(join(parts, name!))).toBe(true);
  });
});
