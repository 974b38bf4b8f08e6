/**
 * How long it takes before anything is seen: `--help` and the report of a small recording, as a
 * ratio to Node.js doing nothing.
 *
 *   node bench/start-up.mjs [--rounds 15]
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { DATA } from "./compile.mjs";
import { CLI } from "./contenders.mjs";
import { isThere, measureInTurn, median } from "./measure.mjs";
import { ratio, table } from "./table.mjs";

const TRACES = join(import.meta.dirname, "../traces/vhost-scsi/6.1.0-50-amd64");
/** 1.0 MB, most of it formats and symbols; the events are 73 kB as text. */
const DAT = join(TRACES, "12-toggle/trace.dat");
const TEXT_BYTES = 100_000;

/** Fewer rounds say nothing of runs of a tenth of a second. */
export const LEAST_ROUNDS = 15;

/** Runs everything; returns the lines of the table. */
export function benchStartUp(rounds) {
  if (!isThere(CLI)) return ["- skipped: vhost-replay (not built)"];
  const own = (name, ...args) => ({
    name,
    statuses: [0, 1],
    command: [process.execPath, CLI, ...args],
  });
  const contenders = [
    { name: "node -e 0", command: [process.execPath, "-e", "0"] },
    own("vhost-replay --help", "--help"),
    own("vhost-replay report, 100 kB of text", "report", smallText(), "--quiet"),
    own("vhost-replay report, zstd trace.dat of 1 MB", "report", DAT, "--quiet"),
  ];
  const samples = measureInTurn(contenders, rounds, (_contender, error) => {
    throw error;
  });
  const rows = [["command", "CPU ms", "wall ms", "x CPU", "x wall"]];
  let nothing;
  for (const [{ name }, taken] of samples) {
    const [cpu, wall] = ["cpu", "wall"].map((what) => median(taken.map((sample) => sample[what])));
    nothing ??= { cpu, wall };
    rows.push([
      name,
      (cpu * 1e3).toFixed(0),
      (wall * 1e3).toFixed(0),
      ratio(cpu / nothing.cpu),
      ratio(wall / nothing.wall),
    ]);
  }
  return table(rows);
}

/** The first 100 kB of a recording, cut at the end of a line. */
function smallText() {
  const path = join(DATA, "start-up.txt");
  mkdirSync(DATA, { recursive: true });
  const text = gunzipSync(readFileSync(join(TRACES, "06-writes/trace.txt.gz")));
  writeFileSync(path, text.subarray(0, text.lastIndexOf("\n", TEXT_BYTES) + 1));
  return path;
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: String(LEAST_ROUNDS) } },
  });
  console.log(benchStartUp(Number(values.rounds)).join("\n"));
}
