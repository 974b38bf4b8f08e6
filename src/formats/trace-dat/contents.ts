import type { ByteStream } from "../../bytes/source.ts";
import { type Place, RecordingError } from "../../model/place.ts";
import { type EventFormat, type HeaderPage, SUB_BUFFER_LIMIT } from "../format-file.ts";
import type { OptionFacts } from "./options.ts";
import type { TraceBuffer } from "./trace-dat.ts";

/** What either version of the file gives after its initial format. */
export interface Contents {
  headerPage: HeaderPage;
  events: EventFormat[];
  comms: Map<number, string>;
  options: OptionFacts;
  buffers: TraceBuffer[];
  /** Why what leads to the buffers is not read: they were looked for, and there may be more. */
  broken?: RecordingError;
  latencyText: (() => ByteStream) | null;
  /** The text of /proc/kallsyms; null when the file has none. */
  loadKallsyms: () => Promise<Uint8Array | null>;
}

/**
 * Checks the size of a ring-buffer page, in bytes.
 * @throws RecordingError at `place` when pages with this header cannot have it.
 */
export function checkSubBufferSize(size: number, page: HeaderPage, place: Place): number {
  const least = page.dataOffset + 8;
  if (size < least || size > SUB_BUFFER_LIMIT || size % 4 !== 0) {
    const expected = `a ring-buffer page of ${least} to ${SUB_BUFFER_LIMIT} bytes`;
    throw new RecordingError(place, expected, `${size}`);
  }
  return size;
}

/**
 * Checks that no CPU stands twice in a buffer.
 * @throws RecordingError at `place`.
 */
export function checkDistinctCpus(cpus: readonly { cpu: number }[], place: Place): void {
  const seen = new Set<number>();
  for (const { cpu } of cpus) {
    if (seen.has(cpu))
      throw new RecordingError(place, "each CPU once in a buffer", `CPU ${cpu} twice`);
    seen.add(cpu);
  }
}

/** One sentence for each CPU whose plain data do not end with a page. */
export function noteTornPages(buffer: TraceBuffer, notes: string[]): void {
  for (const { cpu, bytes } of buffer.cpus) {
    if (bytes > 0 && bytes % buffer.subBufferSize !== 0) {
      const of = buffer.name === "" ? "" : ` of buffer ${buffer.name}`;
      notes.push(`the data of CPU ${cpu}${of} end inside a page`);
    }
  }
}
