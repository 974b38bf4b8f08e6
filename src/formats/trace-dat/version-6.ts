/**
 * Version 6: the pieces follow each other, so all but the CPU data can be read from a pipe.
 * Follows trace-cmd.dat.v6(5).
 */

import { rangeStream } from "../../bytes/range.ts";
import { atByte, quoteFound, RecordingError } from "../../model/place.ts";
import { bracketed } from "../../model/text-ends.ts";
import type { EventFormat, HeaderPage } from "../format-file.ts";
import { type Contents, checkSubBufferSize, noteTornPages } from "./contents.ts";
import { CPU_LIMIT, type CpuRange, cpuDataAt, exactStream, readCpuRange } from "./cpu-data.ts";
import { type Cursor, decodeText, memoryCursor } from "./cursor.ts";
import { cursorAt, type SeekableFile } from "./decompress.ts";
import {
  expectTag,
  readComms,
  readEventFormats,
  readFtraceEvents,
  readHeaderInfo,
} from "./header-pieces.ts";
import { NeedsRandomAccess } from "./needs-random-access.ts";
import { addNote, noOptions, OPTION_BUFFER, type OptionFacts, takeOption } from "./options.ts";
import type { CpuData, TraceBuffer } from "./trace-dat.ts";

const TAG_BYTES = 10;
const INSTANCE_LIMIT = 4096;

interface Instance {
  offset: number;
  name: string;
}

/**
 * Reads all that follows the initial format. `file` is null when there is only the cursor.
 * @throws RecordingError; NeedsRandomAccess when `file` is null and more than one CPU has data.
 */
export async function readVersion6(
  cursor: Cursor,
  file: SeekableFile | null,
  notes: string[],
): Promise<Contents> {
  const headerPlace = cursor.place();
  const headerPage = await readHeaderInfo(cursor, notes);
  const pageBytes = headerPage.dataOffset + headerPage.dataSize;
  const subBufferSize = checkSubBufferSize(pageBytes, headerPage, headerPlace);
  const events: EventFormat[] = [];
  await readFtraceEvents(cursor, events, headerPage.commitSize);
  await readEventFormats(cursor, events, headerPage.commitSize);
  const loadKallsyms = await readKallsyms(cursor, file);
  await cursor.skip(await cursor.u32("the size of printk_formats"), "printk_formats");
  const comms = await readComms(cursor, notes);
  const cpuCount = await readCpuCount(cursor);
  const options = noOptions();
  const instances: Instance[] = [];
  const contents = { headerPage, events, comms, options, loadKallsyms };

  for (;;) {
    const place = cursor.place();
    const tag = decodeText(await cursor.take(TAG_BYTES, "options, flyrecord or latency"));
    if (tag === "options  \0") await readOptions(cursor, options, instances, notes);
    else if (tag === "latency  \0") {
      addNote(notes, "the recording is the text of a latency tracer");
      return { ...contents, buffers: [], latencyText: restOf(cursor, file) };
    } else if (tag === "flyrecord\0") break;
    else throw new RecordingError(place, "options, flyrecord or latency", quoteFound(tag));
  }

  const table = await readTable(cursor, cpuCount, options);
  const buffers: TraceBuffer[] = [
    { name: "", clock: table.clock, subBufferSize, cpus: openCpus(cursor, file, table, instances) },
  ];
  for (const instance of file === null ? [] : instances) {
    buffers.push(await readInstance(file!, instance, options, headerPage, cpuCount));
  }
  for (const buffer of buffers) noteTornPages(buffer, notes);
  return { ...contents, buffers, latencyText: null };
}

async function readKallsyms(
  cursor: Cursor,
  file: SeekableFile | null,
): Promise<Contents["loadKallsyms"]> {
  const size = await cursor.u32("the size of kallsyms");
  const start = cursor.place();
  const offset = cursor.offset;
  if (file === null) {
    const text = await cursor.take(size, "kallsyms");
    return async () => text;
  }
  await cursor.skip(size, "kallsyms");
  return () => cursorAt(file, offset, offset + size, start).take(size, "kallsyms");
}

async function readCpuCount(cursor: Cursor): Promise<number> {
  const place = cursor.place();
  const count = await cursor.u32("the number of CPUs");
  if (count > CPU_LIMIT) {
    throw new RecordingError(place, `at most ${CPU_LIMIT} CPUs`, `${count}`);
  }
  return count;
}

async function readOptions(
  cursor: Cursor,
  options: OptionFacts,
  instances: Instance[],
  notes: string[],
): Promise<void> {
  for (;;) {
    const id = await cursor.u16("an option's id");
    if (id === 0) return;
    const size = await cursor.u32(`the size of option ${id}`);
    const place = cursor.place();
    const bytes = await cursor.take(size, `option ${id}`);
    const data = memoryCursor(place.file, bytes, "@", cursor.bigEndian, cursor.offset - size);
    if (id !== OPTION_BUFFER) await takeOption(id, data, options, notes);
    else if (instances.length === INSTANCE_LIMIT) {
      throw new RecordingError(place, `at most ${INSTANCE_LIMIT} buffers`);
    } else {
      const offset = await data.size("the offset of a buffer");
      instances.push({ offset, name: await data.string("a buffer's name") });
    }
  }
}

interface Table {
  ranges: CpuRange[];
  clock: string | null;
}

/** {u64 offset, u64 size} for each CPU, then u64 length and `[clock]` since trace-cmd 2. */
async function readTable(cursor: Cursor, cpuCount: number, options: OptionFacts): Promise<Table> {
  const ranges: CpuRange[] = [];
  for (let cpu = 0; cpu < cpuCount; cpu++) ranges.push(await readCpuRange(cursor, cpu));
  const first = ranges.reduce((least, { offset, size }) => {
    return size > 0 && offset < least ? offset : least;
  }, Number.POSITIVE_INFINITY);
  let clock = options.clock;
  // Nothing needs the clock's name: it is taken when it is there, before the first page.
  const room = Math.min(first - cursor.offset, cursor.left ?? Number.POSITIVE_INFINITY);
  if (options.hasTraceClock && room >= 8 && Number.isFinite(room)) {
    const length = await cursor.u64("the size of the clock's name");
    if (length > 0n && length <= 4096n && Number(length) <= room - 8) {
      const text = decodeText(await cursor.take(Number(length), "the clock's name"));
      clock = bracketed(text) ?? clock;
    }
  }
  return { ranges, clock };
}

function openCpus(
  cursor: Cursor,
  file: SeekableFile | null,
  table: Table,
  instances: Instance[],
): CpuData[] {
  if (file !== null) return table.ranges.map((range) => cpuDataAt(file, range, false));
  const withData = table.ranges.filter(({ size }) => size > 0);
  if (withData.length > 1 || instances.length > 0) {
    throw new NeedsRandomAccess(`${withData.length} CPUs are recorded one after the other`);
  }
  return table.ranges.map((range) => streamedCpu(cursor, range));
}

/** The only CPU that has data, read from where the header ended. */
function streamedCpu(cursor: Cursor, { cpu, offset, size }: CpuRange): CpuData {
  if (size > 0 && offset < cursor.offset) {
    throw new RecordingError(
      { file: cursor.place().file, at: atByte(cursor.offset) },
      `data of CPU ${cpu} after the header`,
      atByte(offset),
    );
  }
  let opened = false;
  return {
    cpu,
    bytes: size,
    open() {
      if (size > 0 && opened) throw new NeedsRandomAccess("a stream's pages can be read once");
      opened = true;
      const pages = exactStream(cursor, size, `data of CPU ${cpu}`, cursor.place().file, offset);
      let skipped = size === 0;
      const skipFirst = async (into: Uint8Array): Promise<number> => {
        skipped = true;
        await cursor.skip(offset - cursor.offset, `padding before the data of CPU ${cpu}`);
        return pages.read(into);
      };
      return { read: (into) => (skipped ? pages.read(into) : skipFirst(into)), close() {} };
    },
  };
}

async function readInstance(
  file: SeekableFile,
  { offset, name }: Instance,
  options: OptionFacts,
  headerPage: HeaderPage,
  topCpus: number,
): Promise<TraceBuffer> {
  const place = { file: file.name, at: atByte(offset) };
  const cursor = cursorAt(file, offset, file.random.size, place);
  await expectTag(cursor, "flyrecord\0");
  const cpuCount = options.cpuCount ?? topCpus;
  if (cpuCount > CPU_LIMIT) {
    throw new RecordingError(place, `at most ${CPU_LIMIT} CPUs`, `${cpuCount}`);
  }
  const { ranges, clock } = await readTable(cursor, cpuCount, options);
  const cpus = ranges.map((range) => cpuDataAt(file, range, false));
  return { name, clock, subBufferSize: headerPage.dataOffset + headerPage.dataSize, cpus };
}

function restOf(cursor: Cursor, file: SeekableFile | null): NonNullable<Contents["latencyText"]> {
  const start = cursor.offset;
  if (file !== null) return () => rangeStream(file.random, start, file.random.size);
  let opened = false;
  return () => {
    if (opened) throw new NeedsRandomAccess("a stream's text can be read once");
    opened = true;
    return { read: (into) => cursor.read(into), close() {} };
  };
}
