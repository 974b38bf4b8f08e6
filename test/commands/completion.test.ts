/** What is made of the commands: completion that shells take, a manual page, and what was probably meant. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closest } from "../../src/model/closest.ts";

const CLI = join(import.meta.dirname, "../../dist/cli/cli.js");
const run = (...args: string[]) =>
  spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8" });

/** Lets bash complete a command line, of which the last word is being typed. */
function completed(...words: string[]): string[] {
  const line = words.map((word) => JSON.stringify(word)).join(" ");
  const script = `${run("completion", "bash").stdout}
COMP_WORDS=(vhost-replay ${line}); COMP_CWORD=${words.length}; _vhost_replay; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", script], {
    encoding: "utf8",
    cwd: "/",
  });
  expect([stderr, status]).toEqual(["", 0]);
  return stdout.split("\n").filter(Boolean);
}

test("bash completes commands, those of a group, and the options of each", () => {
  expect(completed("sta")).toEqual(["stale"]);
  expect(completed("fleet", "m")).toEqual(["merge", "missing"]);
  expect(completed("whatif", "case", "--do")).toEqual(["--downtime-limit"]);
  expect(completed("fleet", "plan", "--he")).toEqual(["--help"]);
  expect(completed("stale", "/us")).toEqual(["/usr"]);
});

test("every command and option is in all of them", () => {
  const help = run("--help").stderr + run("--help").stdout;
  const names = [...help.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(15);
  for (const script of ["bash", "zsh", "fish", "man"]) {
    const { stdout, status } = run("completion", script);
    expect(status).toBe(0);
    for (const name of names.filter((one) => one !== "help")) expect(stdout).toContain(name);
    expect(stdout.replaceAll("\\-", "-")).toMatch(/downtime-limit/);
  }
  expect(run("completion", "man").stdout).toMatch(/^\.TH VHOST-REPLAY 1 /);
});

test("what is mistyped is named with what was probably meant", () => {
  const mistyped = run("reprot", "x");
  expect([mistyped.status, mistyped.stderr]).toEqual([
    2,
    "vhost-replay: reprot: neither a command nor a file; perhaps report is meant\n",
  ]);
  const path = join(
    import.meta.dirname,
    "../../traces/vhost-scsi/6.1.0-50-amd64/01-smoke/trace.txt.gz",
  );
  expect(run("report", path, "--policy", "unpached").stderr).toContain(
    "perhaps unpatched is meant",
  );
  expect(run("stale", "--polcy", "x", path).stderr).toContain("Did you mean --policy?");
  expect(closest("linux-61", ["linux-6.1", "linux-6.6"])).toBe("linux-6.1");
  expect(closest("trace", ["stale", "report"])).toBeUndefined();
});
