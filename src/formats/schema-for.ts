/** The trace-events-all for a simpletrace: given, or beside the recording. */

import { unwrap } from "../bytes/decompress.ts";
import { readFully, type Source, type Surroundings } from "../bytes/source.ts";
import { RecordingError } from "../model/place.ts";
import { readTraceEvents, type TraceEvents } from "../qemu/trace-events.ts";

const NAMES = ["trace-events-all", "trace-events-all.gz"];
/** QEMU's own list has less than a megabyte. */
const MAX_BYTES = 16 << 20;

/** Where the arguments' types come from; null: from the known versions of QEMU. */
export interface Schema {
  events: TraceEvents;
  file: string;
}

/** Reads the list; null when none was given and none lies there. Throws RecordingError. */
export async function schemaFor(
  recording: Source,
  surroundings: Surroundings,
  given: Source | null,
): Promise<Schema | null> {
  const source = given ?? surroundings.beside?.(recording.name, NAMES) ?? null;
  if (!source) return null;
  const stream = (await unwrap(source)).stream();
  try {
    const bytes = new Uint8Array(MAX_BYTES);
    const length = await readFully(stream, bytes);
    if (length === MAX_BYTES) {
      throw new RecordingError({ file: source.name, at: "" }, `at most ${MAX_BYTES} bytes`);
    }
    const text = new TextDecoder("latin1").decode(bytes.subarray(0, length));
    return { events: readTraceEvents(text, source.name), file: source.name };
  } finally {
    stream.close();
  }
}
