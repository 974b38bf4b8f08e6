/** Compiles the C programs of bench/reference/ into bench/data/bin/ with the system's compiler. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

export const DATA = join(import.meta.dirname, "data");
const BIN = join(DATA, "bin");
const SOURCE = join(import.meta.dirname, "reference");
/** Debian has the library without the development package: name the file, not `-lzstd`. */
const ZSTD = "-l:libzstd.so.1";
const FLAGS = ["-O3", "-march=native", "-flto", "-Wall", "-Wextra", "-std=gnu11"];
const HEADERS = ["replay.h", "datfile.h"];

function compile(name, sources, libraries) {
  const output = join(BIN, name);
  const inputs = sources.map((source) => join(SOURCE, source));
  const newest = Math.max(
    ...[...inputs, ...HEADERS.map((header) => join(SOURCE, header))].map(
      (p) => statSync(p).mtimeMs,
    ),
  );
  const built = statSync(output, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (built < newest) {
    mkdirSync(BIN, { recursive: true });
    execFileSync(process.env.CC ?? "gcc", [...FLAGS, "-o", output, ...inputs, ...libraries], {
      stdio: "inherit",
    });
  }
  return output;
}

/** The replay itself. */
export function compileReference() {
  const sources = ["replay.c", "model.c", "text.c", "dat.c", "datfile.c"];
  return { replay: compile("replay", sources, [ZSTD]) };
}

/** The same replay on trace-cmd's library; null where its development package is not installed. */
export function compileLibtracecmd() {
  const flags = spawnSync("pkg-config", ["--cflags", "--libs", "libtracecmd"], {
    encoding: "utf8",
  });
  if (flags.status !== 0) return null;
  return compile("libtracecmd", ["libtracecmd.c", "model.c"], flags.stdout.trim().split(/\s+/));
}

/** Turns text into trace.dat. */
export function compileMkdat() {
  return compile("mkdat", ["mkdat.c", "datfile.c"], [ZSTD]);
}

/** Runs a command and prints what it used. */
export function compileTimeit() {
  return compile("timeit", ["timeit.c"], []);
}

/** Core operations alone. */
export function compileMarks() {
  return compile("marks", ["marks.c"], []);
}
