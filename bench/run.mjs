/**
 * `npm run bench`: builds the inputs when missing, runs every contender in turn on the same input,
 * interleaved, and prints one table a form.
 *
 *   node bench/run.mjs [--size 1G] [--rounds 5] [--only text,none,zstd] [--from DIR] [--write]
 */
import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileLibtracecmd, compileReference, DATA } from "./compile.mjs";
import { CLI, contendersFor, NEVER_RUN } from "./contenders.mjs";
import { makeInputs, parseSize } from "./make-input.mjs";
import { isThere, measure, median } from "./measure.mjs";
import { compareImages, sameAnswers } from "./same-sets.mjs";

const FORMS = { text: "ftrace text", none: "trace.dat v7, none", zstd: "trace.dat v7, zstd" };

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "1G" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: Object.keys(FORMS).join() },
    from: { type: "string" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds: expected 1 or more");
const forms = values.only.split(",");
for (const form of forms) {
  if (!(form in FORMS)) throw new Error(`--only: expected ${Object.keys(FORMS)}, found ${form}`);
}

const { replay } = compileReference();
const libtracecmd = compileLibtracecmd();
const inputs = makeInputs({
  size: parseSize(values.size),
  ...(values.from === undefined ? {} : { from: values.from }),
});
const report = [];
let failed = false;
let answer;
for (const form of forms) {
  try {
    benchForm(form, inputs[form]);
  } catch (error) {
    failed = true;
    print(`\nFAILED: ${error.message}`);
  }
}
print("", ...NEVER_RUN.map((what) => `- not run: ${what}`));
if (values.write)
  writeFileSync(join(import.meta.dirname, "RESULTS.md"), `${header()}${report.join("\n")}\n`);
if (failed) process.exitCode = 1;

function benchForm(form, file) {
  const bytes = statSync(file).size;
  const first = measure([replay, file]);
  const events = Number(/^total events=(\d+)/m.exec(first.out)[1]);
  print(
    `${report.length > 0 ? "\n" : ""}## ${FORMS[form]}: ${(bytes / 1e6).toFixed(0)} MB, ${(events / 1e6).toFixed(2)} M events\n`,
  );
  answer ??= first.out;
  if (libtracecmd !== null && form !== "text") {
    const { out } = measure([libtracecmd, file]);
    if (!sameAnswers(answer, out)) throw new Error("libtracecmd reader and reference differ");
  }
  if (!sameAnswers(answer, first.out)) throw new Error("the forms do not hold the same events");
  const all = contendersFor(form, file, join(DATA, "out"), { replay, libtracecmd });
  const present = all.filter((contender) => isThere(contender.needs));
  for (const { name } of all.filter((one) => !present.includes(one))) print(`- skipped: ${name}`);
  if (isThere(CLI)) print(`- sets: ${compareImages(file, replay, join(DATA, "sets"))}`);
  const runs = new Map(present.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of [...present]) {
      try {
        runs.get(contender).push(measure(contender.command, contender.statuses));
      } catch (error) {
        failed = true;
        present.splice(present.indexOf(contender), 1);
        runs.delete(contender);
        print(`- FAILED: ${contender.name}: ${error.message.split("\n").at(-2) ?? error.message}`);
      }
    }
  }
  printTable(runs, events);
}

function printTable(runs, events) {
  const rows = [["contender", "CPU s", "wall s", "M events/s", "peak MB", "x reference"]];
  let reference;
  for (const [contender, samples] of runs) {
    const cpu = median(samples.map((sample) => sample.cpu));
    reference ??= cpu;
    rows.push([
      contender.name,
      cpu.toFixed(3),
      median(samples.map((sample) => sample.wall)).toFixed(3),
      (events / cpu / 1e6).toFixed(2),
      (Math.max(...samples.map((sample) => sample.peak)) / 1e6).toFixed(0),
      (cpu / reference).toFixed(2),
    ]);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(" | ")} |`;
  const dashes = widths.map((width, i) => `${"-".repeat(width - 1)}${i === 0 ? "-" : ":"}`);
  print("", line(rows[0]), line(dashes), ...rows.slice(1).map(line));
}

function print(...lines) {
  for (const line of lines) {
    console.log(line);
    report.push(line);
  }
}

function header() {
  const compiler = execFileSync(process.env.CC ?? "gcc", ["--version"], { encoding: "utf8" });
  const date = new Date().toISOString().slice(0, 10);
  return `# Results of \`npm run bench\`

${date}, ${cpus()[0].model}, ${cpus().length} CPUs; Node.js ${process.versions.node}; ${compiler.split("\n")[0]}.
${values.size} of text, median of ${rounds} interleaved rounds. CPU is user + system of the whole process
tree, events/s are per CPU second, peak memory is the largest process and counts mapped files.
Load of the machine at the end, our own included: ${loadavg()
    .map((load) => load.toFixed(1))
    .join(", ")}.

`;
}
