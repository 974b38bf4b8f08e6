/**
 * `npm run bench`: builds the inputs when missing, runs every contender in turn on the same input,
 * interleaved, and prints one table a form; then start-up, and the core's operations alone.
 *
 *   node bench/run.mjs [--size 1G] [--rounds 5] [--only text,none,…] [--from DIR] [--write]
 */
import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileLibtracecmd, compileReference, DATA } from "./compile.mjs";
import { CLI, contendersFor, qemuContendersFor } from "./contenders.mjs";
import { benchCore, LEAST_ROUNDS as CORE_ROUNDS } from "./core.mjs";
import { makeInputs, parseSize } from "./make-input.mjs";
import { makeQemuInputs } from "./make-qemu-input.mjs";
import { costOf, isThere, measure, measureInTurn, median } from "./measure.mjs";
import { benchProduction } from "./production.mjs";
import { compareImages, compareQemuForms, sameAnswers } from "./same-sets.mjs";
import { benchStartUp, LEAST_ROUNDS as START_UP_ROUNDS } from "./start-up.mjs";
import { ratio, table } from "./table.mjs";

const KERNEL = { text: "ftrace text", none: "trace.dat v7, none", zstd: "trace.dat v7, zstd" };
const QEMU = { log: "QEMU log", simple: "simpletrace v4" };
const OTHERS = {
  production: "As production has it",
  "start-up": "Start-up",
  core: "Core operations alone",
};
/** Bytes of --size for one request of an input of production. */
const REQUEST_SHARE = 4000;
const FORMS = { ...KERNEL, ...QEMU, ...OTHERS };
/** Of the smaller input, from which the cost that does not depend on events is told. */
const SMALL_SHARE = 8;
/** QEMU's inputs are a fourth of the size: its own reader needs half a minute for 256 MB. */
const QEMU_SHARE = 4;
const CORE_COUNT = 200_000;

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
const size = parseSize(values.size);
const forms = values.only.split(",");
for (const form of forms) {
  if (!(form in FORMS)) throw new Error(`--only: expected ${Object.keys(FORMS)}, found ${form}`);
}

const report = [];
let failed = false;
/** The reference's answer to the first form: the others have to give the same. */
let answer;
/** Made and compared with the first form of each kind. */
let kernel;
let qemu;
for (const form of forms) {
  try {
    if (form in KERNEL) benchKernelForm(form);
    else if (form in QEMU) benchQemuForm(form);
    else if (form === "production") {
      const requests = Math.round(size / REQUEST_SHARE);
      title(
        `${OTHERS[form]}: median of ${rounds} rounds, ${requests} requests where nothing else is said`,
      );
      print(...benchProduction({ rounds, requests }));
    } else if (form === "start-up") {
      const many = Math.max(rounds, START_UP_ROUNDS);
      title(`${OTHERS[form]}: median of ${many} rounds`);
      print(...benchStartUp(many));
    } else {
      const many = Math.max(rounds, CORE_ROUNDS);
      title(`${OTHERS[form]}: least CPU time of ${many} rounds, ${CORE_COUNT} descriptors`);
      print(...(await benchCore({ rounds: many, count: CORE_COUNT })));
    }
  } catch (error) {
    failed = true;
    print(`\nFAILED: ${error.message}`);
  }
}
if (values.write)
  writeFileSync(join(import.meta.dirname, "RESULTS.md"), `${header()}${report.join("\n")}\n`);
if (failed) process.exitCode = 1;

function benchKernelForm(form) {
  const from = values.from === undefined ? {} : { from: values.from };
  kernel ??= {
    inputs: makeInputs({ size, ...from }),
    small: makeInputs({ size: Math.round(size / SMALL_SHARE), ...from }),
    programs: { ...compileReference(), libtracecmd: compileLibtracecmd() },
  };
  const file = kernel.inputs[form];
  const small = kernel.small[form];
  const { replay, libtracecmd } = kernel.programs;
  const first = measure([replay, file]);
  const events = eventsOf(first);
  titleOf(form, file, events);
  answer ??= first.out;
  if (libtracecmd !== null && form !== "text") {
    const { out } = measure([libtracecmd, file]);
    if (!sameAnswers(answer, out)) throw new Error("libtracecmd reader and reference differ");
  }
  if (!sameAnswers(answer, first.out)) throw new Error("the forms do not hold the same events");
  if (isThere(CLI)) print(`- sets: ${compareImages(file, replay, join(DATA, "sets"))}`);
  const out = join(DATA, "out");
  benchAll(contendersFor(form, file, out, kernel.programs), events, {
    contenders: contendersFor(form, small, out, kernel.programs),
    events: eventsOf(measure([replay, small])),
  });
}

/** The number of events that the reference counted. */
function eventsOf({ out }) {
  return Number(/^total events=(\d+)/m.exec(out)[1]);
}

function benchQemuForm(form) {
  qemu ??= makeQemuInputs(Math.round(size / QEMU_SHARE));
  const small = makeQemuInputs(Math.round(size / QEMU_SHARE / SMALL_SHARE));
  titleOf(form, qemu[form], qemu.events);
  if (isThere(CLI)) {
    qemu.same ??= compareQemuForms(qemu, join(DATA, "sets"));
    print(`- sets: ${qemu.same}`);
  }
  const out = join(DATA, "out");
  const times = benchAll(qemuContendersFor(form, qemu, out), qemu.events, {
    contenders: qemuContendersFor(form, small, out),
    events: small.events,
  });
  const [[slowest, slow], ...others] = times;
  if (!slowest.startsWith("simpletrace.py")) return;
  print("");
  for (const [name, cpu] of others.filter(([name]) => name.startsWith("vhost-replay"))) {
    print(`- ${name}: ${(slow / cpu).toFixed(0)} x the events of simpletrace.py per CPU second`);
  }
}

/**
 * Runs who is there, says who is not, prints the table. `small`: the same contenders on the smaller input
 * of the form. Returns [name, CPU seconds] of each.
 */
function benchAll(contenders, events, small) {
  const isPresent = ({ needs = [] }) => needs.every(isThere);
  const present = contenders.filter(isPresent);
  for (const one of contenders) if (!isPresent(one)) print(`- skipped: ${one.name}`);
  for (const one of present) if (one.once) print(`- one round: ${one.name}`);
  // The smaller input's runs stand between the others', so that both see the same machine.
  const smaller = small.contenders.filter(isPresent);
  const runs = measureInTurn(
    present.flatMap((one, i) => [one, smaller[i]]),
    rounds,
    ({ name }, error) => {
      failed = true;
      print(`- FAILED: ${name}: ${error.message.split("\n").at(-2) ?? error.message}`);
    },
  );
  const both = present.flatMap((contender, i) => {
    const [large, less] = [runs.get(contender), runs.get(smaller[i])];
    return large && less ? [{ contender, large, less }] : [];
  });
  return printTable(both, events, small.events);
}

function printTable(runs, events, smallEvents) {
  const head = ["contender", "CPU s", "wall s", "peak MB", "x reference"];
  const rows = [[...head, "ns an event", "fixed ms", "x reference an event"]];
  const times = [];
  let first;
  for (const { contender, large, less } of runs) {
    const cpu = median(large.map((sample) => sample.cpu));
    times.push([contender.name, cpu]);
    const { ns, fixedMs } = costOf(
      { cpu: median(less.map((sample) => sample.cpu)), events: smallEvents },
      { cpu, events },
    );
    first ??= ns;
    rows.push([
      contender.name,
      cpu.toFixed(3),
      median(large.map((sample) => sample.wall)).toFixed(3),
      (Math.max(...large.map((sample) => sample.peak)) / 1e6).toFixed(0),
      ratio(cpu / times[0][1]),
      ns.toFixed(1),
      fixedMs.toFixed(0),
      ratio(ns / first),
    ]);
  }
  print("", ...table(rows));
  return times;
}

function titleOf(form, file, events) {
  const megabytes = (statSync(file).size / 1e6).toFixed(0);
  title(`${FORMS[form]}: ${megabytes} MB, ${(events / 1e6).toFixed(2)} M events`);
}

function title(text) {
  print(...(report.length > 0 ? [""] : []), `## ${text}`, "");
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
${values.size} of text, median of ${rounds} interleaved rounds, in an environment with a PATH and nothing else.
CPU is user + system of the whole process tree, peak memory is the largest process and counts mapped files.
What an event costs, and what does not depend on events, is told from this input and one with an
eighth of its size.
Load of the machine at the end, our own included: ${loadavg()
    .map((load) => load.toFixed(1))
    .join(", ")}.

`;
}
