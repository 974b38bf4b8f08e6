/**
 * A first look at each of several recordings, before they are merged: whose they are (the host's
 * kernel, a source QEMU, a destination QEMU), which events two of them share, and the pages of zeros
 * that only a destination shows. Reads an input once and replays nothing.
 */
import { EventKind, Status } from "../../assembly/abi.ts";
import type { Source } from "../bytes/source.ts";
import { Core, OutOfMemory } from "../core/core.ts";
import { readHead } from "../core/event-record.ts";
import { readQemuEvent } from "../core/qemu-record.ts";
import { type OpenInput, openInputs, summarise } from "../formats/open-inputs.ts";
import type { InputSummary } from "../model/result.ts";
import { qemuEventOfKind } from "../qemu/events.ts";
import type { Recording } from "./recording.ts";

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
  /** The recorder lost events. */
  lossy: boolean;
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
}

const MAX_ANCHORS = 20_000;
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
export async function firstLook(recording: Recording, source: Source): Promise<FirstLook> {
  const core = await Core.create(recording.module, 0);
  const { surroundings, traceEvents = null } = recording;
  const [input] = await openInputs(core, [source], surroundings, traceEvents);
  const anchors: Anchor[] = [];
  let syncs = 0;
  let gaps = 0;
  try {
    core.exports.setProfiling(true);
    await decode(core, input!, (at) => {
      const { kind, ts } = readHead(core, at);
      if (kind === EventKind.Gap) gaps++;
      if (kind <= EventKind.Other) return;
      if (kind === EventKind.QSyncStart) syncs++;
      if (anchors.length >= MAX_ANCHORS || !qemuEventOfKind(kind)) return;
      const { name, args } = readQemuEvent(core, at, kind);
      // The state of a sync counts up, its beginning is the same each time: order tells those apart.
      const key = `${name} ${JSON.stringify(args)}`;
      anchors.push({ key, ns: ts, own: WITH_ADDRESS.has(kind) });
    });
    const summary = summarise(input!, core, null);
    return {
      source,
      summary,
      saves: core.exports.profiledSaves(),
      loads: core.exports.profiledLoads() + core.exports.profiledZeros(),
      syncs,
      anchors,
      zeros: readZeros(core, gaps + summary.gaps.length > 0),
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
    data: exports.profiledLoads(),
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
  exports.setZeros(at, runs.length / 4, core.put(zeros.hashes), zeros.hashCount);
}
