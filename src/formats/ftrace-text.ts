/**
 * Text of tracefs `trace` and `trace_pipe`, of `trace-cmd report`, of `perf script`:
 *
 *   `             vhx-547     [001] .....    30.514131: ioctl_ret: (…) ret=0`
 *   `             vhx-241   [001]     5.393553: ioctl_ret:            (ffffffffc064b6b4 <- …) ret=0`
 *   `CPU:1 [LOST 10779 EVENTS]`, `CPU:1 [95 EVENTS DROPPED]`, `##### CPU 0 buffer started ####`
 *
 * The core scans the lines; here is what it hands back: names it meets for the first time, header
 * lines, losses, and lines that are no event. Formats: kernel/trace/trace_output.c
 * trace_print_context(), tracecmd/trace-read.c.
 */

import {
  EVENT_CPU,
  EVENT_KIND,
  EVENT_LOST,
  EVENT_PLACE,
  EVENT_TS,
  EventKind,
  LineVerdict,
  Problem,
  StreamKind,
} from "../../assembly/abi.ts";
import type { ByteStream } from "../bytes/source.ts";
import type { Core } from "../core/core.ts";
import { OutOfMemory } from "../core/core.ts";
import { classifyEvent, isMarker, type ProbeKind } from "../core/probe-fields.ts";
import { atLine, quoteFound, RecordingError } from "../model/place.ts";
import type { GapSummary } from "../model/result.ts";
import { lastWord } from "../model/text-ends.ts";
import { dialectOf } from "./dialects.ts";
import { type Feed, type FeedContext, type FeedSummary, fillStream } from "./feed.ts";
import type { Format } from "./format.ts";
import { FTRACE_DIALECTS } from "./ftrace-dialects.ts";
import { QemuPlan } from "./qemu-plan.ts";

const RAW =
  "an ftrace text with the fields of its events (this one has the tracefs option raw, hex or bin: " +
  "echo noraw nohex nobin > trace_options, and record again)";

export const ftraceText: Format = {
  name: "ftrace-text",
  describe: (dialect) => `ftrace text (${dialect})`,
  sniff: (head) => dialectOf(FTRACE_DIALECTS, head.lines),
  open({ context, unwrapped, variant }) {
    if (variant === "raw") {
      throw new RecordingError({ file: context.file, at: "" }, RAW);
    }
    return openFtraceText(context, unwrapped.stream(), "ftrace text");
  },
};

const BUFFER_BYTES = 1 << 20;
const RECORDS = 3072;
/** CPU of a loss that names none. */
const NO_CPU = 0xffff;

const LOST = /^CPU:(\d+) \[(?:LOST )?(?:(\d+) )?EVENTS(?: DROPPED)?\]/;
const BUFFER_STARTED = /^##### CPU (\d+) buffer started ####/;
const PERF_LOST = "PERF_RECORD_LOST";
const ENTRIES = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/;
const LATENCY_ENTRIES = /^# latency: .*#(\d+)\/(\d+),/;
const HEADER = /^(#|cpus=\d+$|version = |CPU \d+ is empty$|\s*$)/;
const RAW_OPTION = /^\d+ \d+ \d+ type: \d+$/;
const NO_CONTEXT = /^(drain|used|rearm|uflags|desc|pop|ioctl|mem): \(/;

interface NamedEvent {
  name: string;
  probe: ProbeKind | null;
  plan: number;
}

/** Opens a text stream of ftrace events. `form` is a line for `info`: which tool printed it. */
export function openFtraceText(context: FeedContext, bytes: ByteStream, form: string): Feed {
  const { core, file, space } = context;
  const plan = core.exports.newPlan(false);
  const stream = core.exports.addStream(StreamKind.Text, plan, 0, BUFFER_BYTES, RECORDS);
  if (plan === 0 || stream < 0) throw new OutOfMemory();
  const qemu = new QemuPlan(core, false);
  core.exports.setQemu(stream, 0, space, qemu.plan, 0n);
  return new FtraceText(core, file, bytes, form, plan, stream, qemu);
}

class FtraceText implements Feed {
  readonly firstStream: number;
  readonly streams = 1;
  readonly #core: Core;
  readonly #file: string;
  readonly #bytes: ByteStream;
  readonly #form: string;
  readonly #plan: number;
  readonly #qemu: QemuPlan;
  readonly #names: NamedEvent[] = [];
  readonly #headerGaps: GapSummary[] = [];
  #cut = false;
  readonly #notes: string[] = [];
  #foreign = 0;
  #firstForeign: number | null = null;

  constructor(
    core: Core,
    file: string,
    bytes: ByteStream,
    form: string,
    plan: number,
    stream: number,
    qemu: QemuPlan,
  ) {
    this.#qemu = qemu;
    this.#core = core;
    this.#file = file;
    this.#bytes = bytes;
    this.#form = form;
    this.#plan = plan;
    this.firstStream = stream;
  }

  fill(stream: number): void | Promise<void> {
    return fillStream(this.#core, stream, this.#bytes);
  }

  line(stream: number, newName: boolean): void {
    const { exports } = this.#core;
    const at = exports.linePtr(stream);
    const length = exports.lineLength(stream);
    const line = this.#core.text(at, Math.min(length, 4096)).replace(/\r?\n$/, "");
    const number = exports.lineNumber(stream);
    if (newName && this.#learnName(line)) {
      exports.lineVerdict(stream, LineVerdict.Again);
      return;
    }
    const problem = exports.problem(stream);
    if (problem !== Problem.None) this.#refuse(stream, line, number, problem);
    else this.#header(stream, line, number);
    exports.lineVerdict(stream, LineVerdict.Skip);
  }

  /** Adds the event's name to the plan. */
  #learnName(line: string): boolean {
    const match = /:\s+(?:\(\+\d+\)\s+)?([^\s]+):(?:\s|$)/.exec(line);
    // The time is the first `number:`; what follows it is the name.
    const timed = /(?:^|\s|\])(?:\d+(?:\.\d+)?|\d+us.?):\s+(?:\(\+\d+\)\s+)?([^\s]+):(\s|$)/.exec(
      line,
    );
    const name = timed?.[1] ?? match?.[1];
    if (name === undefined) return false;
    const rest = line.slice((timed ?? match)!.index + (timed ?? match)![0].length);
    const fields = new Set<string>();
    for (const field of rest.matchAll(/(?:^|\s)([A-Za-z_]\w*)=/g)) fields.add(field[1]!);
    const symbols = /^\s*\(([^)]*)\)/.exec(rest)?.[1] ?? "";
    const functionName =
      /<- ([A-Za-z_]\w*)/.exec(symbols)?.[1] ?? /^([A-Za-z_]\w*)/.exec(symbols)?.[1] ?? null;
    const probe = classifyEvent(name, fields, functionName);
    this.#add(name, probe, isMarker(name));
    return true;
  }

  #add(name: string, probe: ProbeKind | null, marker: boolean): void {
    const { exports } = this.#core;
    const bytes = Uint8Array.from(name, (c) => c.charCodeAt(0));
    const at = this.#core.put(bytes);
    const kind = marker ? EventKind.Marker : (probe?.kind ?? EventKind.Other);
    const fields = marker ? [] : (probe?.fields ?? []);
    const event = exports.addEvent(this.#plan, at, bytes.length, 0, kind, fields.length);
    if (event === 0) throw new OutOfMemory();
    fields.forEach((field, i) => {
      let key = 0n;
      const token = `${field.name}=`;
      for (let c = 0; c < token.length; c++) key |= BigInt(token.charCodeAt(c)) << BigInt(8 * c);
      exports.setTextField(event, i, key, token.length, field.target, field.size, !field.optional);
    });
    this.#names.push({ name, probe, plan: event });
  }

  /** A line of an event that the replay needs, and which it cannot read. */
  #refuse(stream: number, line: string, number: number, problem: number): void {
    const { exports } = this.#core;
    if (exports.atEndOfInput(stream) && !this.#endsWithNewline(stream)) {
      this.#notes.push(`The recording ends in the middle of line ${number}; it is not replayed.`);
      this.#cut = true;
      return;
    }
    const column = exports.problemAt(stream);
    if (problem === Problem.Arguments) {
      const text = line.slice(column);
      const name = /^\w*/.exec(text)?.[0] ?? "";
      const example = `${name} ${this.#qemu.example(name)}`;
      const where = { file: this.#file, at: atLine(number, column + 1) };
      throw new RecordingError(where, example, quoteFound(text, 120));
    }
    if (problem === Problem.Value) {
      const token = /^\S*/.exec(line.slice(column))?.[0] ?? "";
      const field = lastWord(line.slice(0, Math.max(0, column - 1))) || "the field";
      throw new RecordingError(
        { file: this.#file, at: atLine(number, column + 1) },
        `a number that fits ${field}`,
        quoteFound(token),
      );
    }
    const event = this.#names.find((entry) => line.includes(` ${entry.name}:`));
    const field = event?.probe?.fields[column]?.name ?? "a field";
    throw new RecordingError(
      { file: this.#file, at: atLine(number) },
      `${field}= in every ${event?.name ?? "such"} event`,
      quoteFound(line.trim().slice(0, 200), 120),
    );
  }

  #endsWithNewline(stream: number): boolean {
    const end = this.#core.exports.linePtr(stream) + this.#core.exports.lineLength(stream);
    return this.#core.bytes[end - 1] === 10;
  }

  /** Headers, losses, and lines that are no event at all. */
  #header(stream: number, line: string, number: number): void {
    const lost = LOST.exec(line);
    if (lost) {
      this.#gap(stream, Number(lost[1]), lost[2] ? Number(lost[2]) : null, number);
      return;
    }
    const started = BUFFER_STARTED.exec(line);
    if (started) {
      this.#gap(stream, Number(started[1]), null, number);
      return;
    }
    const perf = perfLost(line);
    if (perf !== null) {
      this.#gap(stream, NO_CPU, perf, number);
      return;
    }
    const entries = ENTRIES.exec(line) ?? LATENCY_ENTRIES.exec(line);
    if (entries) {
      // The kernel's `trace` file says in its header, and nowhere else, what was overwritten.
      const missing = Number(entries[2]) - Number(entries[1]);
      if (missing > 0) this.#gap(stream, NO_CPU, missing, number);
      return;
    }
    if (HEADER.test(line)) return;
    const where = { file: this.#file, at: atLine(number) };
    if (RAW_OPTION.test(line)) {
      throw new RecordingError(
        where,
        "events with their fields; record again with `echo noraw nohex nobin > trace_options`",
        quoteFound(line),
      );
    }
    if (NO_CONTEXT.test(line)) {
      throw new RecordingError(
        where,
        "task, CPU and time before the event; record again with `echo context-info > trace_options`",
        quoteFound(line),
      );
    }
    this.#foreign++;
    this.#firstForeign ??= number;
  }

  /** The recorder says that it lost events: a record of its own, at this place in the order. */
  #gap(stream: number, cpu: number, lost: number | null, line: number): void {
    const { exports } = this.#core;
    const at = exports.appendRecord(stream);
    const place = { file: this.#file, at: atLine(line) };
    if (at === 0) {
      this.#headerGaps.push({ cpu: cpu === NO_CPU ? null : cpu, lost, place });
      return;
    }
    const view = this.#core.view;
    view.setBigUint64(at + EVENT_TS, exports.lastTs(stream), true);
    view.setBigUint64(at + EVENT_PLACE, BigInt(line), true);
    view.setUint16(at + EVENT_CPU, cpu, true);
    view.setUint8(at + EVENT_KIND, EventKind.Gap);
    view.setBigInt64(at + EVENT_LOST, lost === null ? -1n : BigInt(lost), true);
  }

  damaged(): never {
    throw new Error("bug: text has no pages");
  }

  marker(text: string): void {
    this.#qemu.learn(text);
  }

  place(_stream: number, place: number) {
    return { file: this.#file, at: atLine(place) };
  }

  symbol(ip: bigint): string | null {
    const at = Number(ip);
    if (at === 0) return null;
    const length = this.#core.view.getUint32(at, true);
    return this.#core.text(at + 4, length);
  }

  summary(): FeedSummary {
    const notes = [...this.#notes];
    // Markers that are events of QEMU count as these. Text of one tool has one name for markers.
    const qemu = this.#qemu.total();
    if (this.#foreign > 0) {
      notes.push(
        `${this.#foreign} line${this.#foreign === 1 ? " is" : "s are"} no event and not replayed, ` +
          `the first one is line ${this.#firstForeign}.`,
      );
    }
    return {
      format: this.#form,
      clock: null,
      cpus: this.#cpus(),
      events: [
        ...this.#names.map((entry) => ({
          name: entry.name,
          kind: entry.probe?.name ?? (isMarker(entry.name) ? "marker" : null),
          count: this.#core.exports.eventCount(entry.plan) - (isMarker(entry.name) ? qemu : 0),
        })),
        ...this.#qemu.counts(),
      ],
      foreignLines: this.#foreign,
      notes,
      gaps: this.#headerGaps,
      cut: this.#cut,
    };
  }

  #cpus(): number[] {
    const at = this.#core.exports.cpuSetPtr();
    const bytes = this.#core.bytes;
    const cpus: number[] = [];
    for (let cpu = 0; cpu < 4096; cpu++) {
      if (bytes[at + (cpu >> 3)]! & (1 << (cpu & 7))) cpus.push(cpu);
    }
    return cpus;
  }

  mute(names: ReadonlySet<string>): void {
    this.#qemu.mute(names);
  }

  close(): void {
    this.#bytes.close();
  }
}

/** How many events a line of `perf script --show-lost-events` says are lost; null for another line. */
function perfLost(line: string): number | null {
  const at = line.indexOf(PERF_LOST);
  const lost = at < 0 ? null : /\blost (\d{1,15})/.exec(line.slice(at + PERF_LOST.length));
  return lost === null ? null : Number(lost[1]);
}
