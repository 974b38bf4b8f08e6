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
  LineVerdict,
  LOST_UNREAD,
  MAX_LINE,
  MAX_SHAPES,
  Problem,
  StreamKind,
} from "../../assembly/decode-abi.ts";
import { EventKind } from "../../assembly/event-abi.ts";
import type { ByteStream } from "../bytes/source.ts";
import type { Core } from "../core/core.ts";
import { OutOfMemory } from "../core/core.ts";
import { isMarker, type ProbeKind } from "../core/probe-fields.ts";
import { atLine, quoteFound, RecordingError } from "../model/place.ts";
import type { GapSummary } from "../model/result.ts";
import { lastWord } from "../model/text-ends.ts";
import { dialectOf } from "./dialects.ts";
import { type EventLine, namesPattern, parseEvent, probeNamed } from "./event-line.ts";
import { cpusSeen, type Feed, type FeedContext, type FeedSummary, fillStream } from "./feed.ts";
import type { Format } from "./format.ts";
import { FTRACE_DIALECTS } from "./ftrace-dialects.ts";
import { isHeader, lossOf, NO_CPU, unreadableAs } from "./other-line.ts";
import { QemuPlan } from "./qemu-plan.ts";
import { type Entries, StatedEntries } from "./stated-entries.ts";
import { longLine, Unread } from "./unread.ts";

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
    return openFtraceText(context, unwrapped.lines(), "ftrace text");
  },
};

const BUFFER_BYTES = 1 << 20;
const RECORDS = 3072;

interface NamedEvent {
  name: string;
  /** The one of our probes that its lines are, as far as they were seen. */
  probe: ProbeKind | null;
  plan: number;
  /** Lines of another's event of this name that the core did not count. */
  foreign: number;
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
  readonly #unread = new Unread();
  readonly #entries = new StatedEntries();
  #ended = false;
  /** Names of events of ours, as a line that is no event line may hold them. */
  #ours = namesPattern([]);
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
    return fillStream(this.#core, stream, this.#bytes, () => {
      this.#ended = true;
    });
  }

  line(stream: number, newName: boolean): void {
    const { exports } = this.#core;
    const at = exports.linePtr(stream);
    const length = exports.lineLength(stream);
    const line = this.#core.text(at, Math.min(length, MAX_LINE)).replace(/\r?\n/, "");
    const number = exports.lineNumber(stream);
    if (newName && this.#learnName(stream, line)) {
      exports.lineVerdict(stream, LineVerdict.Again);
      return;
    }
    const problem = exports.problem(stream);
    const again = problem !== Problem.None && this.#refuse(stream, line, number, problem);
    if (problem === Problem.None) this.#header(stream, line, number);
    exports.lineVerdict(stream, again ? LineVerdict.Again : LineVerdict.Skip);
  }

  /** Adds the event's name to the plan: what it is, the name tells, or else this line. */
  #learnName(stream: number, line: string): boolean {
    const event = parseEvent(line);
    if (!event) return false;
    const probe = event.classify() ?? probeNamed(event.name);
    const { exports } = this.#core;
    const bytes = Uint8Array.from(event.name, (c) => c.charCodeAt(0));
    const at = this.#core.put(bytes);
    const marker = isMarker(event.name);
    const kind = marker ? EventKind.Marker : (probe?.kind ?? EventKind.Other);
    const fields = marker ? [] : (probe?.fields ?? []);
    const plan = exports.addEvent(this.#plan, at, bytes.length, 0, kind, fields.length);
    if (plan === 0) throw new OutOfMemory();
    const named = { name: event.name, probe, plan, foreign: 0 };
    this.#names.push(named);
    this.#describe(named, stream, event);
    return true;
  }

  /** Tells the core of the fields of an event that is one of ours. */
  #describe(named: NamedEvent, stream: number, event: EventLine): void {
    const { exports } = this.#core;
    const { probe, plan, name } = named;
    if (!probe) return;
    probe.fields.forEach((field, i) => {
      let key = 0n;
      const token = `${field.name}=`;
      for (let c = 0; c < token.length; c++) key |= BigInt(token.charCodeAt(c)) << BigInt(8 * c);
      exports.setTextField(plan, i, key, token.length, field.target, field.size, !field.optional);
    });
    if (!probe.distinct && !probeNamed(name)) {
      exports.setOwn(plan, exports.lineFunction(stream, event.at));
    }
    this.#ours = namesPattern(this.#names.flatMap((entry) => (entry.probe ? [entry.name] : [])));
  }

  /**
   * A line with a known name that the core does not read. Another's event of the same name is told by
   * its fields and function, and counted; everything else is one of ours, and lost. True: to be
   * scanned again.
   */
  #refuse(stream: number, line: string, number: number, problem: number): boolean {
    const { exports } = this.#core;
    if (problem === Problem.Cut) {
      this.#notes.push(`The recording ends in the middle of line ${number}; it is not replayed.`);
      this.#cut = true;
      return false;
    }
    if (problem === Problem.Long) {
      this.#lose(stream, longLine(this.#file, number, line));
      return false;
    }
    const column = exports.problemAt(stream);
    if (problem === Problem.Arguments) {
      const text = line.slice(column);
      const name = /^\w*/.exec(text)?.[0] ?? "";
      const example = `${name} ${this.#qemu.example(name)}`;
      const where = { file: this.#file, at: atLine(number, column + 1) };
      this.#lose(stream, new RecordingError(where, example, quoteFound(text, 120)));
      return false;
    }
    const plan = exports.lineEvent(stream);
    const named = this.#names.find((entry) => entry.plan === plan);
    const event = parseEvent(line);
    if (!named) throw new Error("bug: a line of a known name without one");
    if (!event) {
      const where = { file: this.#file, at: atLine(number) };
      const expected = `a blank before and behind the name of ${named.name}`;
      this.#lose(stream, new RecordingError(where, expected, quoteFound(line.trim(), 120)));
      return false;
    }
    if (problem === Problem.Shape) return this.#judgeShape(stream, named, event);
    const own = event.classify();
    if (own && own.kind !== named.probe?.kind && exports.eventCount(plan) === 0) {
      // The name alone told what it is, and told wrong: back ends have probes of the same names.
      this.#become(stream, named, event, own);
      return true;
    }
    if (named.probe && event.isForeignTo(named.probe)) {
      if (problem === Problem.Missing) {
        exports.judgeForeign(stream);
        // Again, unless there is no room for another shape: then it is counted here.
        if (this.#shapes(plan) < MAX_SHAPES) return true;
      }
      named.foreign++;
      return false;
    }
    if (problem === Problem.Value) {
      const token = /^\S*/.exec(line.slice(column))?.[0] ?? "";
      const field = lastWord(line.slice(0, Math.max(0, column - 1))) || "the field";
      const where = { file: this.#file, at: atLine(number, column + 1) };
      this.#lose(
        stream,
        new RecordingError(where, `a number that fits ${field}`, quoteFound(token)),
      );
      return false;
    }
    const field = named.probe?.fields[column]?.name ?? "a field";
    const where = { file: this.#file, at: atLine(number) };
    const found = quoteFound(line.trim().slice(0, 200), 120);
    const expected = `${field}= in every ${named.name} event`;
    this.#lose(stream, new RecordingError(where, expected, found));
    return false;
  }

  /** A probe's line under a name that was another's so far, with fields that were not seen. */
  #judgeShape(stream: number, named: NamedEvent, event: EventLine): boolean {
    const { exports } = this.#core;
    const probe = event.classify();
    if (probe) {
      this.#become(stream, named, event, probe);
      return true;
    }
    exports.judgeForeign(stream);
    if (this.#shapes(named.plan) < MAX_SHAPES) return true;
    named.foreign++;
    return false;
  }

  #become(stream: number, named: NamedEvent, event: EventLine, probe: ProbeKind): void {
    const { exports } = this.#core;
    named.probe = probe;
    if (!exports.becomeEvent(named.plan, probe.kind, probe.fields.length)) throw new OutOfMemory();
    this.#describe(named, stream, event);
  }

  /** Shapes of lines that the core keeps for a name. */
  #shapes(plan: number): number {
    const count = (this.#judged.get(plan) ?? 0) + 1;
    this.#judged.set(plan, count);
    return count;
  }

  readonly #judged = new Map<number, number>();

  /** An event of ours that is there and cannot be read: a loss of unknown size at its place. */
  #lose(stream: number, error: RecordingError): void {
    this.#unread.add(error);
    this.#gap(stream, NO_CPU, LOST_UNREAD);
  }

  /** Headers, losses, and lines that are no event at all. */
  #header(stream: number, line: string, number: number): void {
    this.#entries.look(line, number);
    const loss = lossOf(line);
    if (loss) {
      if (loss.lost !== 0) this.#gap(stream, loss.cpu, loss.lost);
      return;
    }
    if (isHeader(line)) return;
    const unreadable = this.#unreadable(line, number);
    if (unreadable) {
      this.#lose(stream, unreadable);
      return;
    }
    this.#foreign++;
    this.#firstForeign ??= number;
  }

  /** What is wrong with a line that is no event line, but holds an event of ours; null: it holds none. */
  #unreadable(line: string, number: number): RecordingError | null {
    const expected = unreadableAs(line, this.#ours);
    if (expected === null) return null;
    const where = { file: this.#file, at: atLine(number) };
    return new RecordingError(where, expected, quoteFound(line.trim(), 120));
  }

  /** The recorder lost events, or what it wrote cannot be read: a record of its own, in this place. */
  #gap(stream: number, cpu: number, lost: number): void {
    const { exports } = this.#core;
    if (exports.appendGap(stream, cpu, BigInt(lost))) return;
    const place = { file: this.#file, at: atLine(exports.lineNumber(stream)) };
    const known = lost < 0 ? null : lost;
    this.#headerGaps.push({ cpu: cpu === NO_CPU ? null : cpu, lost: known, place });
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

  probesKernel(): boolean {
    return true;
  }

  symbol(ip: bigint): string | null {
    const at = Number(ip);
    if (at === 0) return null;
    const length = this.#core.view.getUint32(at, true);
    return this.#core.text(at + 4, length);
  }

  summary(): FeedSummary {
    const notes = [...this.#notes, ...this.#unread.notes()];
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
      cpus: cpusSeen(this.#core),
      events: [
        ...this.#names.flatMap((entry) => this.#counts(entry, qemu)),
        ...this.#qemu.counts(),
      ],
      foreignLines: this.#foreign,
      notes,
      gaps: this.#headerGaps,
      cut: this.#cut,
      unread: this.#unread,
      ...(this.#ended ? { entries: this.#held() } : {}),
    };
  }

  /** Entries that headers state, and those that are there. */
  #held(): Entries {
    const { exports } = this.#core;
    const events = this.#names.reduce(
      (sum, { plan, foreign }) =>
        sum + exports.eventCount(plan) + exports.foreignCount(plan) + foreign,
      this.#unread.count,
    );
    return this.#entries.entries(events, (line) => ({ file: this.#file, at: atLine(line) }));
  }

  /** Lines of a name: ours, and those of another's event of the same name. */
  #counts({ name, probe, plan, foreign }: NamedEvent, qemu: number): FeedSummary["events"] {
    const { exports } = this.#core;
    const count = exports.eventCount(plan) - (isMarker(name) ? qemu : 0);
    const other = exports.foreignCount(plan) + foreign;
    const kind = probe?.name ?? (isMarker(name) ? "marker" : null);
    const own = { name, kind, count: kind === null ? count + other : count };
    return kind === null || other === 0 ? [own] : [own, { name, kind: null, count: other }];
  }

  mute(names: ReadonlySet<string>): void {
    this.#qemu.mute(names);
  }

  close(): void {
    this.#bytes.close();
  }
}
