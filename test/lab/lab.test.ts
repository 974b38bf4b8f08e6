/** The lab's host side, as far as it can be tried without a machine: docs/lab.md. */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { attacksIn } from "../../traces/lab/host/attacks.ts";
import { check } from "../../traces/lab/host/check.ts";
import { Cpio } from "../../traces/lab/host/cpio.ts";
import { versionNumber } from "../../traces/lab/host/kernels.ts";
import type { Load, Migration } from "../../traces/lab/host/migration.ts";
import { migrationFaults } from "../../traces/lab/host/migration-table.ts";
import { QUICK, SCENARIOS } from "../../traces/lab/host/scenarios.ts";
import { tableText } from "../../traces/lab/host/table.ts";

const ROOT = join(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "lab-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A copy of a kept recording, laid out as the lab's results are. */
function results(kernel: string, scenario: string, name: string): string {
  const from = join(ROOT, "traces", "vhost-scsi", kernel);
  const to = join(scratch, name);
  cpSync(join(from, scenario), join(to, scenario), { recursive: true });
  cpSync(join(from, "uname.txt"), join(to, "uname.txt"));
  return join(to, scenario);
}

describe("the check of one recording", () => {
  test("a kept recording passes, on either side of the series", () => {
    for (const kernel of ["6.1.0-50-amd64", "6.16.12+deb13-amd64"]) {
      const verdict = check(results(kernel, "33-held", kernel), "scsi");
      expect(verdict).toMatchObject({ syncs: 4, equal: 4, different: [], inexact: [], wrong: [] });
    }
  });

  test("a bit that the kernel did not set is a difference, and identify is not believed", () => {
    const folder = results("6.16.12+deb13-amd64", "33-held", "extra-bit");
    const file = join(folder, "syncs", "02.bin");
    const image = readFileSync(file);
    image[image.length - 1] = 0x80;
    writeFileSync(file, image);
    const verdict = check(folder, "scsi");
    expect(verdict.equal).toBe(3);
    expect(verdict.different).toEqual(["2 all-back"]);
    expect(verdict.wrong.join()).toMatch(/different without a reason.*identify does not name/);
  });

  test("a page that changed without a write of the replay is told", () => {
    const folder = results("6.16.12+deb13-amd64", "33-held", "unseen");
    const file = join(folder, "changed", "01.bin");
    const image = readFileSync(file);
    image[image.length - 1] = 0x80;
    writeFileSync(file, image);
    expect(check(folder, "scsi").wrong).toEqual([
      "1 pages changed that no write of the replay covers",
    ]);
  });

  test("an exerciser that failed is told", () => {
    const folder = results("6.16.12+deb13-amd64", "33-held", "failed");
    writeFileSync(join(folder, "failed.txt"), "exit status 1\n");
    expect(check(folder, "scsi").wrong).toEqual(["exerciser: exit status 1"]);
  });

  test("a lost event explains a difference, and the table says so", () => {
    const verdict = check(results("6.16.12+deb13-amd64", "18-lost", "lost"), "net");
    expect(verdict).toMatchObject({ syncs: 1, equal: 0, different: [], wrong: [] });
    const row = { release: "6.16", scenario: "18-lost", form: "regs", verdict };
    expect(tableText([row])).toMatch(/inexact {2}6\.16 18-lost \(register\): sync 1 a: .*lost/);
  });
});

describe("the initial file system", () => {
  test("entries are aligned, folders stand before their files, and the trailer ends it", () => {
    const archive = new Cpio();
    archive.file("bin/a", "12345");
    archive.link("bin/b", "a");
    const bytes = gunzipSync(archive.finish());
    const names: string[] = [];
    let at = 0;
    while (at < bytes.length) {
      expect(bytes.toString("latin1", at, at + 6)).toBe("070701");
      const field = (n: number) =>
        Number.parseInt(bytes.toString("latin1", at + 6 + 8 * n, at + 14 + 8 * n), 16);
      const [mode, size, length] = [field(1), field(6), field(11)];
      const name = bytes.toString("latin1", at + 110, at + 110 + length - 1);
      names.push(`${name} ${mode.toString(8)} ${size}`);
      at += Math.ceil((110 + length) / 4) * 4;
      if (name === "bin/a") expect(bytes.toString("latin1", at, at + size)).toBe("12345");
      at += Math.ceil(size / 4) * 4;
    }
    expect(at).toBe(bytes.length);
    expect(names).toEqual(["bin 40755 0", "bin/a 100755 5", "bin/b 120777 1", "TRAILER!!! 0 0"]);
  });
});

describe("what a migration must not show", () => {
  function migration(
    release: string,
    load: Load,
    differ: Record<string, number>,
    missed: string[] = [],
  ): Migration {
    const verdict = {
      policy: "",
      stale: 0,
      possibly: 0,
      differStale: 0,
      differPossibly: 0,
      missed,
    };
    return {
      ...{ name: "m", release, load, folder: "", verdict },
      differ: new Map(Object.entries(differ)),
    };
  }

  test("a page that differs and that stale does not name", () => {
    const faults = migrationFaults(migration("6.1.0", "normal", { data: 9 }, ["0x801"]));
    expect(faults).toEqual(["1 pages differ that stale does not name: 0x801"]);
  });

  test("pages that no device wrote", () => {
    const faults = migrationFaults(migration("6.1.0-50-amd64", "normal", { data: 900, cpu: 2 }));
    expect(faults).toEqual(["2 pages differ that no device wrote"]);
  });

  test("a loss on a kernel that logs, and none on one that does not", () => {
    expect(migrationFaults(migration("6.16.12", "normal", { data: 1 }))).toHaveLength(1);
    expect(migrationFaults(migration("6.16.12", "inflight", { data: 1 }))).toEqual([]);
    expect(migrationFaults(migration("7.2.13", "inflight", { data: 1 }))).toHaveLength(1);
    expect(migrationFaults(migration("6.12.117", "normal", {}))).toHaveLength(1);
    expect(migrationFaults(migration("7.2.13", "normal", {}))).toEqual([]);
  });
});

test("versions compare as numbers", () => {
  expect(versionNumber("6.16.12+deb13-amd64")).toBeGreaterThan(versionNumber("6.9.1"));
  expect(() => versionNumber("next")).toThrow(/no version/);
});

test("the quick run names scenarios that exist, of every driver", () => {
  const chosen = SCENARIOS.filter(({ name }) => QUICK.includes(name));
  expect(chosen).toHaveLength(QUICK.length);
  expect(new Set(chosen.map(({ driver }) => driver)).size).toBe(3);
});

test("what befell a recording is read line by line, with what was wrong", () => {
  const text = [
    "ok script: ended by INT",
    "WRONG tool: the disk is full: status 0, not 2; the state is left: own.probes ; ",
    "  record.sh: what the program said",
    "skipped: this kernel has no lockdown",
  ].join("\n");
  expect(attacksIn(text, "6.1")).toEqual([
    { release: "6.1", what: "script: ended by INT", wrong: null },
    {
      release: "6.1",
      what: "tool: the disk is full",
      wrong: "status 0, not 2; the state is left: own.probes ; ",
    },
  ]);
});
