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
import { type Cursor, memoryCursor } from "./cursor.ts";
import { cursorAt, frameCursor, type SeekableFile } from "./decompress.ts";
import { readComms, readEventFormats, readFtraceEvents, readHeaderInfo } from "./header-pieces.ts";
import * as option from "./options.ts";
import type { TraceBuffer } from "./trace-dat.ts";

const SECTION_HEADER_BYTES = 16;
const FLAG_COMPRESSED = 1;
/** Each instance adds an options section and a buffer. */
const CHAIN_LIMIT = 4096;
/** All options together: 64 bytes of statistics for each of 8192 CPUs, a hundred times over. */
const OPTIONS_LIMIT = 64 * 1024 * 1024;

interface Section {
  id: number;
  compressed: boolean;
  start: number;
  end: number;
  place: Place;
}

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
}

/**
 * Reads what the options at `optionsOffset` and those after them lead to.
 * @throws RecordingError
 */
export async function readVersion7(
  file: SeekableFile,
  optionsOffset: number,
  notes: string[],
): Promise<Contents> {
  const found: Found = { options: option.noOptions(), buffers: [], texts: [] };
  await readChain(file, optionsOffset, found, notes);
  const { options } = found;
  const section = async (id: number, name: string): Promise<Cursor> => {
    const offset = options.sections.get(id);
    const place = { file: file.name, at: atByte(optionsOffset) };
    if (offset === undefined) throw new RecordingError(place, `an option for the section ${name}`);
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
  const comms = options.sections.has(option.SECTION_CMDLINES)
    ? await readComms(await section(option.SECTION_CMDLINES, "command lines"), notes)
    : new Map<number, string>();

  const buffers: TraceBuffer[] = [];
  for (const buffer of found.buffers) {
    const clock = clockOf(buffer, found);
    buffers.push(await openBuffer(file, { ...buffer, clock }, headerPage));
  }
  for (const buffer of buffers) noteTornPages(buffer, notes);
  return {
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

async function readChain(
  file: SeekableFile,
  first: number,
  found: Found,
  notes: string[],
): Promise<void> {
  const seen = new Set<number>();
  let named: Place = { file: file.name, at: atByte(0) };
  let bytes = 0;
  for (let offset = first; offset !== 0; ) {
    if (seen.has(offset)) {
      throw new RecordingError(named, "options sections in a chain", `${atByte(offset)} again`);
    }
    if (seen.size === CHAIN_LIMIT) {
      throw new RecordingError(named, `at most ${CHAIN_LIMIT} options sections`);
    }
    seen.add(offset);
    const section = await readSection(file, offset, option.OPTION_DONE, named);
    named = section.place;
    const cursor = await openSection(file, section);
    bytes += cursor.left ?? 0;
    if (bytes > OPTIONS_LIMIT) {
      throw new RecordingError(named, `at most ${OPTIONS_LIMIT} bytes of options`, `${bytes}`);
    }
    offset = await readOptions(cursor, found, notes);
  }
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

/**
 * Reads a section's header: u16 id, u16 flags, u32 description, u64 size of what follows.
 * `named` is where the offset was found.
 */
async function readSection(
  file: SeekableFile,
  offset: number,
  id: number,
  named: Place,
): Promise<Section> {
  const header = cursorAt(file, offset, offset + SECTION_HEADER_BYTES, named);
  const place = header.place();
  const found = await header.u16("a section's id");
  if (found !== id) throw new RecordingError(place, `section ${id}`, `section ${found}`);
  const flags = await header.u16("a section's flags");
  await header.u32("a section's description");
  const size = await header.size("a section's size");
  const start = offset + SECTION_HEADER_BYTES;
  const end = start + size;
  if (end > file.random.size) {
    const found = `${file.random.size - start} to the end`;
    throw new RecordingError(place, `${size} bytes of section ${id}`, found);
  }
  return { id, compressed: (flags & FLAG_COMPRESSED) !== 0, start, end, place };
}

async function openSection(file: SeekableFile, section: Section): Promise<Cursor> {
  const cursor = cursorAt(file, section.start, section.end, section.place);
  return section.compressed ? frameCursor(cursor, file) : cursor;
}
