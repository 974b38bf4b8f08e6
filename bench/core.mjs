/**
 * Micro-benchmarks of the core against the same in C (bench/reference/marks.c) and, where they are
 * installed, against the npm packages roaring and roaring-wasm: marking, sync, popcount of
 * differences, runs, clearing. All must find the same pages. Least CPU time of all rounds.
 *
 *   node bench/core.mjs [--rounds 9] [--count 200000]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileMarks, DATA } from "./compile.mjs";
import { openCore } from "./core/adapter.mjs";
import { cases } from "./core/cases.mjs";
import { findRoaring, openRoaring } from "./core/roaring.mjs";
import { ratio, table } from "./table.mjs";

/** Fewer measure code that Wasm has not compiled well yet: three took up to 2.5 x as long (measured). */
export const LEAST_ROUNDS = 9;

/** Title, what is measured, which cases show it. */
const TABLES = [
  ["Mark: ns a descriptor", "mark", ({ policies }) => policies === 2],
  ["Sync: us, of so many policies", "sync", () => true],
  ["Popcount of differences (written and not logged): us, two policies", "differences", two],
  ["Sorted runs of the differences of one policy: us", "runs", two],
  ["Clear the round: us", "clear", two],
];

function two({ policies }) {
  return policies === 2;
}

/** Runs everything; returns the lines of all tables. */
export async function benchCore({ rounds, count }) {
  mkdirSync(DATA, { recursive: true });
  const contenders = [["Wasm core", openCore]];
  const skipped = [];
  for (const name of ["roaring", "roaring-wasm"]) {
    const Bitmap = findRoaring(name);
    if (Bitmap) contenders.push([name, (rows) => openRoaring(Bitmap, rows)]);
    else skipped.push(`- skipped: ${name} (not in bench/data/roaring)`);
  }
  const results = [];
  for (const one of cases(count)) {
    const runs = [runC(one, rounds)];
    for (const [name, open] of contenders) {
      const run = await runHere(await open(one.rows), one.bytes, rounds);
      compare(`${one.name}, ${one.policies} policies, ${name}`, runs[0].answers, run.answers);
      runs.push(run);
    }
    results.push({ ...one, runs });
  }
  const tables = TABLES.map(([title, what, shown]) => [
    `### ${title}`,
    "",
    ...tableOf(results.filter(shown), what, contenders),
  ]);
  return (skipped.length > 0 ? [skipped, ...tables] : tables).flatMap((lines, i) =>
    i === 0 ? lines : ["", ...lines],
  );
}

function tableOf(results, what, contenders) {
  const head = ["case", "C", ...contenders.flatMap(([name]) => [name, "x C"])];
  const rows = results.map(({ name, policies, runs }) => {
    const least = runs.map((run) => Math.min(...run.rounds.map((round) => round[what])));
    const cells = least.slice(1).flatMap((v) => [v.toFixed(1), ratio(v / least[0])]);
    return [`${name}${what === "sync" ? `, ${policies}` : ""}`, least[0].toFixed(1), ...cells];
  });
  return table([head, ...rows]);
}

function compare(what, expected, found) {
  const [a, b] = [expected, found].map((answers) => JSON.stringify(answers));
  if (a !== b) throw new Error(`${what}: answers differ:\n${a}\n${b}`);
}

function runC({ bytes, rows }, rounds) {
  const file = join(DATA, "descriptors.bin");
  writeFileSync(file, bytes);
  const masks = rows.map(({ window, logs }) => `${window}:${logs}`);
  const args = [file, String(rounds), ...masks];
  const result = JSON.parse(execFileSync(compileMarks(), args, { encoding: "utf8" }));
  const { rounds: measured, ...answers } = result;
  return { rounds: measured, answers };
}

/** Of this process: wall time says more of the other programs on the machine. */
function cpuMicroseconds() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function runHere(contender, bytes, rounds) {
  contender.load(bytes);
  const measured = [];
  let answers;
  for (let round = 0; round < rounds; round++) {
    const times = [cpuMicroseconds()];
    const step = (work) => {
      const result = work();
      times.push(cpuMicroseconds());
      return result;
    };
    step(() => contender.mark());
    answers = {
      rows: step(() => contender.sync()),
      differences: step(() => contender.differences()),
      runs: step(() => contender.runs()),
    };
    step(() => contender.clear());
    const [mark, sync, differences, runs, clear] = times.slice(1).map((time, i) => time - times[i]);
    measured.push({ mark: (mark * 1e3) / (bytes.length / 16), sync, differences, runs, clear });
  }
  contender.close?.();
  return { rounds: measured, answers };
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: String(LEAST_ROUNDS) },
      count: { type: "string", default: "200000" },
    },
  });
  const options = { rounds: Number(values.rounds), count: Number(values.count) };
  console.log((await benchCore(options)).join("\n"));
}
