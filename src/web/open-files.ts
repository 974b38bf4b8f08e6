/** From files that were dropped to a history: replayed here, or read. */
import { unwrap } from "../bytes/decompress.ts";
import { readFully, type Source } from "../bytes/source.ts";
import { wholeText } from "../bytes/whole-text.ts";
import { fileOrMembers } from "../case/archive-members.ts";
import type { CaseFile } from "../case/case.ts";
import { classify } from "../case/classify.ts";
import { openCases } from "../case/open-cases.ts";
import type { CoreModule } from "../core/core.ts";
import { type History, hasMagic, makeHistory, readHistory } from "../history/index.ts";
import { parseClockPairs } from "../join/clock-pair.ts";
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

/** Text beside a recording. */
const MOST_TEXT = 1 << 26;

/**
 * Replays what was dropped, with what the form says: recordings, and archives and other files that tell
 * about them, of one case. `onFiles` hears what each file is. Throws RecordingError, UsageError,
 * OutOfMemory.
 */
export async function replayFiles(
  module: CoreModule,
  files: readonly ChosenFile[],
  form: Form,
  tool: { name: string; version: string },
  onFiles: (files: readonly CaseFile[]) => void,
  onProgress: (bytes: number, total: number, events: number) => void,
): Promise<History> {
  const surroundings = webSurroundings(files.map(({ name, file }) => blobSource(name, file)));
  const sources: Source[] = [];
  for (const { name, file } of files) {
    sources.push(...(await fileOrMembers(blobSource(name, file), surroundings)));
  }
  const recording: Recording = {
    ...(await recordingOf(sources, { module, surroundings }, form, onFiles)),
    ...offsetsOf(form),
  };
  if (form.clockPairs.trim() !== "") {
    recording.clockPairs = parseClockPairs(form.clockPairs, "the clock pairs of the form");
  }
  const total = recording.sources.reduce((sum, { size }) => sum + (size ?? 0), 0);
  recording.onProgress = (bytes, events) => onProgress(bytes, total, events);
  const policies = choosePolicies(form.policies.length > 0 ? form.policies : undefined);
  refuseFatal(policies);
  const options: ReplayOptions = { policies, window: form.window };
  if (form.ran !== "") options.ran = findPolicy(form.ran);
  const { bytes } = await makeHistory(recording, options, "events", tool);
  return readHistory("history", bytes);
}

/** Recordings as they are, or the one case that the files make. */
async function recordingOf(
  sources: readonly Source[],
  by: Pick<Recording, "module" | "surroundings">,
  form: Form,
  onFiles: (files: readonly CaseFile[]) => void,
): Promise<Recording> {
  const roles = [];
  for (const source of sources) roles.push((await classify(source)).role);
  const plain = roles.every((role) => role === "recording") || sources.length === 1;
  if (plain) return { ...by, sources };
  const { cases, files } = await openCases("the files", sources, by);
  const [opened, other] = cases;
  onFiles(opened && !other ? opened.files : files);
  if (!opened) throw new UsageError("none of these files is a recording");
  if (other) {
    const groups = cases.map(({ recordings }) => recordings.join(" + ")).join("; or ");
    throw new UsageError(`these are ${cases.length} different cases; open one of them: ${groups}`);
  }
  const [question] = opened.questions;
  const answered = form.clockPairs.trim() !== "" || Object.keys(form.offsets).length > 0;
  if (question !== undefined && !answered) throw new UsageError(question);
  const named = (name: string): Source => sources.find((source) => source.name === name)!;
  const { clockPairs, mtree, traceEvents } = opened.options;
  return {
    ...by,
    sources: opened.recordings.map(named),
    looks: opened.looks,
    ...(clockPairs === undefined
      ? {}
      : {
          clockPairs: parseClockPairs(
            await wholeText(named(clockPairs), MOST_TEXT, "clock readings"),
            clockPairs,
          ),
        }),
    ...(mtree === undefined ? {} : { memoryMap: (await readMemoryMap(mtree.map(named))).ranges }),
    ...(traceEvents === undefined ? {} : { traceEvents: named(traceEvents) }),
  };
}

/** Offsets of the form, by the file's name. */
function offsetsOf({ offsets }: Form): Pick<Recording, "clockOffsets"> {
  const given = Object.entries(offsets).filter(([, text]) => text.trim() !== "");
  if (given.length === 0) return {};
  return {
    clockOffsets: new Map(
      given.map(([name, text]) => [name, { offset: offsetOf(name, text), tolerance: null }]),
    ),
  };
}

function offsetOf(name: string, text: string): bigint {
  const match = /^([+-]?)(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text.trim());
  if (!match) throw new UsageError(`the clock offset of ${name}: expected seconds, found ${text}`);
  const ns = BigInt(match[2]!) * 1_000_000_000n + BigInt((match[3] ?? "").padEnd(9, "0"));
  return match[1] === "-" ? -ns : ns;
}
