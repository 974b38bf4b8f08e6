/**
 * Builds the inputs of QEMU's forms from one real migration of a guest on QEMU's own devices: its
 * setup, two of its passes again and again, its switchover. The log, and the same events as
 * simpletrace. One repetition has later times and other addresses than the one before it.
 *
 *   node bench/make-qemu-input.mjs [--size 256M]
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { DATA } from "./compile.mjs";
import { parseSize } from "./make-input.mjs";
import { make, openOutput } from "./output.mjs";
import { argumentsOf, NAMES, TRACE_EVENTS_ALL } from "./qemu-events.mjs";

/** No element is in flight at either end of any of the three parts. */
const FROM = join(import.meta.dirname, "recordings/qemu-10.0");
/** Without a memory map, pc.ram below 2 GiB is guest memory of the same address. */
const MEMORY = 2 ** 31;
/** RAM of the recorded guest: what is moved has to stay below MEMORY. */
const GUEST = 192 * 2 ** 20;
/** From one repetition to the next: not a power of two, so that wrapping repeats nothing. */
const STRIDE = 0x5003000;
/** Silence between two repetitions, microseconds. */
const PAUSE = 1000n;
/** Arguments that are addresses in the guest's memory. */
const MOVED = { address_space_map: [1], ram_save_page: [1, 2] };
const LINE = /^(\d+@)(\d+)\.(\d{6}):(\w+) (.*)$/;
const PID = 4242;

/**
 * Paths of a log of about this size and of its simpletrace, made when missing, and what they hold:
 * { log, simple, schema, events, elements, syncs }.
 */
export function makeQemuInputs(size) {
  mkdirSync(DATA, { recursive: true });
  const base = join(DATA, `input-${size}.qemu`);
  const [setup, passes, switchover] = ["setup", "passes", "switchover"].map(readPart);
  const span = passes.at(-1).time - passes[0].time + PAUSE;
  const repetitions = Math.max(1, Math.round(size / lengthOf(passes)));
  function* all() {
    for (const event of setup) yield [event, 0n, 0];
    for (let i = 0; i < repetitions; i++) {
      for (const event of passes) yield [event, BigInt(i) * span, shiftOf(i)];
    }
    const last = repetitions - 1;
    for (const event of switchover) yield [event, BigInt(last) * span, shiftOf(last)];
  }
  const counted = (name) => {
    const [a, b, c] = [setup, passes, switchover].map((part) =>
      name === undefined ? part.length : part.filter((event) => event.name === name).length,
    );
    return a + repetitions * b + c;
  };
  const inputs = {
    log: `${base}.log`,
    simple: `${base}.simpletrace`,
    schema: join(DATA, "trace-events-all"),
    events: counted(),
    elements: counted("virtqueue_fill"),
    syncs: counted("migration_bitmap_sync_start"),
  };
  make(inputs.log, (part) => writeLog(part, all()));
  make(inputs.simple, (part) => writeSimpletrace(part, all()));
  // The product looks for it beside a simpletrace.
  writeFileSync(inputs.schema, TRACE_EVENTS_ALL);
  return inputs;
}

function lengthOf(part) {
  return part.reduce((sum, { length }) => sum + length, 0);
}

function shiftOf(repetition) {
  return (repetition * STRIDE) % (MEMORY - GUEST);
}

/** A part of the recording: its events with the arguments that move. */
function readPart(name) {
  const lines = gunzipSync(readFileSync(join(FROM, `${name}.log.gz`))).toString("latin1");
  return lines.trimEnd().split("\n").map(prepare);
}

function prepare(line) {
  // The last line of a part may have lost the blank behind a name without arguments.
  const match = LINE.exec(line) ?? LINE.exec(`${line} `);
  if (!match) throw new Error(`not an event: ${line}`);
  const [, thread, seconds, micros, event, text] = match;
  const args = argumentsOf(event, text);
  // Only pc.ram is guest memory of the same address.
  const isRam = event !== "ram_save_page" || args[0].value === "pc.ram";
  const moved = (isRam && MOVED[event]) || [];
  return {
    name: event,
    length: line.length + 1,
    time: BigInt(seconds) * 1_000_000n + BigInt(micros),
    thread,
    ...splitText(`${event} ${text}\n`, event.length + 1, args, moved),
    ...recordOf(event, args, moved),
  };
}

/** A line's text as pieces between the addresses that move, which are printed in hexadecimal. */
function splitText(text, offset, args, moved) {
  const pieces = [];
  const addresses = [];
  let at = 0;
  for (const index of moved) {
    const { value, to } = args[index];
    const digits = value.toString(16).length;
    pieces.push(text.slice(at, offset + to - digits));
    addresses.push(Number(value));
    at = offset + to;
  }
  return { pieces: [...pieces, text.slice(at)], addresses };
}

/** A record of simpletrace version 4, and where in it the addresses stand that move. */
function recordOf(name, args, moved) {
  const parts = args.map(({ value }) => {
    const isText = typeof value === "string";
    const part = Buffer.alloc(isText ? 4 + value.length : 8);
    if (isText) {
      part.writeUInt32LE(value.length);
      part.write(value, 4, "latin1");
    } else part.writeBigUInt64LE(BigInt.asUintN(64, value));
    return part;
  });
  const header = Buffer.alloc(32);
  header.writeBigUInt64LE(1n, 0);
  header.writeBigUInt64LE(BigInt(NAMES.indexOf(name)), 8);
  header.writeUInt32LE(
    parts.reduce((sum, part) => sum + part.length, 24),
    24,
  );
  header.writeUInt32LE(PID, 28);
  const places = moved.map((index) =>
    parts.slice(0, index).reduce((sum, part) => sum + part.length, header.length),
  );
  return { record: Buffer.concat([header, ...parts]), places };
}

function writeLog(path, events) {
  const { add, close } = openOutput(path);
  for (const [{ time, thread, pieces, addresses }, later, shift] of events) {
    const now = time + later;
    const micros = String(now % 1_000_000n).padStart(6, "0");
    let text = `${thread}${now / 1_000_000n}.${micros}:${pieces[0]}`;
    for (let i = 0; i < addresses.length; i++) {
      text += (addresses[i] + shift).toString(16) + pieces[i + 1];
    }
    add(text);
  }
  close();
}

/** Times are the log's: QEMU would take them from the monotonic clock. */
function writeSimpletrace(path, events) {
  const { add, close } = openOutput(path);
  const header = Buffer.alloc(24);
  header.writeBigUInt64LE(0xffffffffffffffffn, 0);
  header.writeBigUInt64LE(0xf2b177cb0aa429b4n, 8);
  header.writeBigUInt64LE(4n, 16);
  add(header);
  for (const [id, name] of NAMES.entries()) {
    const mapping = Buffer.alloc(20 + name.length);
    mapping.writeBigUInt64LE(BigInt(id), 8);
    mapping.writeUInt32LE(name.length, 16);
    mapping.write(name, 20, "latin1");
    add(mapping);
  }
  for (const [{ time, record, places, addresses }, later, shift] of events) {
    const bytes = Buffer.from(record);
    bytes.writeBigUInt64LE((time + later) * 1000n, 16);
    for (let i = 0; i < places.length; i++) {
      bytes.writeBigUInt64LE(BigInt(addresses[i] + shift), places[i]);
    }
    add(bytes);
  }
  close();
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { size: { type: "string", default: "256M" } } });
  console.log(makeQemuInputs(parseSize(values.size)));
}
