/**
 * What an event costs where a host is long in one dimension: the C reference and the report in turn, on
 * two sizes of each input of make-production-input.mjs.
 *
 *   node bench/production.mjs [--requests 200000] [--rounds 3]
 */
import { parseArgs } from "node:util";
import { compileReference } from "./compile.mjs";
import { CLI, EIGHT } from "./contenders.mjs";
import { makeRow, ROWS } from "./make-production-input.mjs";
import { costOf, isThere, measure, measureInTurn, median } from "./measure.mjs";
import { ratio, table } from "./table.mjs";

/** Of the smaller input. */
const SHARE = 8;

/** Runs every row; returns the lines of the table, and what is to be said beside it. */
export function benchProduction({ rounds, requests }) {
  if (!isThere(CLI)) return ["- skipped: vhost-replay (not built)"];
  const notes = [];
  const lines = ROWS.map((row) => {
    const count = row.requests ?? Math.floor(requests / (row.share ?? 1));
    return benchRow(row, [count, Math.ceil(count / SHARE)], rounds, notes);
  });
  const head = ["input", "M events", "C ns", "report ns", "x", "fixed ms", "CPU s", "peak MB"];
  return [...notes, ...(notes.length > 0 ? [""] : []), ...table([head, ...lines])];
}

function benchRow(row, counts, rounds, notes) {
  const { replay } = compileReference();
  const files = counts.map((count) => makeRow(row, count));
  const policies = row.eight ? EIGHT.flatMap((name) => ["--policy", name]) : [];
  const own = (file) => [process.execPath, CLI, "report", file, "--quiet", ...policies];
  const reference = files.map((file) => ({ command: [replay, "--read", "--quiet", file] }));
  const report = files.map((file) => ({ command: own(file), statuses: [0, 1, 3] }));
  const samples = measureInTurn([...reference, ...report], rounds, ({ command }, error) => {
    const who = command[0] === replay ? "the C reference" : "vhost-replay";
    const why = error.message.trim().split("\n").at(-1);
    notes.push(`- ${row.name}: ${who} refuses: ${why}`);
  });
  const [large, small] = report.map((one) => samples.get(one));
  const [theirs, theirSmall] = reference.map((one) => samples.get(one));
  const events = large ? files.map((file) => eventsOf(own(file))) : [];
  if (large && theirs) sameLost(row, own(files[0]), [replay, "--read", files[0]]);
  const cost = (less, more) =>
    less && more && events.length > 0
      ? costOf(cpuOf(less, events[1]), cpuOf(more, events[0]))
      : null;
  const [c, mine] = [cost(theirSmall, theirs), cost(small, large)];
  return [
    row.name,
    events.length === 0 ? "-" : (events[0] / 1e6).toFixed(2),
    c === null ? "-" : c.ns.toFixed(1),
    mine === null ? "-" : mine.ns.toFixed(1),
    c === null || mine === null ? "-" : ratio(mine.ns / c.ns),
    mine === null ? "-" : mine.fixedMs.toFixed(0),
    large ? cpuOf(large, 0).cpu.toFixed(2) : "-",
    large ? (Math.max(...large.map(({ peak }) => peak)) / 1e6).toFixed(0) : "-",
  ];
}

function cpuOf(samples, events) {
  return { cpu: median(samples.map(({ cpu }) => cpu)), events };
}

function eventsOf(command) {
  const { inputs } = JSON.parse(measure([...command, "--json"], [0, 1, 3]).out);
  return inputs[0].events.reduce((total, { count }) => total + count, 0);
}

/** Both find as many pages lost by the unpatched kernel, in all machines. */
function sameLost({ name, eight }, command, reference) {
  const { machines } = JSON.parse(measure([...command, "--json"], [0, 1, 3]).out);
  const policy = eight ? "linux-6.1" : "unpatched";
  const lost = machines.reduce((total, { policies }) => {
    const row = policies.find((one) => one.name === policy || one.alias === policy);
    return total + row.lost;
  }, 0);
  const theirs = Number(/ lost=(\d+)/.exec(measure(reference).out)[1]);
  if (lost !== theirs)
    throw new Error(`${name}: ${lost} pages lost, the C reference has ${theirs}`);
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      requests: { type: "string", default: "200000" },
      rounds: { type: "string", default: "3" },
    },
  });
  const [rounds, requests] = [Number(values.rounds), Number(values.requests)];
  console.log(benchProduction({ rounds, requests }).join("\n"));
}
