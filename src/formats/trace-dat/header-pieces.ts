/**
 * The pieces of a trace.dat that describe the traced kernel. Their bytes are the same in version
 * 6, where they follow each other, and in version 7, where each is a section.
 */
import { quoteFound, RecordingError } from "../../model/place.ts";
import {
  type EventFormat,
  eventFormatOf,
  type HeaderPage,
  parseHeaderPage,
} from "../format-file.ts";
import { type Cursor, decodeText } from "./cursor.ts";

/** common_type has 16 bits, so there cannot be more events. */
const EVENT_LIMIT = 65536;
const FORMAT_LIMIT = 1024 * 1024;
const COMM_LIMIT = 262144;

/** What the decoder of ring-buffer pages takes for granted, in the words of header_event. */
const HEADER_EVENT = [
  /type_len\s*:\s*5 bits/,
  /time_delta\s*:\s*27 bits/,
  /array\s*:\s*32 bits/,
  /padding\s*:\s*type == 29/,
  /time_extend\s*:\s*type == 30/,
  /data max type_len\s*== 28/,
];

/**
 * Reads header_page and header_event (trace-cmd.dat.v6(5), "HEADER INFO FORMAT").
 * @throws RecordingError when they are not there or not readable.
 */
export async function readHeaderInfo(cursor: Cursor, notes: string[]): Promise<HeaderPage> {
  await expectTag(cursor, "header_page\0");
  const place = cursor.place();
  const page = parseHeaderPage(await sizedText(cursor, "header_page"), place);
  await expectTag(cursor, "header_event\0");
  const event = await sizedText(cursor, "header_event");
  for (const line of HEADER_EVENT) {
    if (!line.test(event)) {
      notes.push(`header_event does not say "${line.source.replaceAll("\\s*", " ")}"`);
    }
  }
  return page;
}

/** Reads the formats of the system `ftrace` ("FTRACE EVENT FORMATS") onto `events`. */
export async function readFtraceEvents(
  cursor: Cursor,
  events: EventFormat[],
  longSize: 4 | 8,
): Promise<void> {
  await readFormats(cursor, "ftrace", events, longSize);
}

/** Reads the formats of all other systems ("EVENT FORMATS") onto `events`. */
export async function readEventFormats(
  cursor: Cursor,
  events: EventFormat[],
  longSize: 4 | 8,
): Promise<void> {
  const place = cursor.place();
  const systems = await cursor.u32("the number of systems");
  if (systems > EVENT_LIMIT) {
    throw new RecordingError(place, `at most ${EVENT_LIMIT} systems`, `${systems}`);
  }
  for (let index = 0; index < systems; index++) {
    await readFormats(cursor, await cursor.string("a system's name"), events, longSize);
  }
}

async function readFormats(
  cursor: Cursor,
  system: string,
  events: EventFormat[],
  longSize: 4 | 8,
): Promise<void> {
  const countPlace = cursor.place();
  const count = await cursor.u32(`the number of events of ${system}`);
  if (count > EVENT_LIMIT - events.length) {
    throw new RecordingError(countPlace, `at most ${EVENT_LIMIT} events`, `${count}`);
  }
  for (let index = 0; index < count; index++) {
    const place = cursor.place();
    const text = await sizedText(cursor, "an event format");
    events.push(eventFormatOf(text, system, place, longSize));
  }
}

/**
 * Reads saved_cmdlines ("COMMAND LINES"): `pid comm` a line, where comm may hold spaces.
 * Lines that are none, and those beyond 262144, are counted in `notes`.
 */
export async function readComms(cursor: Cursor, notes: string[]): Promise<Map<number, string>> {
  const size = await cursor.size("the size of the command lines");
  const text = decodeText(await cursor.take(size, "command lines"));
  const comms = new Map<number, string>();
  let skipped = 0;
  for (const line of text.split("\n")) {
    if (line === "" || line === "\0") continue;
    const match = /^\s*(\d{1,10}) (.*)$/s.exec(line);
    if (match === null || comms.size === COMM_LIMIT) skipped++;
    else comms.set(Number(match[1]), match[2]!);
  }
  if (skipped > 0) notes.push(`${skipped} saved command lines are skipped`);
  return comms;
}

/**
 * Passes over exactly the bytes of `tag`.
 * @throws RecordingError when others are there.
 */
export async function expectTag(cursor: Cursor, tag: string): Promise<void> {
  const place = cursor.place();
  const name = tag.replace("\0", "").trim();
  const found = decodeText(await cursor.take(tag.length, name));
  if (found !== tag) throw new RecordingError(place, quoteFound(name), quoteFound(found));
}

async function sizedText(cursor: Cursor, what: string): Promise<string> {
  const place = cursor.place();
  const size = await cursor.size(`the size of ${what}`);
  if (size > FORMAT_LIMIT) {
    throw new RecordingError(place, `${what} of at most ${FORMAT_LIMIT} bytes`, `${size}`);
  }
  return cursor.text(size, what);
}
