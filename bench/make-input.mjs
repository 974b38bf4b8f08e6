/**
 * Builds the benchmark's inputs from one real recording: its events again and again, with later
 * times, other addresses and ring indices that go on, until the text has the size asked for; and
 * the same events as trace.dat, uncompressed and zstd.
 *
 *   node bench/make-input.mjs [--size 1G] [--from DIR]
 *
 * DIR holds trace.txt.gz and trace.dat of a recording in which every queue is idle at each sync.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { compileMkdat, DATA } from "./compile.mjs";
import { make, openOutput } from "./output.mjs";

const FROM = join(import.meta.dirname, "../traces/vhost-scsi-variants/6.1-long");
/** Addresses of the recording's buffers from here on are moved; the rings lie below. */
const MOVED_FROM = 2n ** 32n;
/** End of guest memory after moving. */
const GUEST_END = 64n << 30n;
/** From one round to the next: not a power of two, so that rounds do not repeat each other. */
const STRIDE = (3n << 29n) + 0x3000n;
/** Silence between two repetitions, microseconds. */
const PAUSE = 1000;
const EVENT = /^(.{16}-\d+ +\[\d+\] \S{5} +)(\d+)\.(\d{6})(: (\w+): .*)$/s;

/** `1G`, `256M`, `20000000` in bytes. */
export function parseSize(text) {
  const match = /^(\d+)([KMG]?)$/i.exec(text);
  if (!match) throw new Error(`--size: expected a number with K, M or G, found ${text}`);
  return Number(match[1]) * 1024 ** ["", "K", "M", "G"].indexOf(match[2].toUpperCase());
}

/** Paths of the inputs of this size, made when missing: { text, none, zstd }. */
export function makeInputs({ size, from = FROM }) {
  mkdirSync(DATA, { recursive: true });
  const base = join(DATA, `input-${size}`);
  const paths = { text: `${base}.txt`, none: `${base}.none.dat`, zstd: `${base}.zstd.dat` };
  make(paths.text, (part) => writeText(part, size, from));
  for (const form of ["none", "zstd"]) {
    make(paths[form], (part) =>
      execFileSync(compileMkdat(), [join(from, "trace.dat"), paths.text, part, form], {
        stdio: "inherit",
      }),
    );
  }
  return paths;
}

function writeText(path, size, from) {
  const recording = readFileSync(join(from, "trace.txt.gz"));
  const lines = gunzipSync(recording)
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "");
  const start = lines.findIndex((line) => line.includes("dirty_sync_end 0")) + 1;
  if (start === 0) throw new Error(`${from}: no sync 0`);
  const { events, rounds, span, popped, completed } = prepare(lines.slice(start));
  const { add, written, close } = openOutput(path);
  // How many events the recording had is not how many these are.
  const begin = lines.slice(0, start).filter((line) => !line.startsWith("# entries-in-buffer"));
  for (const line of begin) add(`${widenMemory(line)}\n`);
  for (let repeat = 0; written() < size; repeat++) {
    for (const event of events) {
      const time = event.time + repeat * span;
      const seconds = String(Math.floor(time / 1e6)).padStart(event.width);
      add(`${event.head}${seconds}.${String(time % 1e6).padStart(6, "0")}`);
      const pops = repeat * (popped.get(event.vq) ?? 0);
      const used = repeat * (completed.get(event.vq) ?? 0);
      add(`${event.rest(repeat * rounds + event.round, pops, used, repeat)}\n`);
    }
  }
  close();
}

/** Lines as functions of the repetition, and what one repetition adds to time and indices. */
function prepare(lines) {
  const events = [];
  const popped = new Map();
  const completed = new Map();
  let chainVq;
  let round = 0;
  const syncs = lines.filter((line) => line.includes("dirty_sync_begin")).length;
  for (const line of lines) {
    const match = EVENT.exec(line);
    if (!match) throw new Error(`not an event: ${line}`);
    const [, before, seconds, micros, text, name] = match;
    const vq = / vq=(\w+)/.exec(text)?.[1];
    if (name === "desc") chainVq = vq;
    if (name === "pop" && chainVq !== undefined) {
      popped.set(chainVq, (popped.get(chainVq) ?? 0) + 1);
      chainVq = undefined;
    }
    if (name === "used") completed.set(vq, (completed.get(vq) ?? 0) + 1);
    const head = before.trimEnd();
    const event = { head: `${head} `, width: before.length - head.length - 1 + seconds.length, vq };
    event.time = Number(seconds) * 1e6 + Number(micros);
    event.round = round;
    event.rest = restOf(name, text);
    // One sync a repetition: with one per round the images of a 1 GB input would fill the disk.
    if (/dirty_sync_begin/.test(text)) round++;
    if (!/dirty_sync/.test(text) || round === syncs) events.push(event);
  }
  for (const [vq, count] of popped) {
    if (completed.get(vq) !== count) throw new Error(`queue ${vq} is not idle at both ends`);
  }
  const span = events.at(-1).time - events[0].time + PAUSE;
  return { events, rounds: syncs, span, popped, completed };
}

/** What follows an event's time: (round, pops so far, completions so far, repetition) => text. */
function restOf(name, text) {
  if (name === "desc") {
    const [, before, gpa, after] = /^(.* gpa=0x)([0-9a-f]+)(.*)$/s.exec(text);
    const address = BigInt(`0x${gpa}`);
    if (address < MOVED_FROM) return () => text;
    const room = GUEST_END - 2n * MOVED_FROM;
    return (round) => {
      const shift = (BigInt(round) * STRIDE) % room;
      return `${before}${(address + shift).toString(16)}${after}`;
    };
  }
  if (name === "used") return indices(text, / idx=(\d+)/d, (_pops, used) => [used]);
  if (name === "rearm") return indices(text, / avail=(\d+)/d, (pops) => [pops]);
  if (name === "drain") {
    return indices(text, / avail=(\d+) used=(\d+)/d, (pops, used) => [pops, used]);
  }
  if (name === "tracing_mark_write") {
    const [, before] = /^(.*dirty_sync_(?:begin|end)) /.exec(text);
    return (_round, _pops, _used, repeat) => `${before} ${repeat + 1} r${repeat + 1}`;
  }
  return () => text;
}

/** Adds to the ring indices that `pattern` finds, modulo 2^16. */
function indices(text, pattern, shifts) {
  const match = pattern.exec(text);
  const pieces = [];
  const values = match.slice(1).map(Number);
  let at = 0;
  for (const [from, to] of match.indices.slice(1)) {
    pieces.push(text.slice(at, from));
    at = to;
  }
  const end = text.slice(at);
  return (_round, pops, used) => {
    const shift = shifts(pops, used);
    return pieces.map((piece, i) => `${piece}${(values[i] + shift[i]) % 65536}`).join("") + end;
  };
}

/** Lets the memory region of the moved buffers reach to the end of the guest. */
function widenMemory(line) {
  return line.replace(
    new RegExp(`(: mem: .* start=0x${MOVED_FROM.toString(16)} last=)0x[0-9a-f]+`),
    `$10x${(GUEST_END - 1n).toString(16)}`,
  );
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: { size: { type: "string", default: "1G" }, from: { type: "string", default: FROM } },
  });
  console.log(makeInputs({ size: parseSize(values.size), from: values.from }));
}
