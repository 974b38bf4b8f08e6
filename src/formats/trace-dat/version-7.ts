/**
 * Version 7: sections anywhere in the file, found through a chain of options sections.
 * Follows trace-cmd.dat.v7(5).
 */

import { rangeStream } from "../../bytes/range.ts";
import type { ByteStream } from "../../bytes/source.ts";
import { atByte, type Place, RecordingError } from "../../model/place.ts";
import type { EventFormat, HeaderPage } from "../format-file.ts";
import { type Contents, checkDistinctCpus, checkSubBufferSize, noteTornPages } from "./contents.ts";
import { CPU_LIMIT, type CpuRange, cpuDataAt, readCpuRange } from "./cpu-data.ts";
import { cpusByPlace } from "./cpus-by-place.ts";
import { type Cursor, memoryCursor } from "./cursor.ts";
import type { SeekableFile } from "./decompress.ts";
import { readComms, readEventFormats, readFtraceEvents, readHeaderInfo } from "./header-pieces.ts";
import * as option from "./options.ts";
import { openSection, readSection, type Section, sectionsInOrder } from "./sections-7.ts";
import type { TraceBuffer } from "./trace-dat.ts";

/** Each instance adds an options section and a buffer. */
const CHAIN_LIMIT = 4096;
/** All options together: 64 bytes of statistics for each of 8192 CPUs, a hundred times over. */
const OPTIONS_LIMIT = 64 * 1024 * 1024;

interface BufferOption {
  place: Place;
  offset: number;
  name: string;
  clock: string;
  pageSize: number;
  ranges: CpuRange[];
}

interface TextOption {
  place: Place;
  offset: number;
}

interface Found {
  options: option.OptionFacts;
  buffers: BufferOption[];
  texts: TextOption[];
  /** Offsets of the options sections that were read. */
  seen: Set<number>;
}

/** Where the sections are said to be, and where the first one is. */
export interface Layout {
  optionsOffset: number;
  firstSection: number;
  pageSize: number;
}

/**
 * Reads what the options at `optionsOffset` and those after them lead to; where that is cut off or
 * damaged, the sections as they stand in the file.
 * @throws RecordingError
 */
export async function readVersion7(
  file: SeekableFile,
  layout: Layout,
  notes: string[],
): Promise<Contents> {
  const { optionsOffset } = layout;
  const found: Found = { options: option.noOptions(), buffers: [], texts: [], seen: new Set() };
  const broken = await readChain(file, optionsOffset, found, notes);
  const { options } = found;
  const unnamed = broken ? await readInOrder(file, layout.firstSection, found, notes) : [];
  const section = async (id: number, name: string): Promise<Cursor> => {
    const offset = options.sections.get(id);
    const place = { file: file.name, at: atByte(optionsOffset) };
    if (offset === undefined) throw notThere(place, name, broken);
    return openSection(file, await readSection(file, offset, id, place));
  };
  const headerPage = await readHeaderInfo(
    await section(option.SECTION_HEADER_INFO, "headers"),
    notes,
  );
  const events: EventFormat[] = [];
  const longSize = headerPage.commitSize;
  const ftrace = await section(option.SECTION_FTRACE_EVENTS, "ftrace events");
  await readFtraceEvents(ftrace, events, longSize);
  const formats = await section(option.SECTION_EVENT_FORMATS, "events format");
  await readEventFormats(formats, events, longSize);
  const comms = await readNames(
    options.sections.has(option.SECTION_CMDLINES)
      ? () => section(option.SECTION_CMDLINES, "command lines")
      : null,
    notes,
  );

  const buffers: TraceBuffer[] = [];
  for (const buffer of found.buffers) {
    const clock = clockOf(buffer, found);
    buffers.push(await openBuffer(file, { ...buffer, clock }, headerPage));
  }
  for (const unread of unnamed) {
    const bytes = headerPage.dataOffset + headerPage.dataSize;
    const subBufferSize = checkSubBufferSize(bytes, headerPage, unread.place);
    const ranges = await cpusByPlace(file, unread, layout.pageSize, subBufferSize);
    const cpus = ranges.map((range) => cpuDataAt(file, range, unread.compressed));
    // The name of an instance stands in the option.
    const name = buffers.length === 0 ? "" : `unnamed${buffers.length}`;
    buffers.push({ name, clock: options.clock, subBufferSize, cpus });
  }
  if (broken && buffers.every(({ cpus }) => cpus.length === 0)) {
    throw notThere(broken.place, "with the data of a CPU", broken);
  }
  for (const buffer of buffers) noteTornPages(buffer, notes);
  return {
    ...(broken ? { broken } : {}),
    headerPage,
    events,
    comms,
    options,
    buffers,
    latencyText: await openText(file, found.texts, notes),
    loadKallsyms: async () => {
      if (!options.sections.has(option.SECTION_KALLSYMS)) return null;
      const text = await section(option.SECTION_KALLSYMS, "kallsyms");
      return text.take(await text.u32("the size of kallsyms"), "kallsyms");
    },
  };
}

/** What is missing, and why: the file ends before it, or what leads to it is damaged. */
function notThere(place: Place, name: string, broken: RecordingError | null): RecordingError {
  if (!broken) return new RecordingError(place, `an option for the section ${name}`);
  const found = `none: the file is cut off or its index is damaged (${broken.message})`;
  return new RecordingError(place, `the section ${name}`, found);
}

/** Names of threads; without them they have numbers. */
async function readNames(
  open: (() => Promise<Cursor>) | null,
  notes: string[],
): Promise<Map<number, string>> {
  if (!open) return new Map();
  try {
    return await readComms(await open(), notes);
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    option.addNote(notes, `the names of threads are not read: ${error.message}`);
    return new Map();
  }
}

/**
 * Follows the options sections from `first` on. Returns what is wrong with one that cannot be read, null
 * when all were. Throws RecordingError for more than there can be.
 */
async function readChain(
  file: SeekableFile,
  first: number,
  found: Found,
  notes: string[],
): Promise<RecordingError | null> {
  let named: Place = { file: file.name, at: atByte(0) };
  let bytes = 0;
  if (first === 0) return new RecordingError(named, "the offset of the options", "0");
  for (let offset = first; offset !== 0; ) {
    if (found.seen.has(offset)) {
      throw new RecordingError(named, "options sections in a chain", `${atByte(offset)} again`);
    }
    if (found.seen.size === CHAIN_LIMIT) {
      throw new RecordingError(named, `at most ${CHAIN_LIMIT} options sections`);
    }
    found.seen.add(offset);
    let cursor: Cursor;
    try {
      const section = await readSection(file, offset, option.OPTION_DONE, named);
      named = section.place;
      cursor = await openSection(file, section);
      bytes += cursor.left ?? 0;
      if (bytes <= OPTIONS_LIMIT) offset = await readOptions(cursor, found, notes);
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      return error;
    }
    if (bytes > OPTIONS_LIMIT) {
      throw new RecordingError(named, `at most ${OPTIONS_LIMIT} bytes of options`, `${bytes}`);
    }
  }
  return null;
}

/**
 * The sections as they stand in the file, for those that the options do not lead to: their offsets into
 * `found`, and the options that were not read. Returns the buffers that no option is about.
 */
async function readInOrder(
  file: SeekableFile,
  first: number,
  found: Found,
  notes: string[],
): Promise<Section[]> {
  const named = new Set(found.buffers.map(({ offset }) => offset));
  const buffers: { offset: number; section: Section }[] = [];
  for await (const { offset, section } of sectionsInOrder(file, first)) {
    if (section.id === option.OPTION_BUFFER) {
      if (buffers.length < CHAIN_LIMIT) buffers.push({ offset, section });
    } else if (section.end > file.random.size) {
      break;
    } else if (section.id !== option.OPTION_DONE) {
      if (!found.options.sections.has(section.id)) found.options.sections.set(section.id, offset);
    } else if (!found.seen.has(offset) && section.end - section.start <= OPTIONS_LIMIT) {
      found.seen.add(offset);
      try {
        await readOptions(await openSection(file, section), found, notes);
      } catch (error) {
        if (!(error instanceof RecordingError)) throw error;
      }
    }
  }
  for (const { offset } of found.buffers) named.add(offset);
  return buffers.flatMap(({ offset, section }) => (named.has(offset) ? [] : [section]));
}

/** Reads one options section; returns the offset of the next, 0 at the end. */
async function readOptions(cursor: Cursor, found: Found, notes: string[]): Promise<number> {
  while (cursor.left !== 0) {
    const place = cursor.place();
    const id = await cursor.u16("an option's id");
    const size = await cursor.u32(`the size of option ${id}`);
    const start = cursor.place();
    const bytes = await cursor.take(size, `option ${id}`);
    const data = memoryCursor(place.file, bytes, `${start.at}+`, cursor.bigEndian);
    if (id === option.OPTION_DONE) return size === 0 ? 0 : data.size("the next options' offset");
    if (id === option.OPTION_BUFFER) {
      if (found.buffers.length === CHAIN_LIMIT) {
        throw new RecordingError(place, `at most ${CHAIN_LIMIT} buffers`);
      }
      found.buffers.push(await readBufferOption(data, place));
    } else if (id === option.OPTION_BUFFER_TEXT) {
      found.texts.push({ place, offset: await data.size("the offset of a latency text") });
    } else await option.takeOption(id, data, found.options, notes);
  }
  option.addNote(notes, "an options section ends without saying where the next one is");
  return 0;
}

async function readBufferOption(data: Cursor, place: Place): Promise<BufferOption> {
  const offset = await data.size("the offset of a buffer");
  const name = await data.string("a buffer's name");
  const clock = await data.string("a buffer's clock");
  const pageSize = await data.u32("a buffer's page size");
  const count = await data.u32("a buffer's number of CPUs");
  if (count > CPU_LIMIT) throw new RecordingError(place, `at most ${CPU_LIMIT} CPUs`, `${count}`);
  const ranges: CpuRange[] = [];
  for (let index = 0; index < count; index++) {
    const cpuPlace = data.place();
    const cpu = await data.u32("a CPU's number");
    if (cpu >= CPU_LIMIT) throw new RecordingError(cpuPlace, `a CPU below ${CPU_LIMIT}`, `${cpu}`);
    ranges.push(await readCpuRange(data, cpu));
  }
  checkDistinctCpus(ranges, place);
  return { place, offset, name, clock, pageSize, ranges };
}

/**
 * trace-cmd 3.1.6 names the clock of the top-level buffer in the option of an instance, too, and
 * that of the instance in TRACECLOCK (measured: `record -B x -C mono` beside a top level on local).
 * So for the only instance of a recording that has nothing of the top level, TRACECLOCK goes first.
 */
function clockOf(buffer: BufferOption, { buffers, options }: Found): string {
  const filled = buffers.filter(({ ranges }) => ranges.length > 0);
  const alone = filled.length === 1 && filled[0] === buffer && buffer.name !== "";
  return (alone ? options.clock : null) ?? buffer.clock;
}

async function openBuffer(
  file: SeekableFile,
  buffer: BufferOption,
  headerPage: HeaderPage,
): Promise<TraceBuffer> {
  const { place, offset, ranges } = buffer;
  const section = await readSection(file, offset, option.OPTION_BUFFER, place);
  const subBufferSize = checkSubBufferSize(buffer.pageSize, headerPage, place);
  const cpus = ranges.map((range) => cpuDataAt(file, range, section.compressed));
  return {
    name: buffer.name,
    clock: buffer.clock === "" ? null : buffer.clock,
    subBufferSize,
    cpus,
  };
}

async function openText(
  file: SeekableFile,
  texts: TextOption[],
  notes: string[],
): Promise<(() => ByteStream) | null> {
  const [first] = texts;
  if (first === undefined) return null;
  option.addNote(notes, "the recording is the text of a latency tracer");
  if (texts.length > 1) option.addNote(notes, `${texts.length - 1} more latency texts are skipped`);
  const { offset, place } = first;
  const section = await readSection(file, offset, option.OPTION_BUFFER_TEXT, place);
  if (!section.compressed) return () => rangeStream(file.random, section.start, section.end);
  return () => {
    let cursor: Cursor | undefined;
    const read = async (into: Uint8Array): Promise<number> => {
      cursor ??= await openSection(file, section);
      return cursor.read(into);
    };
    return { read, close() {} };
  };
}
