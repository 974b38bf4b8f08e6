/**
 * trace.dat into the core: one stream for each CPU of each buffer, and one plan for the file, made
 * from its event formats.
 */

import { PageDamage, StreamKind } from "../../assembly/decode-abi.ts";
import { EVENT_IP, EventKind } from "../../assembly/event-abi.ts";
import type { ByteStream } from "../bytes/source.ts";
import type { Core } from "../core/core.ts";
import { OutOfMemory } from "../core/core.ts";
import { classifyEvent, type ProbeKind } from "../core/probe-fields.ts";
import { atByte, type Place, RecordingError } from "../model/place.ts";
import type { GapSummary } from "../model/result.ts";
import { type Feed, type FeedContext, type FeedSummary, fillStream } from "./feed.ts";
import type { EventFormat, FormatField } from "./format-file.ts";
import { QemuPlan } from "./qemu-plan.ts";
import type { Entries } from "./stated-entries.ts";
import type { TraceBuffer, TraceDat } from "./trace-dat/trace-dat.ts";
import { Unread } from "./unread.ts";

const RECORDS = 512;
/** All input buffers together, and one of them. */
const BUFFERS_BYTES = 16 << 20;
const BUFFER_BYTES = 256 << 10;

/** What was expected in the place of a damage. */
const EXPECTED: Readonly<Record<PageDamage, string>> = {
  [PageDamage.None]: "an intact page",
  [PageDamage.Commit]: "a page whose committed length fits the page",
  [PageDamage.EventEnd]: "an event that ends inside the page's committed data",
  [PageDamage.Short]: "a record as long as its event format says",
  [PageDamage.Torn]: "whole ring-buffer pages",
  [PageDamage.Marker]:
    "a marker with the arguments that QEMU 7.2 to 11.1 give the event that it names",
  [PageDamage.Zeros]: "a ring-buffer page",
};

interface PlannedEvent {
  name: string;
  probe: ProbeKind | null;
  marker: boolean;
  plan: number;
  /** The field for lack of which it is not read. */
  missing: string | null;
}

interface RingStream {
  cpu: number;
  buffer: TraceBuffer;
  bytes: ByteStream;
}

/** Opens every CPU of every buffer of a trace.dat. Throws RecordingError when buffers differ in clock. */
export function openRingFeed(context: FeedContext, dat: TraceDat): Feed {
  return new RingFeed(context, dat);
}

class RingFeed implements Feed {
  readonly firstStream: number;
  readonly streams: number;
  readonly #core: Core;
  readonly #file: string;
  readonly #dat: TraceDat;
  readonly #plan: number;
  readonly #qemu: QemuPlan;
  readonly #rings: RingStream[] = [];
  readonly #events: PlannedEvent[] = [];
  readonly #notes: string[] = [];
  #symbolless = false;
  readonly #cutOff: GapSummary[] = [];
  readonly #unread = new Unread();
  /** Streams that are not at their end. */
  #open: number;

  constructor(context: FeedContext, dat: TraceDat) {
    const { core, file, space } = context;
    this.#core = core;
    this.#file = file;
    this.#dat = dat;
    this.#qemu = new QemuPlan(core, false);
    this.#plan = core.exports.newPlan(true);
    if (this.#plan === 0) throw new OutOfMemory();
    this.#planEvents();
    this.#noteCutOff();
    this.#nameWorkers();
    const filled = dat.buffers.filter((buffer) => buffer.cpus.some((cpu) => cpu.bytes !== 0));
    this.#checkClocks(filled);
    const rings = filled.flatMap((buffer) => buffer.cpus.map((cpu) => ({ buffer, cpu })));
    this.streams = rings.length;
    this.#open = rings.length;
    this.firstStream = -1;
    for (const { buffer, cpu } of rings) {
      const stream = this.#addRing(buffer, cpu.cpu, rings.length);
      if (this.firstStream < 0) this.firstStream = stream;
      core.exports.setQemu(stream, 0, space, this.#qemu.plan, 0n);
      this.#rings.push({
        cpu: cpu.cpu,
        buffer,
        bytes: cpu.open((damage) => this.#unread.add(damage)),
      });
    }
  }

  /** A worker is called after the thread whose device it works for. */
  #nameWorkers(): void {
    for (const [pid, comm] of this.#dat.comms) {
      const owner = /^vhost-(\d+)$/.exec(comm)?.[1];
      if (owner !== undefined) this.#core.exports.noteThread(pid, Number(owner), 0);
    }
  }

  #addRing(buffer: TraceBuffer, cpu: number, count: number): number {
    const { exports } = this.#core;
    const share = Math.min(BUFFER_BYTES, Math.floor(BUFFERS_BYTES / count));
    const pages = Math.max(1, Math.floor(share / buffer.subBufferSize));
    const stream = exports.addStream(
      StreamKind.Ring,
      this.#plan,
      cpu,
      pages * buffer.subBufferSize,
      RECORDS,
    );
    if (stream < 0) throw new OutOfMemory();
    const { tsc2nsec, dateOffsetNs, offsetNs, clock } = this.#dat;
    const convert = tsc2nsec !== null && (buffer.clock ?? clock) === "x86-tsc" ? tsc2nsec : null;
    exports.setRing(
      stream,
      buffer.subBufferSize,
      convert?.mult ?? 0,
      convert?.shift ?? 0,
      dateOffsetNs + offsetNs,
    );
    return stream;
  }

  #checkClocks(buffers: readonly TraceBuffer[]): void {
    const clocks = new Set(buffers.map((buffer) => buffer.clock).filter((clock) => clock !== null));
    if (clocks.size > 1) {
      throw new RecordingError(
        { file: this.#file, at: "" },
        "buffers on one clock",
        buffers.map((buffer) => `"${buffer.name || "top"}" on ${buffer.clock}`).join(", "),
      );
    }
  }

  /** Finds the probes among the formats; where two groups hold the same probe, one is taken. */
  #planEvents(): void {
    const { headerPage, bigEndian } = this.#dat;
    const { exports } = this.#core;
    const common = this.#commonFields();
    exports.setPageLayout(
      this.#plan,
      bigEndian ? 1 : 0,
      headerPage.timestampOffset,
      headerPage.commitOffset,
      headerPage.commitSize,
      headerPage.dataOffset,
      common.type,
      common.pid,
    );
    const probes = this.#dat.events.map((event) => ({ event, probe: classify(event) }));
    const group = groupToReplay(probes);
    for (const { event, probe } of probes) {
      const other = probe !== null && event.system !== group;
      if (other) {
        this.#notes.push(
          `Events ${event.system}:${event.name} are not replayed: group ${group} has the same probe.`,
        );
      }
      this.#addEvent(event, other ? null : probe);
    }
  }

  #commonFields(): { type: number; pid: number } {
    const first = this.#dat.events[0];
    const offset = (name: string, otherwise: number): number =>
      first?.fields.find((field) => field.name === name)?.offset ?? otherwise;
    return { type: offset("common_type", 0), pid: offset("common_pid", 4) };
  }

  #addEvent(event: EventFormat, named: ProbeKind | null): void {
    const { exports } = this.#core;
    const text = event.system === "ftrace" && event.name === "print" ? markerField(event) : null;
    const missing = named?.fields.find((field) => !field.optional && !scalar(event, field.name));
    // Named like one of ours without all of its fields: it happened, and what it says is not known.
    const probe = missing ? null : named;
    const kind = text ? EventKind.Marker : (probe?.kind ?? EventKind.Other);
    const sources = (probe?.fields ?? []).flatMap((target) => {
      const field = scalar(event, target.name);
      return field ? [{ field, target }] : [];
    });
    const ip = kind === EventKind.Ioctl ? scalar(event, "__probe_ip") : undefined;
    if (event.id < 0 || event.id > 0xffff) return;
    const count = sources.length + (ip ? 1 : 0);
    const plan = exports.addEvent(this.#plan, 0, 0, event.id, kind, count);
    if (plan === 0) throw new OutOfMemory();
    sources.forEach(({ field, target }, i) => {
      exports.setRingField(
        plan,
        i,
        field.offset,
        field.size,
        field.signed ? 1 : 0,
        target.target,
        target.size,
      );
    });
    if (ip) exports.setRingField(plan, count - 1, ip.offset, ip.size, 0, EVENT_IP, 8);
    if (text) exports.setMarkerText(plan, text.offset);
    else exports.planMoves(this.#plan, plan);
    this.#events.push({
      name: `${event.system}:${event.name}`,
      probe,
      marker: text !== null,
      plan,
      missing: missing?.name ?? null,
    });
  }

  fill(stream: number): void | Promise<void> {
    const { bytes } = this.#rings[stream - this.firstStream]!;
    return fillStream(this.#core, stream, bytes, () => {
      this.#open--;
    });
  }

  line(): void {
    throw new Error("bug: a ring buffer has no lines");
  }

  damaged(stream: number): void {
    const { exports } = this.#core;
    const at = exports.ringBase(stream) + exports.problemAt(stream);
    const problem: PageDamage = exports.problem(stream);
    const found = problem === PageDamage.Zeros ? "zeros" : "none there";
    this.#unread.add(new RecordingError(this.place(stream, at), EXPECTED[problem], found));
    exports.passDamage(stream);
  }

  marker(text: string): void {
    this.#qemu.learn(text);
  }

  place(stream: number, place: number): Place {
    const ring = this.#rings[stream - this.firstStream];
    const name = ring?.buffer.name ? `${ring.buffer.name}:` : "";
    return { file: this.#file, at: `:${name}cpu${ring?.cpu ?? "?"}+0x${place.toString(16)}` };
  }

  buffer(stream: number): string {
    return this.#rings[stream - this.firstStream]?.buffer.name ?? "";
  }

  probesKernel(): boolean {
    return true;
  }

  /** Without the symbols, for damage or for the file's end, a driver has no name: a note, and no loss. */
  async symbol(ip: bigint): Promise<string | null> {
    try {
      return await this.#dat.symbolOf(ip);
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      if (this.#symbolless) return null;
      this.#symbolless = true;
      this.#notes.push(`The kernel's symbols are not read: ${error.message}.`);
      return null;
    }
  }

  summary(): FeedSummary {
    const { exports } = this.#core;
    const notes = [...this.#dat.notes, ...this.#notes, ...this.#unread.notes()];
    const unknown = exports.unknownIds(this.#plan);
    if (unknown > 0) notes.push(`${unknown} records have an event id without a format.`);
    const compressed = this.#dat.compression === "uncompressed" ? "none" : this.#dat.compression;
    const used = new Set(this.#rings.map((ring) => ring.buffer.clock).filter((c) => c !== null));
    return {
      format: `trace.dat v${this.#dat.version} ${compressed}`,
      ...(this.#dat.uname === null ? {} : { uname: this.#dat.uname }),
      clock: [...used][0] ?? this.#dat.clock,
      cpus: [...new Set(this.#rings.map((ring) => ring.cpu))].sort((a, b) => a - b),
      events: this.#events
        .map((event) => ({
          name: event.name,
          kind: event.marker ? "marker" : (event.probe?.name ?? null),
          count: exports.eventCount(event.plan) - (event.marker ? this.#qemu.total() : 0),
        }))
        .filter((event) => event.count > 0 || event.kind !== null)
        .concat(this.#qemu.counts()),
      foreignLines: 0,
      notes,
      gaps: [...this.#lossesInStats(), ...this.#incomplete(notes), ...this.#cutOff],
      cut: this.#cutOff.length > 0,
      unread: this.#unread,
      ...(this.#open === 0 ? { entries: this.#held() } : {}),
    };
  }

  /** Counters of per_cpu/cpuN/stats: what a recorder took out of the buffers, and what was left in them. */
  #held(): Entries {
    const { exports } = this.#core;
    const read = this.#events.reduce(
      (sum, { plan }) => sum + exports.eventCount(plan),
      exports.unknownIds(this.#plan) + this.#unread.count,
    );
    // Without counters the sizes of its sections say that the file is whole.
    const counted = this.#dat.cpuStats.reduce((sum, { entries }) => sum + entries, 0);
    return { stated: Math.max(counted, read), read, place: { file: this.#file, at: ":stats" } };
  }

  /** CPUs whose data the end of the file cuts: a loss where it ends. */
  #noteCutOff(): void {
    const { broken } = this.#dat;
    if (broken) {
      this.#unread.add(broken);
      this.#cutOff.push({ cpu: null, lost: null, place: broken.place, unread: true });
      this.#notes.push("CPUs are told apart by where their data lie; there may be more of them.");
    }
    for (const { cpus } of this.#dat.buffers) {
      for (const { cpu, missing, offset, bytes } of cpus) {
        if (missing === 0) continue;
        const place = { file: this.#file, at: atByte(offset + bytes) };
        const expected = `${missing} more bytes of data of CPU ${cpu}`;
        this.#unread.add(new RecordingError(place, expected, "the end of the file"));
        this.#cutOff.push({ cpu, lost: null, place, unread: true });
      }
    }
  }

  /** Events that are there and lack a field: each is a loss. */
  #incomplete(notes: string[]): FeedSummary["gaps"] {
    return this.#events.flatMap(({ name, plan, missing }) => {
      const lost = missing === null ? 0 : this.#core.exports.eventCount(plan);
      if (lost === 0) return [];
      notes.push(`Events ${name} have no scalar field ${missing}: they are not replayed.`);
      return [{ cpu: null, lost, place: { file: this.#file, at: `:${name}` } }];
    });
  }

  /** per_cpu/cpuN/stats: what was overwritten, whether or not a page says so. */
  #lossesInStats(): FeedSummary["gaps"] {
    return this.#dat.cpuStats.flatMap((stat) => {
      const lost = stat.overrun + stat.droppedEvents + stat.commitOverrun;
      if (lost === 0) return [];
      const place = { file: this.#file, at: `:cpu${stat.cpu} stats` };
      return [{ cpu: stat.cpu, lost, place }];
    });
  }

  mute(names: ReadonlySet<string>): void {
    this.#qemu.mute(names);
  }

  close(): void {
    for (const ring of this.#rings) ring.bytes.close();
    this.#dat.close();
  }
}

function classify(event: EventFormat): ProbeKind | null {
  if (!event.mayBeProbe) return null;
  const fields = new Set(event.fields.map((field) => field.name));
  // The kernel's own tracepoints never carry these fields; a probe's format has its address.
  if (!fields.has("__probe_ip") && !fields.has("__probe_func")) return null;
  return classifyEvent(event.name, fields, null);
}

/** The group with the most different probes; the first of equals. */
function groupToReplay(
  probes: readonly { event: EventFormat; probe: ProbeKind | null }[],
): string | null {
  const kinds = new Map<string, Set<EventKind>>();
  for (const { event, probe } of probes) {
    if (!probe) continue;
    const seen = kinds.get(event.system) ?? new Set();
    kinds.set(event.system, seen.add(probe.kind));
  }
  let best: string | null = null;
  for (const [system, seen] of kinds) {
    if (best === null || seen.size > (kinds.get(best)?.size ?? 0)) best = system;
  }
  return best;
}

function scalar(event: EventFormat, name: string): FormatField | undefined {
  const field = event.fields.find((entry) => entry.name === name);
  return field?.kind === "scalar" && [1, 2, 4, 8].includes(field.size) ? field : undefined;
}

function markerField(event: EventFormat): FormatField | null {
  return event.fields.find((field) => field.name === "buf") ?? null;
}
