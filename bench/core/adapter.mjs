/**
 * The only file of the micro-benchmarks that knows the core's names. Interface:
 *
 *   const core = await openCore(rows)      rows: [{ window, logs }], masks of causes
 *   core.load(bytes)                       16-byte descriptors: u64 gpa, u32 length, u32 cause
 *   core.mark()                            marks all of them
 *   core.sync()                            → [{ written, logged, lost, stale }] per row
 *   core.differences()                     → pages written and not logged, per row
 *   core.runs()                            → runs of these pages of row 0: { runs, pages, starts }
 *   core.clear()                           empties the round's planes
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addRun } from "./run-totals.mjs";

const ROOT = join(import.meta.dirname, "../..");
const BUILD = join(ROOT, "build/bench");
const BATCH = 4096;
/** src/core/core.ts, RUN_BATCH. */
const RUN_BATCH = 1024;
// assembly/page-abi.ts: ROW_*, COUNT_*.
const ROW_SIZE = 16;
const COUNTS_SIZE = 56;
const COUNTS = { written: 0, logged: 8, lost: 16, stale: 40 };

function compileHarness() {
  mkdirSync(BUILD, { recursive: true });
  const source = readFileSync(join(import.meta.dirname, "harness.as"), "latin1");
  writeFileSync(join(BUILD, "harness.ts"), source.replaceAll("ASSEMBLY/", "../../assembly/"));
  const flags = "--runtime stub --optimizeLevel 3 --shrinkLevel 0 --converge --noAssert";
  const memory = "--initialMemory 16 --maximumMemory 65536 --enable simd --enable bulk-memory";
  const files = [
    "build/bench/harness.ts",
    "--config",
    "none",
    "--outFile",
    "build/bench/core.wasm",
  ];
  const asc = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
  const args = [asc, ...files, ...flags.split(" "), ...memory.split(" ")];
  execFileSync(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
  return readFileSync(join(BUILD, "core.wasm"));
}

let compiled;

export async function openCore(rows) {
  compiled ??= await WebAssembly.compile(compileHarness());
  const abort = () => {
    throw new Error("the core aborted");
  };
  const { exports: core } = await WebAssembly.instantiate(compiled, { env: { abort } });
  if (!core.prepare(rows.length)) throw new Error("out of memory");
  for (const [i, { window, logs }] of rows.entries()) {
    const view = new DataView(core.memory.buffer);
    view.setBigUint64(core.rowTablePtr() + i * ROW_SIZE, BigInt(window), true);
    view.setBigUint64(core.rowTablePtr() + i * ROW_SIZE + 8, BigInt(logs), true);
  }
  const scratch = core.allocate(RUN_BATCH * 8);
  if (scratch === 0) throw new Error("out of memory");
  let at = 0;
  let count = 0;
  return {
    load(bytes) {
      at = core.allocate(bytes.length);
      if (at === 0) throw new Error("out of memory");
      count = bytes.length / 16;
      new Uint8Array(core.memory.buffer, at, bytes.length).set(bytes);
    },
    /** In batches, as one long call stays in the baseline tier. */
    mark() {
      for (let i = 0; i < count; i += BATCH)
        core.markBatch(at + i * 16, Math.min(BATCH, count - i));
    },
    sync() {
      core.syncRound();
      const view = new DataView(core.memory.buffer);
      return rows.map((_, i) => {
        const read = (offset) =>
          Number(view.getBigUint64(core.countsPtr() + i * COUNTS_SIZE + offset, true));
        return Object.fromEntries(
          Object.entries(COUNTS).map(([name, offset]) => [name, read(offset)]),
        );
      });
    },
    differences: () => rows.map((_, i) => core.differences(i)),
    /** As src/core/core.ts reads runs. */
    runs() {
      const result = { runs: 0, pages: 0, starts: 0 };
      let from = 0;
      while (true) {
        const n = core.runs(0, from, RUN_BATCH, scratch);
        const view = new DataView(core.memory.buffer);
        for (let i = 0; i < n; i++) {
          const first = view.getUint32(scratch + i * 8, true);
          const pages = view.getUint32(scratch + i * 8 + 4, true);
          addRun(result, first, pages);
          from = first + pages;
        }
        if (n < RUN_BATCH || from > 0xffffffff) return result;
      }
    },
    clear: () => core.clear(),
  };
}
