/**
 * The options of a trace.dat (trace-cmd.dat.v7(5), "OPTIONS"); version 6 has the same ids up to
 * 14. Options that point to a section are only noted here, with the offset.
 */

import { quoteFound } from "../../model/place.ts";
import { bracketed } from "../../model/text-ends.ts";
import { type Cursor, decodeText } from "./cursor.ts";
import type { CpuStat, GuestPeer, TimeShift, Tsc2Nsec } from "./trace-dat.ts";

export const OPTION_DONE = 0;
export const OPTION_BUFFER = 3;
export const OPTION_BUFFER_TEXT = 22;
/** Ids that name both an option and the section it points to. */
export const SECTION_HEADER_INFO = 16;
export const SECTION_FTRACE_EVENTS = 17;
export const SECTION_EVENT_FORMATS = 18;
export const SECTION_KALLSYMS = 19;
export const SECTION_CMDLINES = 21;

const NAMES: Readonly<Record<number, string>> = {
  6: "HOOK",
  10: "PROCMAPS",
  15: "STRINGS",
  20: "PRINTK",
  23: "BTF_FILE",
  24: "LAST_BOOT_INFO",
  25: "MODULES_FILE",
};
const NOTE_LIMIT = 64;

/** What the options of a file say, gathered over all of them. */
export interface OptionFacts {
  clock: string | null;
  /** Version 6: the clock's name follows each table of CPU data. */
  hasTraceClock: boolean;
  uname: string | null;
  traceCmdVersion: string | null;
  cpuStats: CpuStat[];
  dateOffsetNs: bigint;
  offsetNs: bigint;
  cpuCount: number | null;
  traceId: bigint | null;
  timeShift: TimeShift | null;
  guests: GuestPeer[];
  tsc2nsec: Tsc2Nsec | null;
  /** Offsets of sections, by section id. */
  sections: Map<number, number>;
  /** The buffer that the next CPUSTAT options are about. */
  statBuffer: string;
}

export function noOptions(): OptionFacts {
  return {
    clock: null,
    hasTraceClock: false,
    uname: null,
    traceCmdVersion: null,
    cpuStats: [],
    dateOffsetNs: 0n,
    offsetNs: 0n,
    cpuCount: null,
    traceId: null,
    timeShift: null,
    guests: [],
    tsc2nsec: null,
    sections: new Map(),
    statBuffer: "",
  };
}

/** Adds a note, unless the file already gave so many that more would tell nothing. */
export function addNote(notes: string[], note: string): void {
  if (notes.length < NOTE_LIMIT) {
    if (!notes.includes(note)) notes.push(note);
  } else if (notes.length === NOTE_LIMIT) notes.push("more notes are left out");
}

/**
 * Takes in one option; `data` is a cursor over exactly its bytes. Unknown ids and values that
 * cannot be understood become notes.
 * @throws RecordingError when the data are shorter than the option's members.
 */
export async function takeOption(
  id: number,
  data: Cursor,
  facts: OptionFacts,
  notes: string[],
): Promise<void> {
  switch (id) {
    case 1:
      // Microseconds.
      facts.dateOffsetNs = (await offsetOf(data, "DATE", notes)) * 1000n;
      return;
    case 2:
      takeCpuStat(await textOf(data), facts, notes);
      return;
    case 4: {
      const text = await textOf(data);
      facts.hasTraceClock = true;
      facts.clock = bracketed(text);
      // trace-cmd 2.x writes it without data: the clock stands behind the table of CPU data.
      if (facts.clock === null && text !== "")
        addNote(notes, `option TRACECLOCK ${quoteFound(text)} names no clock`);
      return;
    }
    case 5:
      facts.uname = (await textOf(data)).trim();
      return;
    case 7:
      facts.offsetNs = await offsetOf(data, "OFFSET", notes);
      return;
    case 8:
      facts.cpuCount = await data.u32("option CPUCOUNT");
      return;
    case 9:
      facts.traceCmdVersion = (await textOf(data)).trim();
      return;
    case 11:
      facts.traceId = await data.u64("option TRACEID");
      return;
    case 12: {
      const peerTraceId = await data.u64("option TIME_SHIFT");
      await data.u32("the flags of option TIME_SHIFT");
      facts.timeShift = { peerTraceId, cpus: await data.u32("the CPUs of option TIME_SHIFT") };
      addNote(notes, "option TIME_SHIFT is not applied: times are those of this machine's clock");
      return;
    }
    case 13:
      facts.guests.push(await readGuest(data));
      return;
    case 14: {
      const mult = await data.u32("option TSC2NSEC");
      const shift = await data.u32("the shift of option TSC2NSEC");
      facts.tsc2nsec = { mult, shift, offset: await data.u64("the offset of option TSC2NSEC") };
      return;
    }
    case SECTION_HEADER_INFO:
    case SECTION_FTRACE_EVENTS:
    case SECTION_EVENT_FORMATS:
    case SECTION_KALLSYMS:
    case SECTION_CMDLINES:
      if (facts.sections.has(id)) addNote(notes, `section ${id} is named twice: the first is read`);
      else facts.sections.set(id, await data.size(`the offset of section ${id}`));
      return;
    default:
      // Known and of no use for a replay: passed over. Others the user should know of.
      if (NAMES[id] === undefined) addNote(notes, `unknown option ${id} is skipped`);
  }
}

async function textOf(data: Cursor): Promise<string> {
  const text = decodeText(await data.take(data.left ?? 0, "an option"));
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** A signed integer in C notation, as strtoll() with base 0 reads it. */
async function offsetOf(data: Cursor, name: string, notes: string[]): Promise<bigint> {
  const text = (await textOf(data)).trim();
  const match = /^([+-]?)(0[xX][0-9a-fA-F]{1,16}|\d{1,19})$/.exec(text);
  if (match === null) {
    addNote(notes, `option ${name} ${quoteFound(text)} is no number and is skipped`);
    return 0n;
  }
  const value = BigInt(match[2]!);
  return match[1] === "-" ? -value : value;
}

function takeCpuStat(text: string, facts: OptionFacts, notes: string[]): void {
  const buffer = /^[ \t]*Buffer: (.*)$/m.exec(text);
  if (buffer !== null) facts.statBuffer = buffer[1]!.trim();
  const counter = (name: string): number => {
    const match = new RegExp(`^${name}: (\\d{1,15})$`, "m").exec(text);
    return match === null ? 0 : Number(match[1]);
  };
  if (!/^CPU: \d+$/m.test(text)) {
    if (buffer === null) addNote(notes, `option CPUSTAT ${quoteFound(text)} is skipped`);
    return;
  }
  facts.cpuStats.push({
    buffer: facts.statBuffer,
    cpu: counter("CPU"),
    entries: counter("entries") + counter("read events"),
    overrun: counter("overrun"),
    droppedEvents: counter("dropped events"),
    commitOverrun: counter("commit overrun"),
  });
}

async function readGuest(data: Cursor): Promise<GuestPeer> {
  const name = await data.string("a guest's name");
  const traceId = await data.u64("a guest's trace id");
  const count = await data.u32("a guest's number of vCPUs");
  const vcpus: { vcpu: number; pid: number }[] = [];
  for (let index = 0; index < count; index++) {
    vcpus.push({ vcpu: await data.u32("a vCPU"), pid: await data.u32("a vCPU's pid") });
  }
  return { name, traceId, vcpus };
}
