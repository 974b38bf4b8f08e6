/** The package works where it is installed: what `npm pack` puts in it, used from another folder. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const MANIFEST = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const RECORDING = join(ROOT, "traces/vhost-scsi/6.1.0-50-amd64/01-smoke/trace.txt.gz");

let folder: string;

/** The files that npm would pack, without running the build again. */
function packedFiles(): string[] {
  const out = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const parsed = JSON.parse(out);
  const entry = Array.isArray(parsed) ? parsed[0] : Object.values(parsed)[0];
  return (entry as { files: { path: string }[] }).files.map((file) => file.path);
}

const FILES = packedFiles();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vhost-replay-package-"));
  const home = join(folder, "node_modules", "vhost-replay");
  for (const file of FILES) {
    mkdirSync(join(home, file, ".."), { recursive: true });
    cpSync(join(ROOT, file), join(home, file));
  }
  for (const dependency of Object.keys(MANIFEST.dependencies)) {
    symlinkSync(
      join(ROOT, "node_modules", dependency),
      join(folder, "node_modules", dependency),
      "dir",
    );
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the package", () => {
  test("has the prebuilt core, the types, the schemas, and no sources or recordings", () => {
    for (const needed of [
      "build/core.wasm",
      "build/core.js",
      "dist/cli/cli.js",
      "dist/vhost-replay.html",
      "dist/src/index.js",
      "dist/src/index.d.ts",
      "dist/src/node/index.d.ts",
      "dist/assembly/abi.js",
      "LICENSE",
      "README.md",
      "schema/report.schema.json",
    ]) {
      expect(FILES).toContain(needed);
    }
    expect(FILES.filter((file) => /^(src|test|traces|assembly|bench)\//.test(file))).toEqual([]);
  });

  test("pins every version and runs no script when it is installed", () => {
    const versions = Object.values({ ...MANIFEST.dependencies, ...MANIFEST.devDependencies });
    for (const version of versions) expect(version).toMatch(/^\d+\.\d+\.\d+(-r\.\d+)?$/);
    for (const script of ["preinstall", "install", "postinstall", "prepare"]) {
      expect(MANIFEST.scripts).not.toHaveProperty(script);
    }
  });

  test("its command reports on a recording", () => {
    const cli = join(folder, "node_modules/vhost-replay", MANIFEST.bin["vhost-replay"]);
    const run = spawnSync(process.execPath, [cli, "report", RECORDING], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.stdout).toMatch(/^Unpatched vhost-scsi .* 10 guest pages /m);
    expect(run.status).toBe(1);
  });

  test("a short program asks every question of the README and prints JSON", () => {
    const program = join(folder, "ask.mjs");
    writeFileSync(
      program,
      `import { readdirSync, readFileSync } from "node:fs";
       import * as vhost from "vhost-replay";
       import { fileSource, loadCore, nodeSurroundings } from "vhost-replay/node";

       const [folder, trace, destination] = process.argv.slice(2);
       const module = await loadCore();
       const surroundings = nodeSurroundings(() => {});
       const open = (...files) => ({ sources: files.map((file) => fileSource(file)), surroundings, module });
       const names = readdirSync(folder + "/syncs").filter((name) => name.endsWith(".bin"));
       const file = (number) => names.find((name) => Number.parseInt(name, 10) === number);
       const observed = {
         name: folder,
         numbers: names.map((name) => Number.parseInt(name, 10)),
         file,
         read: async (number) => readFileSync(folder + "/syncs/" + file(number)),
       };
       const scsi = open(folder + "/trace.txt.gz");
       const migration = open(trace, destination);
       const memory = new Uint8Array(8192);
       const image = { stream: () => ({ read: () => 0, close() {} }), random: () => ({ size: 8192,
         readAt: (into, at) => (into.set(memory.subarray(at, at + into.length)), into.length), close() {} }) };
       const [policy] = vhost.choosePolicies(["patched"]);
       const dumps = { source: { name: "a", size: 8192, ...image }, destination: { name: "b", size: 8192, ...image } };
       const asked = [
         ["lost", scsi], ["stale", migration], ["inspect", scsi], ["requests", scsi],
         ["life", scsi, { range: { gpa: 0x20c000, len: 1 } }], ["attribute", scsi], ["logImages", scsi, { policy }],
         ["compareLogs", scsi, { observed }], ["identify", scsi, { observed }], ["compareImages", migration, dumps],
       ];
       for (const [question, recording, options] of asked) {
         const answer = await vhost[question].ask(recording, options);
         console.log(JSON.stringify({ question, status: vhost[question].statusOf(answer), answer }));
       }`,
    );
    const scsi = join(RECORDING, "../../../6.16.12+deb13-amd64/01-smoke");
    const sides = ["trace.txt.gz", "dst.simpletrace.gz"].map((name) =>
      join(ROOT, "traces/migration/6.1", name),
    );
    const run = spawnSync(process.execPath, [program, scsi, ...sides], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    expect(run.stderr).toBe("");
    const lines = run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ question, status }) => `${question} ${status}`)).toEqual([
      ...["lost 1", "stale 1", "inspect 0", "requests 0", "life 0", "attribute 0", "logImages 0"],
      ...["compareLogs 0", "identify 0", "compareImages 0"],
    ]);
    const answers = Object.fromEntries(lines.map(({ question, answer }) => [question, answer]));
    expect(answers.stale.result.machines[0].migrations[0].verdicts[0].best).toBe(1929);
    expect(answers.life.lives[0].writes).toBe(1);
    expect(answers.identify.identification.ranking[0].policy).toBe("linux-6.16");
  });
});
