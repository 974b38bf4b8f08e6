/** Normalised events, one JSON object a line: what `dump` writes. The format is `src/model/event.ts`. */

import { LOST_UNREAD, MAX_LINE, StreamKind } from "../../assembly/decode-abi.ts";
import {
  EVENT_CPU,
  EVENT_KIND,
  EVENT_LOST,
  EVENT_PLACE,
  EVENT_SIZE,
  EVENT_TS,
  EventKind,
} from "../../assembly/event-abi.ts";
import type { ByteStream } from "../bytes/source.ts";
import type { Core } from "../core/core.ts";
import { OutOfMemory } from "../core/core.ts";
import { ioctlFunction, isKernelFunction, writeEvent } from "../core/event-record.ts";
import { atLine, type Place, quoteFound, RecordingError } from "../model/place.ts";
import type { GapSummary } from "../model/result.ts";
import type { Feed, FeedContext, FeedSummary } from "./feed.ts";
import type { Format } from "./format.ts";
import type { Entries } from "./stated-entries.ts";
import { longLine, Unread } from "./unread.ts";

const RECORDS = 1024;
const CHUNK = 1 << 16;
/** CPU of a loss that names none. */
const NO_CPU = 0xffff;

/** A JSON object that says which event it is. */
const EVENT = /^\s*\{(?:.*[{,])?\s*"event"\s*:/;

export const ndjson: Format = {
  name: "ndjson",
  describe: () => "NDJSON",
  sniff({ lines }) {
    const count = lines.filter((line) => EVENT.test(line)).length;
    return count === 0 ? null : { variant: "", lines: count };
  },
  open: ({ context, unwrapped }) => openNdjson(context, unwrapped.lines()),
};

/** Opens an NDJSON stream of normalised events. */
export function openNdjson(context: FeedContext, bytes: ByteStream): Feed {
  const stream = context.core.exports.addStream(StreamKind.Records, 0, 0, EVENT_SIZE, RECORDS);
  if (stream < 0) throw new OutOfMemory();
  context.core.exports.setQemu(stream, 0, context.space, 0, 0n);
  return new Ndjson(context.core, context.file, bytes, stream);
}

class Ndjson implements Feed {
  readonly firstStream: number;
  readonly streams = 1;
  readonly #core: Core;
  readonly #file: string;
  readonly #bytes: ByteStream;
  readonly #chunk = new Uint8Array(CHUNK);
  readonly #counts = new Map<string, number>();
  readonly #cpus = new Set<number>();
  #muted: ReadonlySet<string> = new Set();
  #clock: string | null = null;
  #tolerance: bigint | null = null;
  readonly #gaps: GapSummary[] = [];
  #ofPart = false;
  #lastTs = 0n;
  /** The header says that an end follows; what ends stated so far, and the line of the last one. */
  #ends = false;
  #entries: number | null = null;
  #endLine = 1;
  #events = 0;
  readonly #unread = new Unread();
  #rest = new Uint8Array(0);
  #end = false;
  #skipping = false;
  #line = 0;

  constructor(core: Core, file: string, bytes: ByteStream, stream: number) {
    this.#core = core;
    this.#file = file;
    this.#bytes = bytes;
    this.firstStream = stream;
  }

  async fill(stream: number): Promise<void> {
    const { exports } = this.#core;
    for (let n = 0; n < RECORDS; n++) {
      const line = this.#takeLine() ?? (await this.#readLine());
      if (line === null) return exports.ended(stream);
      this.#read(stream, line);
    }
  }

  /** A line that is none of dump's is a loss in its place. */
  #read(stream: number, line: string): void {
    try {
      this.#append(stream, line);
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      this.#unread.add(error);
      this.#gap(stream);
    }
  }

  #gap(stream: number): void {
    const at = this.#core.exports.appendRecord(stream);
    if (at === 0) throw new Error("bug: no room for a record");
    const { view } = this.#core;
    view.setBigUint64(at + EVENT_TS, this.#lastTs, true);
    view.setBigUint64(at + EVENT_PLACE, BigInt(this.#line), true);
    view.setUint16(at + EVENT_CPU, NO_CPU, true);
    view.setUint8(at + EVENT_KIND, EventKind.Gap);
    view.setBigInt64(at + EVENT_LOST, BigInt(LOST_UNREAD), true);
  }

  #append(stream: number, line: string): void {
    const { exports } = this.#core;
    const where = this.place(stream, this.#line);
    if (line.length >= MAX_LINE) throw longLine(this.#file, this.#line, line);
    if (line.trim() === "") return;
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch {
      throw new RecordingError(where, "a JSON object", quoteFound(line));
    }
    if (typeof event !== "object" || event === null || Array.isArray(event)) {
      throw new RecordingError(where, "a JSON object", quoteFound(line));
    }
    const { event: kind, name: own, cpu } = event as { event: string; name: string; cpu: number };
    if (kind === "recording") {
      this.#header(event as Record<string, unknown>, where);
      return;
    }
    if (kind === "end") {
      this.#takeEnd(event as Record<string, unknown>, where);
      return;
    }
    const name = kind === "qemu" ? own : kind;
    if (this.#muted.has(name)) {
      this.#count(name);
      return;
    }
    const at = exports.appendRecord(stream);
    if (at === 0) throw new Error("bug: no room for a record");
    try {
      writeEvent(this.#core, at, event, this.#line, where);
    } catch (error) {
      exports.dropRecord(stream);
      throw error;
    }
    const written = this.#core.view.getBigUint64(at + EVENT_TS, true);
    const ts = BigInt.asUintN(64, written + exports.streamOffset(stream));
    this.#core.view.setBigUint64(at + EVENT_TS, ts, true);
    this.#lastTs = ts;
    if (kind !== "gap") exports.noteTs(stream, ts);
    this.#count(name);
    if (this.#cpus.size < 4096) this.#cpus.add(Number(cpu));
  }

  #count(name: string): void {
    this.#events++;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** RecordingEnd of src/model/event.ts. Throws RecordingError for one that is none. */
  #takeEnd({ events, whole, gaps }: Record<string, unknown>, where: Place): void {
    if (!Number.isSafeInteger(events) || Number(events) < 0) {
      throw new RecordingError(where, 'a number as "events"', quoteFound(`${events}`));
    }
    this.#entries = (this.#entries ?? 0) + Number(events);
    this.#endLine = this.#line;
    if (whole !== true) this.#ofPart = true;
    if (gaps !== undefined) this.#gaps.push(...readGaps(gaps, where));
  }

  /** What it says that it holds; with a header that promises an end, that must be there. */
  #held(): { entries?: Entries } {
    const place = { file: this.#file, at: atLine(this.#endLine) };
    const entries = { stated: this.#entries, read: this.#events + this.#unread.count, place };
    if (this.#entries !== null) return { entries };
    return this.#ends ? { entries: { ...entries, unended: true } } : {};
  }

  /** RecordingHeader of src/model/event.ts. Throws RecordingError for one that is none. */
  #header(header: Record<string, unknown>, where: Place): void {
    const { clock, tolerance, gaps, ends } = header;
    const wrong = (key: string, expected: string): never => {
      const found = quoteFound(JSON.stringify(header[key]) ?? "");
      throw new RecordingError(where, `${expected} as "${key}"`, found);
    };
    if (this.#line !== 1) throw new RecordingError(where, "an event", "a header behind line 1");
    if (typeof clock === "string") this.#clock = clock.slice(0, 64);
    else if (clock !== undefined) wrong("clock", "the name of a clock");
    if (typeof tolerance === "string" && /^\d{1,19}$/.test(tolerance)) {
      this.#tolerance = BigInt(tolerance);
    } else if (tolerance !== undefined) wrong("tolerance", "nanoseconds");
    if (ends !== undefined && typeof ends !== "boolean") wrong("ends", "true or false");
    this.#ends = ends === true;
    if (gaps !== undefined) this.#gaps.push(...readGaps(gaps, where));
  }

  mute(names: ReadonlySet<string>): void {
    this.#muted = names;
  }

  /** The next whole line that is already read. */
  #takeLine(): string | null {
    let newline = this.#rest.indexOf(10);
    if (this.#skipping) {
      this.#rest = this.#rest.subarray(newline < 0 ? this.#rest.length : newline + 1);
      if (newline < 0) return null;
      this.#skipping = false;
      newline = this.#rest.indexOf(10);
    }
    if (newline < 0) return null;
    const line = new TextDecoder().decode(this.#rest.subarray(0, newline));
    this.#rest = this.#rest.subarray(newline + 1);
    this.#line++;
    return line;
  }

  async #readLine(): Promise<string | null> {
    while (!this.#end) {
      const got = this.#bytes.read(this.#chunk);
      const count = typeof got === "number" ? got : await got;
      if (count === 0) {
        this.#end = true;
        break;
      }
      const joined = new Uint8Array(this.#rest.length + count);
      joined.set(this.#rest);
      joined.set(this.#chunk.subarray(0, count), this.#rest.length);
      this.#rest = joined;
      const line = this.#takeLine();
      if (line !== null) return line;
      if (this.#rest.length >= MAX_LINE) {
        // Too long: its beginning stands for it, the rest is read over.
        const line = new TextDecoder().decode(this.#rest.subarray(0, MAX_LINE));
        this.#rest = new Uint8Array(0);
        this.#skipping = true;
        this.#line++;
        return line;
      }
    }
    if (this.#rest.length === 0) return null;
    const line = new TextDecoder().decode(this.#rest);
    this.#rest = new Uint8Array(0);
    this.#line++;
    return line;
  }

  line(): void {
    throw new Error("bug: NDJSON has no lines for the core");
  }

  damaged(): never {
    throw new Error("bug: NDJSON has no pages");
  }

  place(_stream: number, place: number): Place {
    return { file: this.#file, at: atLine(place) };
  }

  probesKernel(ip: bigint): boolean {
    return isKernelFunction(ip);
  }

  symbol(ip: bigint): string | null {
    return ioctlFunction(ip);
  }

  summary(): FeedSummary {
    return {
      format: "NDJSON",
      clock: this.#clock,
      ...(this.#tolerance === null ? {} : { clockToleranceNs: this.#tolerance.toString() }),
      cpus: [...this.#cpus].sort((a, b) => a - b),
      events: [...this.#counts].map(([name, count]) => ({ name, kind: name, count })),
      foreignLines: 0,
      notes: this.#unread.notes(),
      gaps: this.#gaps,
      unread: this.#unread,
      ...(this.#end ? this.#held() : {}),
      ...(this.#ofPart ? { ofPart: true } : {}),
    };
  }

  close(): void {
    this.#bytes.close();
  }
}

/** Losses that no event tells of. Throws RecordingError for what is no list of them. */
function readGaps(gaps: unknown, where: Place): GapSummary[] {
  const count = (value: unknown): boolean => value === null || Number.isSafeInteger(value);
  if (!Array.isArray(gaps) || !gaps.every((gap) => count(gap?.cpu) && count(gap?.lost))) {
    throw new RecordingError(
      where,
      'a list of lost events as "gaps"',
      quoteFound(JSON.stringify(gaps) ?? ""),
    );
  }
  return gaps.map(({ cpu, lost, missing }) => ({
    ...{ cpu, lost, place: where },
    ...(missing === true ? { missing } : {}),
  }));
}
