/**
 * Mutated recordings of every format: whatever befalls them, the outcome is a result or a RecordingError,
 * and the same one in pieces of any size. `npm run fuzz -- --seconds N [--seed S]` goes on for as long
 * as asked; here runs a slice of it, from a seed that a failure names.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { dump } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { QemuGuest } from "../support/make-elements.ts";
import { qemuLog, TRACE_EVENTS_ALL } from "../support/make-qemu-log.ts";
import { simpletrace } from "../support/make-simpletrace.ts";
import { tarOf } from "../support/make-tar.ts";
import { memorySource, recordingOf, replayAll } from "../support/memory-source.ts";
import { mutatedBytes, mutatedText, Random } from "../support/mutate.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 0);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Cases of one family in the slice that every run of the tests has. */
const SLICE = Number(process.env.FUZZ_RUNS ?? 120);

const trace = (path: string): Buffer => gunzipSync(readFileSync(join(TRACES, path)));
const TEXT = trace("vhost-scsi/7.2.13+deb14-amd64/01-smoke/trace.txt.gz").toString("latin1");
const DAT = readFileSync(join(TRACES, "vhost-scsi-variants/6.1-long/trace.dat"));
const GUEST = new QemuGuest().read(0x7000n, [0x100000, 8192]).read(0x7100n, [0x200000, 4096]).lines;
const SIMPLE = simpletrace(GUEST);
const LOGS = (["tid@time", "ISO", "bare"] as const).map((shape) => qemuLog(GUEST, shape));

async function ndjsonOf(text: string): Promise<string> {
  const lines: string[] = [];
  await dump(await recordingOf(memorySource("t", text)), (event) => {
    lines.push(JSON.stringify(event));
  });
  return `${lines.join("\n")}\n`;
}
const NDJSON = await ndjsonOf(TEXT);

/** Every fourth byte may begin a record, a page header or an event. */
const everywhere = (bytes: Uint8Array, step: number): number[] =>
  Array.from({ length: Math.floor(bytes.length / step) }, (_, i) => i * step);

const FAMILIES: Readonly<Record<string, (random: Random) => Buffer>> = {
  "ftrace text": (random) => mutatedText(TEXT, random),
  "QEMU's log": (random) => mutatedText(random.of(LOGS), random),
  NDJSON: (random) => mutatedText(NDJSON, random),
  simpletrace: (random) => mutatedBytes(SIMPLE, everywhere(SIMPLE, 4), random),
  "trace.dat": (random) => mutatedBytes(DAT, everywhere(DAT, 4096), random),
  "gzip of text": (random) =>
    mutatedBytes(gzipSync(mutatedText(TEXT, random), { level: 1 }), [], random),
  tar: (random) => mutatedBytes(tarOf({ "a.txt": TEXT, "b.log": LOGS[0]! }), [0, 512], random),
};

const policies = ["linux-6.1", "linux-6.16"].map((name) => ({
  policy: findPolicy(name),
  alias: null,
}));

/** The result as text, or the error's message. */
async function outcome(bytes: Uint8Array, chunk?: number): Promise<string> {
  try {
    const traceEvents = memorySource("list", TRACE_EVENTS_ALL);
    const result = await replayAll(
      [memorySource("input", bytes, chunk)],
      { policies },
      { traceEvents },
    );
    return JSON.stringify(result, (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    expect(error.message).not.toContain("\n");
    return error.message;
  }
}

test.each(Object.entries(FAMILIES))("%s", async (name, make) => {
  const until = performance.now() + (SECONDS * 1000) / Object.keys(FAMILIES).length;
  let seed = FIRST_SEED;
  for (let runs = 0; SECONDS > 0 ? performance.now() < until : runs < SLICE; runs++, seed++) {
    const random = new Random(seed);
    const bytes = make(random);
    const told = `${name}: FUZZ_SEED=${seed}`;
    const whole = await outcome(bytes).catch((error) => {
      throw new Error(told, { cause: error });
    });
    expect(await outcome(bytes, 1 + random.below(5000)), told).toBe(whole);
  }
  if (SECONDS > 0) process.stdout.write(`${name}: seeds ${FIRST_SEED} to ${seed - 1}\n`);
});
