/** The package works where it is installed: what `npm pack` puts in it, used from another folder. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { rolldown } from "rolldown";
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

  const SCSI = join(ROOT, "traces/vhost-scsi/6.16.12+deb13-amd64/01-smoke");
  const SIDES = ["trace.txt.gz", "dst.simpletrace.gz"].map((name) =>
    join(ROOT, "traces/migration/6.1", name),
  );

  /** What the answers must say, whoever asks: that they are those of these recordings. */
  function expectAnswers(output: readonly string[]): void {
    const lines = output.map((line) => JSON.parse(line));
    expect(lines.map(({ question, status }) => `${question} ${status}`)).toEqual([
      ...["lost 1", "affected 1", "stale 1", "inspect 0", "requests 0", "life 0", "attribute 0"],
      ...["logImages 0", "compareLogs 0", "identify 0", "compareImages 0", "around 0"],
      ...["minimize 0", "difference 1", "whatif 0", "lint 0"],
    ]);
    const answers = Object.fromEntries(lines.map(({ question, answer }) => [question, answer]));
    expect(answers.stale.result.machines[0].migrations[0].verdicts[0].best).toBe(1929);
    expect(answers.life.lives[0].writes).toBeGreaterThan(0);
    expect(answers.identify.identification.ranking[0].policy).toBe("linux-6.16");
    expect(answers.minimize.verdicts).toMatchObject([{ verdict: "lost" }, { verdict: "kept" }]);
    expect(answers.difference.difference.pages.onlyA.length).toBeGreaterThan(0);
  }

  test("a short program asks every question of the README and prints JSON", () => {
    cpSync(join(import.meta.dirname, "support/ask-all.mjs"), join(folder, "ask-all.mjs"));
    const program = join(folder, "ask.mjs");
    writeFileSync(
      program,
      `import { readdirSync, readFileSync } from "node:fs";
       import * as vhost from "vhost-replay";
       import { fileSource, loadCore, nodeSurroundings } from "vhost-replay/node";
       import { askAll } from "./ask-all.mjs";

       const [folder, trace, destination, image] = process.argv.slice(2);
       const surroundings = nodeSurroundings(() => {});
       const module = await loadCore();
       const open = (...files) => ({ sources: files.map((file) => fileSource(file)), surroundings, module });
       const files = readdirSync(folder + "/syncs").filter((name) => name.endsWith(".bin"));
       const file = (number) => files.find((name) => Number.parseInt(name, 10) === number);
       const observed = {
         name: folder,
         numbers: files.map((name) => Number.parseInt(name, 10)),
         file,
         read: async (number) => readFileSync(folder + "/syncs/" + file(number)),
       };
       const memory = { source: fileSource(image), destination: fileSource(image) };
       const scsi = open(folder + "/trace.txt.gz");
       const lines = await askAll(vhost, scsi, open(trace, destination), { observed, ...memory });
       console.log(lines.join("\\n"));`,
    );
    const image = join(folder, "memory.bin");
    writeFileSync(image, Buffer.alloc(8192));
    const run = spawnSync(process.execPath, [program, SCSI, ...SIDES, image], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    expect(run.stderr).toBe("");
    expectAnswers(run.stdout.trimEnd().split("\n"));
  });

  test("the same, bundled for a browser without a shim", async () => {
    writeFileSync(
      join(folder, "browser.mjs"),
      `import * as vhost from "vhost-replay";
       import { blobSource, webSurroundings } from "vhost-replay/web";
       import { askAll } from "./ask-all.mjs";

       globalThis.answers = (async ({ core, scsi, sides, syncs, memory }) => {
         const module = await vhost.compileCore(core);
         const surroundings = webSurroundings([]);
         const source = ([name, bytes]) => blobSource(name, new Blob([bytes]));
         const open = (files) => ({ sources: files.map(source), surroundings, module });
         const observed = {
           name: "syncs",
           numbers: syncs.map((_, number) => number),
           file: (number) => String(number),
           read: async (number) => syncs[number],
         };
         const image = source(["memory.bin", memory]);
         const more = { observed, source: image, destination: image };
         return await askAll(vhost, open(scsi), open(sides), more);
       })(globalThis.given);`,
    );
    const bundle = await rolldown({
      input: join(folder, "browser.mjs"),
      platform: "browser",
      // What is not found, or only in Node.js, is an error, not an import that is left in.
      external: [],
      onLog(_, log) {
        throw new Error(log.message);
      },
    });
    const { output } = await bundle.generate({ format: "iife" });
    const [{ code }] = output;
    expect(output).toHaveLength(1);
    expect(code).not.toMatch(/\bfrom ["']node:|\brequire\(/);
    const bytes = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
    const syncs = readdirSync(join(SCSI, "syncs")).filter((name) => name.endsWith(".bin"));
    const context = createContext({
      ...BROWSER,
      given: {
        core: bytes(join(ROOT, "build/core.wasm")),
        scsi: [["trace.txt.gz", bytes(join(SCSI, "trace.txt.gz"))]],
        sides: SIDES.map((path) => [basename(path), bytes(path)]),
        syncs: syncs.sort().map((name) => bytes(join(SCSI, "syncs", name))),
        memory: new Uint8Array(8192),
      },
    });
    runInContext(code, context);
    expectAnswers(await context.answers);
  });
});

/** Of what a browser has, what Node.js has too; neither `process` nor `Buffer` nor `require`. */
const BROWSER = {
  ...{ Blob, DecompressionStream, ReadableStream, Response, TextDecoder, TextEncoder, URL },
  ...{ AbortController, AbortSignal, WebAssembly, crypto, performance, structuredClone },
  ...{ clearInterval, clearTimeout, queueMicrotask, setInterval, setTimeout },
};
