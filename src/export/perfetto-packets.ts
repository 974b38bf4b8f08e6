/**
 * Packets of a Perfetto trace, by pbf. Field numbers are those of the published messages: Trace and
 * TracePacket (trace/trace.proto, trace_packet.proto), TrackEvent, TrackDescriptor, CounterDescriptor
 * and DebugAnnotation (trace/track_event/).
 */
import { PbfWriter } from "pbf";

/** TrackEvent.Type. */
const SLICE_BEGIN = 1;
const SLICE_END = 2;
const INSTANT = 3;
const COUNTER = 4;
/** CounterDescriptor.Unit: a count of something. */
const UNIT_COUNT = 2;
/** All packets are of one writer, which the format wants named. */
const SEQUENCE = 1;
/** Bytes that are handed over at once. */
const CHUNK = 1 << 20;

/** Values shown with an event, by name; null ones are left out. */
export type Arguments = Readonly<Record<string, number | string | null>>;

interface Track {
  uuid: number;
  parent: number | null;
  name: string;
  counter: boolean;
}

interface TrackEvent {
  type: number;
  track: number;
  name?: string;
  value?: number;
  args?: Arguments;
  flows?: readonly number[];
  endingFlows?: readonly number[];
}

/** Makes packets; what is full goes to `out`. */
export class PacketWriter {
  readonly #out: (bytes: Uint8Array) => void;
  #pbf = new PbfWriter();
  #tracks = 0;

  constructor(out: (bytes: Uint8Array) => void) {
    this.#out = out;
  }

  /** A new track below `parent`; returns its number. */
  track(parent: number | null, name: string, counter = false): number {
    const track: Track = { uuid: ++this.#tracks, parent, name, counter };
    this.#packet((_, pbf) => pbf.writeMessage(60, writeTrack, track), null);
    return track.uuid;
  }

  /** A slice begins. `flows`: what it is the cause of. */
  begin(
    ...[track, ns, name, args, flows]: [number, number, string, Arguments?, (readonly number[])?]
  ): void {
    this.#event(ns, {
      ...{ type: SLICE_BEGIN, track, name },
      ...(args ? { args } : {}),
      ...(flows ? { flows } : {}),
    });
  }

  /** The slice that began last on this track ends. */
  end(track: number, ns: number): void {
    this.#event(ns, { type: SLICE_END, track });
  }

  /** A moment. `endingFlows`: whose effect it is. */
  instant(
    ...[track, ns, name, args, endingFlows]: [
      number,
      number,
      string,
      Arguments?,
      (readonly number[])?,
    ]
  ): void {
    this.#event(ns, {
      ...{ type: INSTANT, track, name },
      ...(args ? { args } : {}),
      ...(endingFlows ? { endingFlows } : {}),
    });
  }

  /** A counter has this value from here on. */
  count(track: number, ns: number, value: number): void {
    this.#event(ns, { type: COUNTER, track, value });
  }

  /** Hands over what is left. */
  finish(): void {
    this.#out(this.#pbf.finish());
    this.#pbf = new PbfWriter();
  }

  #event(ns: number, event: TrackEvent): void {
    this.#packet((_, pbf) => pbf.writeMessage(11, writeEvent, event), ns);
  }

  #packet(content: (nothing: null, pbf: PbfWriter) => void, ns: number | null): void {
    this.#pbf.writeMessage(
      1,
      (nothing: null, pbf) => {
        if (ns !== null) pbf.writeVarintField(8, ns);
        pbf.writeVarintField(10, SEQUENCE);
        content(nothing, pbf);
      },
      null,
    );
    if (this.#pbf.pos >= CHUNK) this.finish();
  }
}

function writeTrack({ uuid, parent, name, counter }: Track, pbf: PbfWriter): void {
  pbf.writeVarintField(1, uuid);
  pbf.writeStringField(2, name);
  if (parent !== null) pbf.writeVarintField(5, parent);
  if (counter) {
    pbf.writeMessage(8, (unit: number, inner) => inner.writeVarintField(3, unit), UNIT_COUNT);
  }
}

function writeEvent(event: TrackEvent, pbf: PbfWriter): void {
  for (const [name, value] of Object.entries(event.args ?? {})) {
    if (value !== null) pbf.writeMessage(4, writeAnnotation, { name, value });
  }
  pbf.writeVarintField(9, event.type);
  pbf.writeVarintField(11, event.track);
  if (event.name !== undefined) pbf.writeStringField(23, event.name);
  if (event.value !== undefined) pbf.writeVarintField(30, event.value);
  for (const flow of event.flows ?? []) pbf.writeFixed64Field(47, flow);
  for (const flow of event.endingFlows ?? []) pbf.writeFixed64Field(48, flow);
}

function writeAnnotation(
  { name, value }: { name: string; value: number | string },
  pbf: PbfWriter,
): void {
  if (typeof value === "number") pbf.writeVarintField(3, value);
  else pbf.writeStringField(6, value);
  pbf.writeStringField(10, name);
}
