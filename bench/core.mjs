/**
 * Micro-benchmarks of the core against the same in C (bench/reference/marks.c): marking, sync and
 * clearing, for guests and descriptors of several sizes. Counts must agree. Least CPU time of all rounds.
 *
 *   node bench/core.mjs [--rounds 9] [--count 200000]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileMarks, DATA } from "./compile.mjs";
import { openCore } from "./core/adapter.mjs";

const GIB = 2 ** 30;
const KIB = 1024;
/** Causes the descriptors are spread over; a row's masks are picked from them. */
const CAUSES = [0, 6, 7, 11];
const WINDOW = CAUSES.reduce((mask, cause) => mask | (1 << cause), 0);
/** name, guest bytes, shortest and longest descriptor, alignment, policies. */
const CASES = [
  ["16 GiB, one page", 16 * GIB, 4 * KIB, 4 * KIB, 4 * KIB, 2],
  ["16 GiB, 64 KiB to 1 MiB", 16 * GIB, 64 * KIB, 1024 * KIB, 64 * KIB, 2],
  ["16 GiB, unaligned", 16 * GIB, 512, 256 * KIB, 1, 2],
  ["16 GiB, unaligned, 1 policy", 16 * GIB, 512, 256 * KIB, 1, 1],
  ["16 GiB, unaligned, 8 policies", 16 * GIB, 512, 256 * KIB, 1, 8],
  ["1 TiB, one page", 1024 * GIB, 4 * KIB, 4 * KIB, 4 * KIB, 2],
  ["1 TiB, one page, 8 policies", 1024 * GIB, 4 * KIB, 4 * KIB, 4 * KIB, 8],
  ["16 TiB sparse, unaligned", 16384 * GIB, 512, 256 * KIB, 1, 2],
];

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    count: { type: "string", default: "200000" },
  },
});
const rounds = Number(values.rounds);
const marks = compileMarks();
mkdirSync(DATA, { recursive: true });

console.log("| case | mark ns C | Wasm | ratio | sync us C | Wasm | ratio | clear us C | Wasm |");
console.log("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
for (const [name, guest, shortest, longest, alignment, policies] of CASES) {
  const bytes = descriptors(Number(values.count), guest, shortest, longest, alignment);
  const rows = Array.from({ length: policies }, (_, i) => ({ window: WINDOW, logs: logsOf(i) }));
  const c = runC(bytes, rows);
  const wasm = await runWasm(bytes, rows);
  if (JSON.stringify(c.rows) !== JSON.stringify(wasm.rows)) {
    throw new Error(
      `${name}: counts differ: ${JSON.stringify(c.rows)} ${JSON.stringify(wasm.rows)}`,
    );
  }
  const cells = ["mark", "sync", "clear"].flatMap((what) => {
    const [a, b] = [c, wasm].map((run) => Math.min(...run.rounds.map((round) => round[what])));
    return what === "clear" ? [a.toFixed(1), b.toFixed(1)] : [a, b, b / a].map((v) => v.toFixed(2));
  });
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
console.log("\n* not run: roaring, roaring-wasm (not installed); run iteration (not written yet)");

/** Policy `i` logs the first causes only, so that all differ a little. */
function logsOf(i) {
  return CAUSES.slice(0, 1 + (i % CAUSES.length)).reduce((mask, cause) => mask | (1 << cause), 0);
}

/** Same descriptors in every run: a fixed linear congruential sequence. */
function descriptors(count, guest, shortest, longest, alignment) {
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const align = (value) => Math.floor(value / alignment) * alignment;
  const bytes = new Uint8Array(count * 16);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 16) {
    const length = align(shortest + random() * (longest - shortest));
    const gpa = align(random() * (guest - longest));
    view.setBigUint64(at, BigInt(gpa), true);
    view.setUint32(at + 8, length, true);
    view.setUint32(at + 12, CAUSES[(at >> 4) % CAUSES.length], true);
  }
  return bytes;
}

function runC(bytes, rows) {
  const file = join(DATA, "descriptors.bin");
  writeFileSync(file, bytes);
  const masks = rows.map(({ window, logs }) => `${window}:${logs}`);
  return JSON.parse(execFileSync(marks, [file, String(rounds), ...masks], { encoding: "utf8" }));
}

/** Of this process: wall time says more of the other programs on the machine. */
function cpuMicroseconds() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function runWasm(bytes, rows) {
  const core = await openCore(rows);
  core.load(bytes);
  const result = { rounds: [], rows: [] };
  for (let round = 0; round < rounds; round++) {
    const start = cpuMicroseconds();
    core.mark();
    const marked = cpuMicroseconds();
    result.rows = core.sync();
    const synced = cpuMicroseconds();
    core.clear();
    result.rounds.push({
      mark: ((marked - start) * 1e3) / (bytes.length / 16),
      sync: synced - marked,
      clear: cpuMicroseconds() - synced,
    });
  }
  return result;
}
