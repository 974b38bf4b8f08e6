/** Runs commands under bench/reference/timeit.c, and says what an event costs apart from the start. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { compileTimeit } from "./compile.mjs";

/**
 * Nothing else of the environment is passed on: a variable such as NODE_EXTRA_CA_CERTS alone makes the
 * start of Node.js 2.6 times as dear.
 */
const CLEAN = { PATH: process.env.PATH, LC_ALL: "C" };

/**
 * Seconds of CPU (user + system, all descendants) and of wall time, and the largest resident set
 * in bytes (mapped file pages count). Standard output is read through a pipe: some tools stop
 * early when it is the null device. Throws when the command's exit status is none of `statuses`.
 */
export function measure(command, statuses = [0]) {
  const run = spawnSync(compileTimeit(), command, {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: CLEAN,
    maxBuffer: 1 << 28,
  });
  if (run.error) throw run.error;
  const usage = JSON.parse(String(run.output[3]));
  if (!statuses.includes(usage.status)) {
    throw new Error(`${command.join(" ")}: exit status ${usage.status}\n${run.stderr}`);
  }
  return { cpu: usage.user + usage.sys, wall: usage.wall, peak: usage.peak, out: `${run.stdout}` };
}

/**
 * Runs the contenders in turn, round after round, and those that are too slow for it `once`: its
 * sample is kept, because another form may run the same command. Returns the samples of each; one
 * that fails is left out, and `failed(contender, error)` told.
 */
export function measureInTurn(contenders, rounds, failed) {
  const samples = new Map(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [contender, taken] of [...samples]) {
      try {
        if (!contender.once) taken.push(measure(contender.command, contender.statuses));
        else if (round === 0) taken.push(measureOnce(contender));
      } catch (error) {
        samples.delete(contender);
        failed(contender, error);
      }
    }
  }
  return samples;
}

const kept = new Map();

function measureOnce({ command, statuses }) {
  const key = command.join("\0");
  if (!kept.has(key)) kept.set(key, measure(command, statuses));
  return kept.get(key);
}

/**
 * From the CPU seconds of two inputs that differ in the number of events: nanoseconds an event, and
 * milliseconds that do not depend on it. Not negative: what is below the noise is none.
 */
export function costOf(small, large) {
  const perEvent = Math.max(0, (large.cpu - small.cpu) / (large.events - small.events));
  return { ns: perEvent * 1e9, fixedMs: Math.max(0, small.cpu - perEvent * small.events) * 1e3 };
}

/** Whether a program is on the PATH, or a file exists. */
export function isThere(program) {
  if (program.includes("/")) return existsSync(program);
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
