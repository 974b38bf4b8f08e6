/**
 * A first look at each of several recordings, before they are merged: whose they are (the host's
 * kernel, a source QEMU, a destination QEMU), which events two of them share, and the pages of zeros
 * that only a destination shows. Reads an input once and replays nothing.
 */
import { Status } from "../../assembly/abi.ts";
import { EventKind, ORDER_HASHES } from "../../assembly/event-abi.ts";
import type { Source, Surroundings } from "../bytes/source.ts";
import { Core, type CoreModule, OutOfMemory } from "../core/core.ts";
import { markerText, readHead } from "../core/event-record.ts";
import { EventArguments, readQemuEvent } from "../core/qemu-record.ts";
import type { Feed } from "../formats/feed.ts";
import { type OpenInput, openInputs, summariseAll } from "../formats/open-inputs.ts";
import type { InputSummary } from "../model/result.ts";
import { qemuEventOfKind } from "../qemu/events.ts";
import { readSample, type Sample } from "./sample.ts";

/** An event that may stand in another recording too. */
export interface Anchor {
  /** Name and arguments. */
  key: string;
  ns: bigint;
  /** It holds an address, which no other process has by chance. */
  own: boolean;
}

/** Pages of zeros as a destination received them, for `setZeros` of another instance of the core. */
export interface ZeroPages {
  /** Quadruples {data pages before, name, first page of the block, pages}. */
  runs: Uint32Array;
  /** RAM blocks by their number in `runs`. */
  names: Map<number, string>;
  hashes: Uint8Array;
  hashCount: number;
  /** The list was too long to keep whole. */
  incomplete: boolean;
  /** Pages with data that were received. */
  data: number;
  /** Of them in post-copy, which are in no hash; and pages of which it is not known what they are. */
  placed: number;
  unplaced: number;
  /** The recorder lost events. */
  lossy: boolean;
}

/** What a look needs, beside the input. */
export interface Looking {
  module: CoreModule;
  surroundings: Surroundings;
  /** trace-events-all of the QEMU that wrote a simpletrace. */
  traceEvents?: Source;
}

export interface FirstLook {
  source: Source;
  summary: InputSummary;
  /** Events of QEMU's that a source writes, that a destination writes; ioctls of vhost. */
  saves: number;
  loads: number;
  syncs: number;
  anchors: Anchor[];
  zeros: ZeroPages | null;
  /** Buffers of a trace.dat; of other formats the whole is one. */
  parts: LookedPart[];
  /** Addresses of the virtqueues that were met first: two inputs with one in common are of one host or QEMU. */
  queues: ReadonlySet<bigint>;
  /** Host addresses of guest memory: a kernel and a QEMU with one in common are of one machine. */
  memory: ReadonlySet<bigint>;
  /** Pages with data in the order of each migration's sends; and as they were received. */
  sent: PageOrder[];
  received: PageOrder;
  /** The first trace markers, in their order. */
  markers: LookedMarker[];
  /** Events by EventKind. */
  kinds: Uint32Array;
  /** The recorder says that it lost events. */
  lossy: boolean;
}

/** A trace marker: its text, and when. */
export interface LookedMarker {
  text: string;
  ns: bigint;
}

/** One buffer of an input. */
export interface LookedPart {
  /** Its name, empty for the top one; null where the format has no buffers. */
  buffer: string | null;
  sample: Sample;
  /** The kernel's events of the recipe, and when the first and the last of them was, ns. */
  events: number;
  from: bigint;
  to: bigint;
}

/** Pages in an order, as hashes of the first 1, 2, 4 … of them. */
export interface PageOrder {
  pages: number;
  hashes: BigUint64Array;
}

const MAX_ANCHORS = 20_000;
const MAX_MARKERS = 4096;
const MAX_ORDERS = 1000;
const MAX_ADDRESSES = 4096;
/** Arguments that are the host address of guest memory. */
const MEMORY_ARGUMENTS: ReadonlyMap<EventKind, string> = new Map([
  [EventKind.QSlot, "userspace_addr"],
  [EventKind.QRegion, "host"],
  [EventKind.QUserRegion, "userspace_addr"],
]);
/** Kinds whose arguments hold an address of the process. */
const WITH_ADDRESS: ReadonlySet<EventKind> = new Set([
  EventKind.QSave,
  EventKind.QPop,
  EventKind.QSlot,
  EventKind.QRegion,
  EventKind.QUserRegion,
  EventKind.QDevStart,
  EventKind.QDevStop,
]);

/** Looks through one input. Throws RecordingError as the replay would. */
export async function firstLook(by: Looking, source: Source): Promise<FirstLook> {
  const core = await Core.create(by.module, 0);
  const { surroundings, traceEvents = null } = by;
  const [input] = await openInputs(core, [source], surroundings, traceEvents);
  const anchors: Anchor[] = [];
  const markers: LookedMarker[] = [];
  const sent: PageOrder[] = [];
  const memory = new Set<bigint>();
  let syncs = 0;
  let gaps = 0;
  try {
    core.exports.setProfiling(true);
    await decode(core, input!, (at) => {
      const { kind, ts } = readHead(core, at);
      if (kind === EventKind.Gap) gaps++;
      if (kind === EventKind.Marker && markers.length < MAX_MARKERS) {
        markers.push({ text: markerText(core, at), ns: ts });
      }
      if (kind <= EventKind.Other) return;
      if (kind === EventKind.QSyncStart) syncs++;
      const argument = MEMORY_ARGUMENTS.get(kind);
      if (argument !== undefined && memory.size < MAX_ADDRESSES) {
        const address = new EventArguments(core, at).bits(argument);
        if (address !== 0n) memory.add(address);
      }
      if (kind === EventKind.QState && new EventArguments(core, at).text("new_state") === "setup") {
        if (core.exports.sentInThisOrder() > 0 && sent.length < MAX_ORDERS)
          sent.push(sentOrder(core));
        core.exports.restartOrder();
      }
      if (anchors.length >= MAX_ANCHORS || !qemuEventOfKind(kind)) return;
      const { name, args } = readQemuEvent(core, at, kind);
      // The state of a sync counts up, its beginning is the same each time: order tells those apart.
      const key = `${name} ${JSON.stringify(args)}`;
      anchors.push({ key, ns: ts, own: WITH_ADDRESS.has(kind) });
    });
    const summary = summariseAll([input!], core, [null])[0]!;
    if (core.exports.sentInThisOrder() > 0) sent.push(sentOrder(core));
    return {
      source,
      summary,
      saves: core.exports.profiledSaves(),
      loads: core.exports.profiledLoads() + core.exports.profiledZeros(),
      syncs,
      ...{ anchors, markers },
      zeros: readZeros(core, gaps + summary.gaps.length > 0),
      lossy: gaps + summary.gaps.length > 0,
      kinds: new Uint32Array(
        core.bytes.slice(core.exports.kindCountsPtr(), core.exports.kindCountsPtr() + 512).buffer,
      ),
      parts: readParts(core, input!.feed),
      queues: new Set(readWords(core, core.exports.metQueuesPtr(), core.exports.metQueuesLength())),
      memory: new Set([
        ...memory,
        ...readWords(core, core.exports.metMemoryPtr(), core.exports.metMemoryLength()),
      ]),
      sent,
      received: order(core, core.exports.profiledLoads(), core.exports.receivedOrderPtr()),
    };
  } finally {
    input!.feed.close();
  }
}

/** Runs the core to the end of one input. */
async function decode(core: Core, input: OpenInput, onEvent: (at: number) => void): Promise<void> {
  const { exports } = core;
  while (true) {
    const status: Status = exports.run();
    const stream = exports.currentStream();
    if (status === Status.End) return;
    if (status === Status.NeedBytes) {
      const filled = input.feed.fill(stream);
      if (filled) await filled;
    } else if (status === Status.HostEvent) onEvent(exports.eventPtr());
    else if (status === Status.NewName || status === Status.HostLine) {
      input.feed.line(stream, status === Status.NewName);
    } else if (status === Status.Damaged) input.feed.damaged(stream);
    else if (status === Status.NoMemory) throw new OutOfMemory();
    else throw new Error(`bug: core returned ${status}`);
  }
}

const sentOrder = (core: Core): PageOrder =>
  order(core, core.exports.sentInThisOrder(), core.exports.sentOrderPtr());

function order(core: Core, pages: number, at: number): PageOrder {
  return { pages, hashes: readWords(core, at, ORDER_HASHES) };
}

function readWords(core: Core, at: number, count: number): BigUint64Array {
  return new BigUint64Array(core.bytes.slice(at, at + count * 8).buffer);
}

/** Whether the pages of a destination are those that this migration sent; null: too few to tell. */
export function sameOrder(sent: PageOrder, received: PageOrder): boolean | null {
  const fewer = Math.min(sent.pages, received.pages);
  if (fewer === 0) return null;
  const last = Math.floor(Math.log2(fewer));
  return sent.hashes[last] === received.hashes[last];
}

/** The streams of each buffer, and what is sampled of them. */
function readParts(core: Core, feed: Feed): LookedPart[] {
  const streams = new Map<string | null, number[]>();
  for (let stream = feed.firstStream; stream < feed.firstStream + feed.streams; stream++) {
    const buffer = feed.buffer?.(stream) ?? null;
    streams.set(buffer, [...(streams.get(buffer) ?? []), stream]);
  }
  return [...streams].map(([buffer, own]) => {
    const { exports } = core;
    const busy = own.filter((stream) => exports.ownEvents(stream) > 0);
    const from = busy.map((stream) => BigInt.asUintN(64, exports.ownFrom(stream)));
    const to = busy.map((stream) => BigInt.asUintN(64, exports.ownTo(stream)));
    return {
      buffer,
      sample: readSample(core, new Set(own)),
      events: own.reduce((sum, stream) => sum + exports.ownEvents(stream), 0),
      from: from.reduce((least, ns) => (ns < least ? ns : least), from[0] ?? 0n),
      to: to.reduce((most, ns) => (ns > most ? ns : most), 0n),
    };
  });
}

function readZeros(core: Core, lossy: boolean): ZeroPages | null {
  const { exports } = core;
  if (exports.profiledLoads() === 0) return null;
  const count = exports.zeroRunsLength();
  const from = exports.zeroRunsPtr();
  const runs = new Uint32Array(core.bytes.slice(from, from + count * 16).buffer);
  const names = new Map<number, string>();
  for (let i = 0; i < count; i++) {
    const number = runs[i * 4 + 1]!;
    if (names.has(number)) continue;
    const kept = exports.stringPtr(number);
    names.set(number, kept === 0 ? "" : core.text(kept + 4, core.view.getUint32(kept, true)));
  }
  const hashCount = exports.pageHashesLength();
  const hashes = exports.pageHashesPtr();
  return {
    runs,
    names,
    hashes: core.bytes.slice(hashes, hashes + hashCount * 8),
    hashCount,
    incomplete: exports.zeroRunsIncomplete(),
    data: exports.profiledLoads() + exports.profiledPlaced(),
    placed: exports.profiledPlaced(),
    unplaced: exports.profiledUnplaced(),
    lossy,
  };
}

/** Hands a destination's pages of zeros to the core of the replay. Throws OutOfMemory. */
export function installZeros(core: Core, zeros: ZeroPages): void {
  const { exports } = core;
  const numbers = new Map<number, number>();
  for (const [number, name] of zeros.names) {
    const bytes = Uint8Array.from(name, (c) => c.charCodeAt(0));
    numbers.set(number, exports.intern(core.put(bytes), bytes.length));
  }
  const runs = zeros.runs.slice();
  for (let i = 1; i < runs.length; i += 4) runs[i] = numbers.get(runs[i]!)!;
  const at = core.put(new Uint8Array(runs.buffer));
  const hashes = core.put(zeros.hashes);
  exports.setZeros(at, runs.length / 4, hashes, zeros.hashCount, zeros.placed > 0);
}
