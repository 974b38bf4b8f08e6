/**
 * `npm run soak -- [--runs 3000] [--busy N] [--limit 60]`: many short runs beside busy work, none of
 * which may hang. Before the event loop was held and garbage collected at the end (src/node/run-program.ts)
 * one run in about 500 did. Exit status 1 when a run hangs or answers differently.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dirname, "..");
const CLI = join(ROOT, "dist/cli/cli.js");
const RECORDING = join(ROOT, "traces/vhost-scsi/6.1.0-50-amd64/12-toggle/trace.dat");
const COMMANDS = [
  ["stale", RECORDING],
  ["report", RECORDING, "--json"],
  ["info", RECORDING],
];
const EVERY = 100;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3000" },
    busy: { type: "string", default: String(2 * availableParallelism()) },
    limit: { type: "string", default: "60" },
  },
});
const runs = Number(values.runs);

/** Runs a command; null for the answer of one that had to be ended. */
function run(args) {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, Number(values.limit) * 1000);
  return new Promise((resolve) =>
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve(hung ? null : `${status} ${out}`);
    }),
  );
}

const busy = Array.from({ length: Number(values.busy) }, () =>
  spawn(process.execPath, ["--eval", "for (;;);"], { stdio: "ignore" }),
);
process.on("exit", () => {
  for (const child of busy) child.kill("SIGKILL");
});
process.on("SIGINT", () => process.exit(130));

const right = new Map();
let hangs = 0;
let differ = 0;
for (let i = 0; i < runs; i++) {
  const args = COMMANDS[i % COMMANDS.length];
  const answer = await run(args);
  if (answer === null) {
    hangs++;
    console.log(`run ${i}: ${args[0]} hung`);
    continue;
  }
  if (!right.has(args)) right.set(args, answer);
  else if (right.get(args) !== answer) {
    differ++;
    console.log(`run ${i}: ${args[0]} answered differently`);
  }
  if ((i + 1) % EVERY === 0) console.log(`${i + 1} of ${runs} runs, ${hangs} hangs`);
}
console.log(`${runs} runs beside ${busy.length} busy programs: ${hangs} hangs, ${differ} differ`);
process.exit(hangs + differ === 0 ? 0 : 1);
