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
    for (const version of versions) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    for (const script of ["preinstall", "install", "postinstall", "prepare"]) {
      expect(MANIFEST.scripts).not.toHaveProperty(script);
    }
  });

  test("its command reports on a recording", () => {
    const cli = join(folder, "node_modules/vhost-replay", MANIFEST.bin["vhost-replay"]);
    const run = spawnSync(process.execPath, [cli, "report", RECORDING], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.stdout).toMatch(/^Unpatched vhost-scsi .* 10 guest pages /);
    expect(run.status).toBe(1);
  });

  test("it is used from a program by its name", () => {
    const program = join(folder, "use.mjs");
    writeFileSync(
      program,
      `import { findPolicy, replay } from "vhost-replay";
       import { fileSource, loadCore, nodeSurroundings } from "vhost-replay/node";
       const result = await replay(
         { sources: [fileSource(process.argv[2])], surroundings: nodeSurroundings(() => {}), module: await loadCore() },
         { policies: [{ policy: findPolicy("unpatched"), alias: null }], window: "auto" },
       );
       console.log(result.policies[0].lost);`,
    );
    const run = spawnSync(process.execPath, [program, RECORDING], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.stdout).toBe("10\n");
  });
});
