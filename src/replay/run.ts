/**
 * One replay while it runs: the core goes as far as it can, and comes back for bytes, names, ioctls,
 * markers, gaps and syncs. Nothing here happens once an event but for those few.
 */
import { Status } from "../../assembly/abi.ts";
import { EVENT_DEV, EVENT_SLOT, EVENT_VQ, EventKind } from "../../assembly/event-abi.ts";
import { NotifySlot } from "../../assembly/qemu-abi.ts";
import { type Core, OutOfMemory } from "../core/core.ts";
import { type DrainedRows, startDrain } from "../core/drain.ts";
import { markerText, type RecordHead, readEvent, readGap, readHead } from "../core/event-record.ts";
import type { QueueName } from "../core/queue-record.ts";
import { DEFAULT_SYNC_MARKER, matchSync } from "../core/round.ts";
import type { Row } from "../core/rows.ts";
import { feedOfStream, type OpenInput } from "../formats/open-inputs.ts";
import { installZeros } from "../join/first-look.ts";
import type { MergePlan } from "../join/merge-plan.ts";
import type { Recording } from "../join/recording.ts";
import type { NormalisedEvent } from "../model/event.ts";
import type { Place } from "../model/place.ts";
import type { GapSummary } from "../model/result.ts";
import type { Device } from "./device.ts";
import type { IoctlEffect } from "./device-ioctls.ts";
import { Devices } from "./devices.ts";
import { space as input, device as ofDevice, thread } from "./machine-evidence.ts";
import { MachineReplay, type Shared } from "./machine-replay.ts";
import { Machines } from "./machines.ts";
import { nameDriver } from "./name-driver.ts";
import { Observers } from "./observers.ts";
import type { ReplayOptions } from "./replay-options.ts";
import { firstNs, lastNs } from "./span.ts";

/** Gaps that a result lists one by one. */
const MAX_GAPS = 1000;

interface Marker {
  text: string;
  ns: bigint;
  place: Place;
}
type Common = Marker | { lostAt: bigint };

/** State of one replay. */
export class Replay implements Shared {
  readonly core: Core;
  readonly inputs: OpenInput[];
  readonly options: ReplayOptions;
  readonly plan: MergePlan;
  readonly rows: Row[];
  readonly devices: Devices;
  /** Which machine is whose; and the replay of each, in their order. */
  readonly whose: Machines;
  readonly machines: MachineReplay[] = [];
  readonly gaps: GapSummary[] = [];
  gapCount = 0;
  lostEvents = 0;
  markers = 0;
  #syncMarkers = 0;
  readonly #marker: RegExp;
  readonly #recording: Recording;
  readonly #told: Observers;
  /** What happened to all machines so far, and so to one that comes later: syncs by markers, losses. */
  readonly #common: Common[] = [];

  constructor(
    core: Core,
    inputs: OpenInput[],
    recording: Recording,
    options: ReplayOptions,
    rows: Row[],
    plan: MergePlan,
  ) {
    this.plan = plan;
    this.core = core;
    this.inputs = inputs;
    this.options = options;
    this.rows = rows;
    this.whose = new Machines(core);
    this.devices = new Devices(core, this.whose.evidence);
    this.#recording = recording;
    this.#marker = recording.syncMarker ?? DEFAULT_SYNC_MARKER;
    this.#told = new Observers(this);
    this.machines.push(new MachineReplay(0, this, recording));
  }

  /** Place of a record of a stream in the user's file. */
  readonly placeOf = (stream: number, place: number): Place =>
    feedOfStream(this.inputs, stream).feed.place(stream, place);

  /** The pattern of syncs that was asked for, where it matches no marker. */
  get idlePattern(): RegExp | null {
    const { syncMarker } = this.#recording;
    return syncMarker && this.#syncMarkers === 0 ? syncMarker : null;
  }

  /** Runs until every input is at its end. */
  async run(onEvent?: (event: NormalisedEvent) => void | Promise<void>): Promise<void> {
    const { exports } = this.core;
    const { watch } = this.options;
    if (onEvent) exports.setRaw(true);
    if (this.options.onRequest) exports.observe(true);
    if (this.options.logPages !== undefined) exports.setLogEnd(this.options.logPages);
    if (this.options.sink?.events) {
      const { sinkMachine = 0, sinkPolicies = Number.POSITIVE_INFINITY } = this.options;
      const shown = this.rows.map(({ policy }, i) => (policy < sinkPolicies ? 2 ** i : 0));
      const mask = shown.reduce((sum, bit) => sum + bit, 0);
      this.#drained = startDrain(this.core, sinkMachine - 1, mask);
    }
    if (watch) exports.watch(BigInt(watch.gpa), BigInt(watch.len));
    let bytes = 0;
    while (true) {
      const status: Status = exports.run();
      const stream = exports.currentStream();
      switch (status) {
        case Status.NeedBytes: {
          this.options.signal?.throwIfAborted();
          const room = exports.fillRoom(stream);
          const filled = feedOfStream(this.inputs, stream).feed.fill(stream);
          if (filled) await filled;
          bytes += Math.max(0, room - exports.fillRoom(stream));
          this.#recording.onProgress?.(bytes, exports.eventsReplayed());
          break;
        }
        case Status.HostEvent:
          await this.#event(stream, exports.eventPtr(), onEvent);
          break;
        case Status.Unplaced:
          await this.#place(stream, exports.eventPtr());
          break;
        case Status.NewName:
        case Status.HostLine:
          feedOfStream(this.inputs, stream).feed.line(stream, status === Status.NewName);
          break;
        case Status.Damaged:
          feedOfStream(this.inputs, stream).feed.damaged(stream);
          break;
        case Status.RequestDone:
          await this.#told.requests();
          break;
        case Status.WatchedWrite:
          await this.#told.writes();
          break;
        case Status.Drained:
          this.#takeRows();
          break;
        case Status.NoMemory:
          throw new OutOfMemory();
        case Status.End:
          if (!onEvent) await this.#end();
          return;
        default:
          throw new Error(`bug: core returned ${status}`);
      }
    }
  }

  async #event(
    stream: number,
    at: number,
    onEvent?: (event: NormalisedEvent) => void | Promise<void>,
  ): Promise<void> {
    const head = readHead(this.core, at);
    const place = this.placeOf(stream, head.place);
    if (onEvent) {
      const event = readEvent(this.core, at, place);
      if (event.event === "ioctl")
        await nameDriver(this.core, feedOfStream(this.inputs, stream).feed, event, at);
      const done = onEvent(event);
      if (done) await done;
      return;
    }
    switch (head.kind) {
      case EventKind.Ioctl: {
        const { feed } = feedOfStream(this.inputs, stream);
        await this.devices.enter(head, at, place, feed);
        break;
      }
      case EventKind.IoctlRet:
        await this.#effect(this.devices.leave(head, at), head.ts);
        // CLEAR_ENDPOINT may have ended requests.
        if (this.core.exports.doneLength() > 0) await this.#told.requests();
        break;
      case EventKind.Message:
      case EventKind.SpdkGet:
      case EventKind.SpdkUsed:
      case EventKind.VuPopEntry:
      case EventKind.VuFill:
        await this.#effect(this.devices.backEnd(head, at, place), head.ts);
        break;
      case EventKind.Mem:
        this.devices.region(head, at);
        break;
      case EventKind.Drain:
        this.#drain(head, at);
        break;
      case EventKind.QNotify:
        this.#notified(at, feedOfStream(this.inputs, stream).space);
        break;
      case EventKind.Gap:
        this.#gap(readGap(this.core, at, head.cpu, place), head.ts);
        break;
      case EventKind.Marker: {
        const text = markerText(this.core, at);
        this.markers++;
        if (matchSync(this.#marker, text, 0)) await this.#syncAll({ text, ns: head.ts, place });
        else feedOfStream(this.inputs, stream).feed.marker?.(text);
        break;
      }
      default:
        if (head.kind > EventKind.Other) {
          const { space } = feedOfStream(this.inputs, stream);
          this.whose.meetQemu(space, head.pid);
          await (await this.#machineOfQemu(space)).follower.event(head, at, place, space);
        }
    }
  }

  /** The replay of the machine of whoever is called so in the evidence, which events are about from here on. */
  async #machine(name: string): Promise<MachineReplay> {
    const index = this.whose.of(name);
    while (this.machines.length <= index) await this.#addMachine();
    return this.machines[index]!.use();
  }

  /** The machine that a QEMU's recording tells of: what one receives is told of the one that sends. */
  #machineOfQemu(space: number): Promise<MachineReplay> {
    const { received } = this.plan;
    return this.#machine(input(received?.by.has(space) ? received.from : space));
  }

  /** One more machine: the syncs before its first event ended rounds of it, in which nothing happened. */
  async #addMachine(): Promise<void> {
    const machine = new MachineReplay(this.machines.length, this, this.#recording);
    this.machines.push(machine);
    for (const one of this.#common) {
      if ("text" in one) await this.#markerSync(machine, one);
      else machine.use().gap(one.lostAt);
    }
    machine.use();
  }

  /** Says of which machine the record is that the core has not replayed. */
  async #place(stream: number, at: number): Promise<void> {
    const { exports } = this.core;
    const { space } = feedOfStream(this.inputs, stream);
    const head = readHead(this.core, at);
    if (head.kind > EventKind.Other) {
      this.whose.meetQemu(space, head.pid);
      const machine = await this.#machineOfQemu(space);
      exports.placeSpace(space, machine.number - 1);
      if (this.plan.zeros) installZeros(this.core, this.plan.zeros);
      return;
    }
    if (inUserSpace(head.kind)) return this.#placeSession(at);
    this.whose.meetThread(head.pid);
    const drains = head.kind === EventKind.Drain;
    const dev = drains ? this.core.view.getBigUint64(at + EVENT_DEV, true) : null;
    const device =
      dev === null ? this.devices.expected(head.pid) : this.devices.ofDev(dev, head.pid, null);
    if (device) this.whose.evidence.join(ofDevice(device.number), thread(head.pid));
    const machine = await this.#machine(thread(head.pid));
    const queue = exports.placeQueue(exports.queueOfEvent(at), machine.number - 1);
    if (queue < 0) return;
    if (device) this.devices.meet(queue, device);
    else this.devices.standIn(queue, machine.number - 1, head.pid);
  }

  /** A thread of a user-space back end may serve several machines: a session is of one. */
  async #placeSession(at: number): Promise<void> {
    const { exports } = this.core;
    const device = this.devices.ofSession(at);
    const name = device ? ofDevice(device.number) : "";
    const machine = await this.#machine(name);
    const queue = exports.placeQueue(exports.queueOfEvent(at), machine.number - 1);
    if (device && queue >= 0) this.devices.meet(queue, device);
  }

  /** A drain told the struct vhost_dev of a queue. */
  #drain(head: RecordHead, at: number): void {
    const { exports, view } = this.core;
    this.whose.meetThread(head.pid);
    const queue = exports.queueNumber(view.getBigUint64(at + EVENT_VQ, true));
    this.devices.drained(queue, view.getBigUint64(at + EVENT_DEV, true), head.pid);
  }

  /** virtio_queue_notify told the device of a queue of QEMU's. */
  #notified(at: number, space: number): void {
    const { exports, view } = this.core;
    const slot = (n: number): bigint => view.getBigUint64(at + EVENT_SLOT + n * 8, true);
    const queue = exports.queueNumber(exports.addressKey(space, slot(NotifySlot.vq)));
    this.devices.ofQemu(queue, exports.addressKey(space, slot(NotifySlot.vdev)), space);
  }

  async #effect(effect: IoctlEffect | null, ts: bigint): Promise<void> {
    if (effect === null) return;
    const machine = await this.#machine(ofDevice(effect.device.number));
    if (effect.what === "logging" && effect.on) this.core.exports.noteLogAll();
    await machine.follower.ioctl(effect, ts);
  }

  /** A marker in the recording ends the round of every machine. */
  async #syncAll(marker: Marker): Promise<void> {
    this.#syncMarkers++;
    this.#common.push(marker);
    for (const machine of this.machines) await this.#markerSync(machine, marker);
  }

  async #markerSync(machine: MachineReplay, { text, ns, place }: Marker): Promise<void> {
    const sync = matchSync(this.#marker, text, machine.syncs);
    if (!sync) return;
    if (sync.numbered) machine.numbered(sync.number);
    machine.follower.timeline.markerSync({ ns: ns.toString(), place });
    const { number, name } = sync;
    await machine.sync({ number, name, ns: ns.toString(), place }, ns, null);
  }

  /** Devices of which nothing was replayed, and that are of none of the machines. */
  idleDevices: ReadonlySet<Device> = new Set();

  #devicesOf: { stamp: string; lists: Map<number, Device[]> } = { stamp: "", lists: new Map() };

  /** The devices of a machine; the first has those of which nothing was replayed yet. */
  devicesOf(machine: number): Device[] {
    const { evidence, placed } = this.whose;
    const stamp = `${evidence.version} ${placed} ${this.devices.all.length} ${this.idleDevices.size}`;
    if (stamp !== this.#devicesOf.stamp) {
      const lists = new Map<number, Device[]>();
      for (const device of this.devices.all) {
        if (this.idleDevices.has(device)) continue;
        const of = evidence.of(ofDevice(device.number)).machine ?? 0;
        const list = lists.get(of);
        if (list) list.push(device);
        else lists.set(of, [device]);
      }
      this.#devicesOf = { stamp, lists };
    }
    return this.#devicesOf.lists.get(machine) ?? [];
  }

  #gap(gap: GapSummary, ts: bigint): void {
    this.gapCount++;
    this.lostEvents += gap.lost ?? 0;
    this.core.exports.noteLoss();
    // One of several losses in a row says the same for a machine of which nothing was seen.
    const last = this.#common.at(-1);
    if (last && "lostAt" in last) last.lostAt = ts;
    else this.#common.push({ lostAt: ts });
    for (const machine of this.machines) machine.use().gap(ts);
    this.options.sink?.gap(ts);
    // A page that cannot be read is told at both of its ends.
    const { at, file } = this.gaps.at(-1)?.place ?? {};
    if (at === gap.place.at && file === gap.place.file) return;
    if (this.gaps.length < MAX_GAPS) this.gaps.push(gap);
  }

  queueOf(): (id: number) => QueueName {
    return this.#told.queueOf();
  }

  #drained: DrainedRows | null = null;

  /** What happened since the last time goes to the sink. */
  #takeRows(): void {
    if (!this.#drained) return;
    this.options.sink?.rows(this.#drained, firstNs(this.core, this.inputs));
    this.#drained.drop();
  }

  /** Streams of all inputs. */
  get streams(): number {
    return this.inputs.reduce((count, { feed }) => count + feed.streams, 0);
  }

  async #end(): Promise<void> {
    this.core.exports.endChains();
    const isIdle = ({ number }: Device): boolean => this.whose.ofIdle(ofDevice(number)) === null;
    this.idleDevices = new Set(this.devices.all.filter(isIdle));
    const last = lastNs(this.core, this.inputs);
    for (const machine of this.machines) await machine.use().finish(last);
    const { onRequest, sink } = this.options;
    if (onRequest || sink?.events) {
      this.core.exports.endInFlight();
      this.core.exports.endElements();
    }
    if (onRequest) await this.#told.requests();
    this.#takeRows();
    sink?.end(this);
  }
}

function inUserSpace(kind: EventKind): boolean {
  return kind >= EventKind.SpdkGet && kind < EventKind.Other;
}
