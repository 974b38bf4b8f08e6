import type { Codecs } from "../../bytes/codecs.ts";
import { rangeStream } from "../../bytes/range.ts";
import { Cursor } from "./cursor.ts";
import type { SeekableFile } from "./decompress.ts";
import { readInitialFormat } from "./initial-format.ts";
import { symbolLookup } from "./kallsyms.ts";
import { NeedsRandomAccess } from "./needs-random-access.ts";
import type { TraceDat, TraceDatInput } from "./trace-dat.ts";
import { readVersion6 } from "./version-6.ts";
import { readVersion7 } from "./version-7.ts";

/**
 * Opens a trace.dat file of trace-cmd, version 6 or 7: reads everything but the ring-buffer pages,
 * which `buffers[].cpus[].open()` gives. Follows trace-cmd.dat.v6(5) and v7(5).
 * @throws RecordingError when the file cannot be read; NeedsRandomAccess when it can, but not from
 *   a stream (version 7, and version 6 with data of several CPUs or buffers).
 */
export async function openTraceDat(input: TraceDatInput, codecs: Codecs): Promise<TraceDat> {
  const { name, random } = input;
  const stream = random === null ? input.stream : rangeStream(random, 0, random.size);
  if (stream === null) throw new NeedsRandomAccess("there is nothing to read from");
  const length = random === null ? undefined : random.size;
  const cursor = new Cursor({ file: name, stream, length, origin: "", start: 0 });
  const initial = await readInitialFormat(cursor, random !== null);
  const { version, bigEndian, compression } = initial;
  const file: SeekableFile | null =
    random === null ? null : { name, random, bigEndian, compression, codecs };
  if (file !== null && compression === "zstd") codecs.zstdSoon?.();
  const notes: string[] = [];
  const contents =
    version === 7 && file !== null
      ? await readVersion7(file, { ...initial, firstSection: cursor.offset }, notes)
      : await readVersion6(cursor, file, notes);
  const { options } = contents;
  let closed = false;
  return {
    version,
    bigEndian,
    userLongSize: initial.userLongSize,
    pageSize: initial.pageSize,
    headerPage: contents.headerPage,
    events: contents.events,
    compression,
    uname: options.uname,
    traceCmdVersion: options.traceCmdVersion,
    comms: contents.comms,
    cpuStats: options.cpuStats,
    clock: options.clock,
    dateOffsetNs: options.dateOffsetNs,
    offsetNs: options.offsetNs,
    tsc2nsec: options.tsc2nsec,
    timeShift: options.timeShift,
    traceId: options.traceId,
    guests: options.guests,
    notes,
    buffers: contents.buffers,
    broken: contents.broken ?? null,
    latencyText: contents.latencyText,
    symbolOf: symbolLookup(async () => (closed ? null : contents.loadKallsyms())),
    close() {
      closed = true;
    },
  };
}
