/** From files that were dropped to a history: replayed here, or read. */
import { unwrap } from "../bytes/decompress.ts";
import { readFully } from "../bytes/source.ts";
import type { CoreModule } from "../core/core.ts";
import { type History, hasMagic, makeHistory, readHistory } from "../history/index.ts";
import type { ClockPair, GivenOffset } from "../join/clock-pair.ts";
import type { Recording } from "../join/recording.ts";
import { readMemoryMap } from "../memory/read-memory-map.ts";
import { RecordingError, UsageError } from "../model/place.ts";
import type { ReplayOptions } from "../replay/replay-options.ts";
import { choosePolicies, refuseFatal } from "../vhost/chosen-policy.ts";
import { findPolicy } from "../vhost/policy.ts";
import { blobSource, webSurroundings } from "./blob-source.ts";
import type { ChosenFile, Form } from "./protocol.ts";

/** Bytes of a history above which a page cannot hold it in one piece. */
const MOST_HISTORY = 2 ** 31;

/** The bytes of a file that is a history, without compression; null for another file. */
export async function historyBytes(name: string, file: Blob): Promise<Uint8Array | null> {
  const source = blobSource(name, file);
  const opened = await unwrap(source).catch(() => null);
  if (!opened) return null;
  const stream = opened.stream();
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    const head = new Uint8Array(8);
    if ((await readFully(stream, head)) < 8 || !hasMagic(head)) return null;
    parts.push(head);
    size = 8;
    while (true) {
      const part = new Uint8Array(4 << 20);
      const n = await readFully(stream, part);
      if (n === 0) break;
      parts.push(part.subarray(0, n));
      size += n;
      if (size > MOST_HISTORY) {
        throw new RecordingError({ file: name, at: "" }, "a history below 2 GiB", `${size} bytes`);
      }
    }
  } finally {
    stream.close();
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Replays recordings with what the form says. Throws RecordingError, UsageError, OutOfMemory. */
export async function replayFiles(
  module: CoreModule,
  files: readonly ChosenFile[],
  form: Form,
  tool: { name: string; version: string },
  onProgress: (bytes: number, total: number, events: number) => void,
): Promise<History> {
  const of = (role: ChosenFile["role"]) => files.filter((file) => file.role === role);
  const recordings = of("recording");
  if (recordings.length === 0) throw new UsageError("none of these files is taken as a recording");
  const sources = recordings.map(({ name, file }) => blobSource(name, file));
  const total = recordings.reduce((sum, { file }) => sum + file.size, 0);
  const recording: Recording = {
    sources,
    surroundings: webSurroundings(files.map(({ name, file }) => blobSource(name, file))),
    module,
    onProgress: (bytes, events) => onProgress(bytes, total, events),
    ...(await clocksOf(files, form)),
  };
  const [traceEvents] = of("trace-events");
  if (traceEvents) recording.traceEvents = blobSource(traceEvents.name, traceEvents.file);
  const maps = of("memory-map").map(({ name, file }) => blobSource(name, file));
  if (maps.length > 0) recording.memoryMap = (await readMemoryMap(maps)).ranges;
  const policies = choosePolicies(form.policies.length > 0 ? form.policies : undefined);
  refuseFatal(policies);
  const options: ReplayOptions = { policies, window: form.window };
  if (form.ran !== "") options.ran = findPolicy(form.ran);
  const { bytes } = await makeHistory(recording, options, "events", tool);
  return readHistory("history", bytes);
}

/** Clock pairs of the form and of files, and offsets. */
async function clocksOf(
  files: readonly ChosenFile[],
  form: Form,
): Promise<Pick<Recording, "clockPairs" | "clockOffsets">> {
  const texts = [form.clockPairs];
  for (const { role, file } of files) if (role === "clock-pairs") texts.push(await file.text());
  const clockPairs = texts.flatMap(readPairs);
  const offsets = Object.entries(form.offsets).filter(([, text]) => text.trim() !== "");
  const clockOffsets = new Map<string, GivenOffset>(
    offsets.map(([name, text]) => [name, { offset: offsetOf(name, text), tolerance: null }]),
  );
  return {
    ...(clockPairs.length > 0 ? { clockPairs } : {}),
    ...(clockOffsets.size > 0 ? { clockOffsets } : {}),
  };
}

const PAIR = /realtime=(\d+)\.(\d+)\s.*?monotonic=(\d+)\.(\d+)(?:.*?spread_ns=(\d+))?/g;

/** Pairs of both clocks, a line each: `realtime=SECONDS monotonic=SECONDS`. */
export function readPairs(text: string): ClockPair[] {
  return [...text.matchAll(PAIR)].map((match) => ({
    realtime: nanoseconds(match[1]!, match[2]!),
    monotonic: nanoseconds(match[3]!, match[4]!),
    spread: BigInt(match[5] ?? "0"),
  }));
}

function nanoseconds(seconds: string, fraction: string): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9));
}

function offsetOf(name: string, text: string): bigint {
  const match = /^([+-]?)(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text.trim());
  if (!match) throw new UsageError(`the clock offset of ${name}: expected seconds, found ${text}`);
  const ns = nanoseconds(match[2]!, match[3] ?? "");
  return match[1] === "-" ? -ns : ns;
}
