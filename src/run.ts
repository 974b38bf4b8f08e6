/**
 * One replay while it runs: the core goes as far as it can, and comes back for bytes, names, ioctls,
 * markers, gaps and syncs. Nothing here happens once an event but for those few.
 */
import { CAUSES, EVENT_IP, EventKind, RowSet, Status } from "../assembly/abi.ts";
import type { ClockPair } from "./clocks.ts";
import { type Core, type CoreModule, evidenceSize, OutOfMemory } from "./core.ts";
import type { IoctlEvent, NormalisedEvent } from "./event.ts";
import type { MergePlan } from "./merge-plan.ts";
import { type BlockRange, RamMap } from "./migration/ram-map.ts";
import { readMigration } from "./migration/result.ts";
import { type BitmapSync, type Migration, type Moment, Timeline } from "./migration/timeline.ts";
import type { Place } from "./place.ts";
import { type Queue, readEvidence, readQueues, readRequest } from "./queues.ts";
import {
  lostCount,
  markerText,
  type RecordHead,
  readEvent,
  readHead,
} from "./recording/event-record.ts";
import { feedOfStream, type OpenInput } from "./recording/recording.ts";
import type { Source, Surroundings } from "./recording/source.ts";
import type {
  GapSummary,
  LogWindow,
  MigrationResult,
  RequestRecord,
  Round,
  SyncMark,
  SyncView,
  WatchedWrite,
} from "./result.ts";
import { DEFAULT_SYNC_MARKER, isEmpty, matchSync, readRound } from "./round.ts";
import type { Row, WindowChoice } from "./rows.ts";
import { Devices, type IoctlEffect } from "./vhost/device.ts";
import { driverOf } from "./vhost/ioctl.ts";
import { causeName, type Policy } from "./vhost/policy.ts";

/** What to replay: inputs, and the core to do it with. */
export interface Recording {
  sources: readonly Source[];
  surroundings: Surroundings;
  module: CoreModule;
  /** Pattern of a marker that ends a round; groups `n` and `name`. */
  syncMarker?: RegExp;
  /** trace-events-all of the QEMU that wrote a simpletrace. */
  traceEvents?: Source;
  /** By an input's name: what is added to its times, and how well that is known (ns). */
  clockOffsets?: ReadonlyMap<string, { offset: bigint; tolerance: bigint | null }>;
  /** Realtime and monotonic clock read together on the host that was recorded. */
  clockPairs?: readonly ClockPair[];
  /** RAM blocks in guest-physical memory, from `info mtree -f`. */
  memoryMap?: readonly BlockRange[];
  /** Called about once a MiB: bytes read so far, events replayed. */
  onProgress?: (bytes: number, events: number) => void;
  /** SHA-256 of an input's bytes, where the caller wants it in the result. */
  sha256?: (source: Source) => Promise<string | null>;
}

export interface ChosenPolicy {
  policy: Policy;
  /** The name by which it was asked for, when that is an alias. */
  alias: string | null;
}

export interface ReplayOptions {
  policies: readonly ChosenPolicy[];
  window: WindowChoice;
  /** At the end of every round, before its log is cleared. Indexes follow `policies`. */
  onSync?: (view: SyncView) => void | Promise<void>;
  /** Every request that leaves its queue; at the end those still in flight. */
  onRequest?: (request: RequestRecord) => void | Promise<void>;
  /** Writes into the pages of this range are reported to `onWrite`. */
  watch?: { gpa: number; len: number };
  onWrite?: (write: WatchedWrite) => void | Promise<void>;
  /** Lists the stale pages of each migration one by one, with the write to blame. */
  stalePages?: boolean;
  /** Name of the policy of the vhost that ran, where it is known. */
  ran?: string;
  /** How many runs of pages a result lists. */
  runLimit?: number;
  signal?: AbortSignal;
}

/** Migrations, rounds and gaps that a result lists one by one. */
const MAX_MIGRATIONS = 100;
const MAX_ROUNDS = 10000;
const MAX_GAPS = 1000;

const ROUND_SETS = { logged: RowSet.Logged, lost: RowSet.Lost, stale: RowSet.Stale } as const;

/** State of one replay. */
export class Replay {
  readonly core: Core;
  readonly inputs: OpenInput[];
  readonly options: ReplayOptions;
  readonly plan: MergePlan;
  readonly rows: Row[];
  readonly devices: Devices;
  readonly ram: RamMap;
  readonly timeline: Timeline;
  readonly migrations: MigrationResult[] = [];
  moreMigrations = 0;
  #sentBefore = 0;
  readonly rounds = new Map<LogWindow, Round[]>();
  readonly gaps: GapSummary[] = [];
  moreRounds = 0;
  gapCount = 0;
  lostEvents = 0;
  unattributed = 0;
  /** Highest page logged behind the end of QEMU's log, by policy. */
  readonly beyondLog = new Map<string, number>();
  readonly #marker: RegExp;
  readonly #recording: Recording;
  #syncs = 0;
  #round = 0;
  #roundGaps = 0;
  #unknownBefore = 0;
  #lostBefore = 0;

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
    this.devices = new Devices(core);
    this.ram = new RamMap(core, recording.memoryMap ?? []);
    this.timeline = new Timeline(core, {
      start: (_, start) => this.#migrationStarts(start),
      sync: (moment, sync) => this.#bitmapSync(moment, sync),
      end: (migration, end) => this.#migrationEnds(migration, end),
    });
    this.#recording = recording;
    this.#marker = recording.syncMarker ?? DEFAULT_SYNC_MARKER;
  }

  /** Place of a record of a stream in the user's file. */
  readonly placeOf = (stream: number, place: number): Place =>
    feedOfStream(this.inputs, stream).feed.place(stream, place);

  /** Runs until every input is at its end. */
  async run(onEvent?: (event: NormalisedEvent) => void | Promise<void>): Promise<void> {
    const { exports } = this.core;
    const { watch } = this.options;
    if (onEvent) exports.setRaw(true);
    if (this.options.onRequest) exports.observe(true);
    if (this.options.stalePages) exports.keepEntries(true);
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
        case Status.NewName:
        case Status.HostLine:
          feedOfStream(this.inputs, stream).feed.line(stream, status === Status.NewName);
          break;
        case Status.Damaged:
          feedOfStream(this.inputs, stream).feed.damaged(stream);
          break;
        case Status.RequestDone:
          await this.#requests();
          break;
        case Status.WatchedWrite:
          await this.#writes();
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
      if (event.event === "ioctl") await this.#nameDriver(event, stream, at);
      const done = onEvent(event);
      if (done) await done;
      return;
    }
    switch (head.kind) {
      case EventKind.Ioctl: {
        const { feed } = feedOfStream(this.inputs, stream);
        await this.devices.enter(head, at, place, (ip) => feed.symbol(ip));
        break;
      }
      case EventKind.IoctlRet:
        await this.#ioctlDone(this.devices.leave(head, at), head.ts);
        // CLEAR_ENDPOINT may have ended requests.
        if (this.core.exports.doneLength() > 0) await this.#requests();
        break;
      case EventKind.Mem:
        this.devices.region(head, at);
        break;
      case EventKind.Gap:
        this.#gap(head.cpu, lostCount(this.core, at), place);
        break;
      case EventKind.Marker: {
        const text = markerText(this.core, at);
        const sync = matchSync(this.#marker, text, this.#syncs);
        if (sync) {
          const ns = head.ts.toString();
          this.timeline.markerSync({ ns, place });
          await this.#sync({ ...sync, ns, place }, head.ts, null);
        } else feedOfStream(this.inputs, stream).feed.marker?.(text);
        break;
      }
      case EventKind.QSave:
      case EventKind.QLoad:
        this.#page(head, stream, at);
        break;
      case EventKind.QSlot:
      case EventKind.QRegion:
      case EventKind.QUserRegion:
        this.ram.event(head.kind, at, this.#spaceOf(stream));
        break;
      default:
        if (head.kind > EventKind.Other) {
          await this.timeline.event(head, at, place, this.#spaceOf(stream));
        }
    }
  }

  /** The function that the probe is in tells the driver, which a reader of events cannot know. */
  async #nameDriver(event: IoctlEvent, stream: number, at: number): Promise<void> {
    const ip = this.core.view.getBigUint64(at + EVENT_IP, true);
    const driver = driverOf(null, await feedOfStream(this.inputs, stream).feed.symbol(ip));
    if (driver !== null) event.driver = driver;
  }

  #spaceOf(stream: number): number {
    return feedOfStream(this.inputs, stream).space;
  }

  /** The first page of a RAM block, or the first that a thread receives. */
  #page(head: RecordHead, stream: number, at: number): void {
    const { exports } = this.core;
    const space = this.#spaceOf(stream);
    const again = head.kind === EventKind.QSave ? exports.onSave : exports.onLoad;
    if (head.kind === EventKind.QLoad) {
      this.timeline.receives(head.pid, space);
      if (!again(at, stream)) return;
    }
    const tables = this.devices.all.map((device) => device.memory);
    this.ram.place(at, head.kind, space, tables);
    again(at, stream);
  }

  async #ioctlDone(effect: IoctlEffect | null, ts: bigint): Promise<void> {
    if (effect?.what === "logging") await this.timeline.logging(effect.on, effect, ts);
    else if (effect?.what === "endpoint-cleared") this.timeline.deviceStopped(effect);
    else if (effect?.what === "ring-stopped") {
      this.core.exports.stopRings(effect.vs, effect.index);
    }
  }

  #gap(cpu: number, lost: number | null, place: Place): void {
    this.gapCount++;
    this.#roundGaps++;
    this.lostEvents += lost ?? 0;
    this.core.exports.migrationGap();
    if (this.gaps.length < MAX_GAPS)
      this.gaps.push({ cpu: cpu === 0xffff ? null : cpu, lost, place });
  }

  async #requests(): Promise<void> {
    const { exports } = this.core;
    const queueOf = this.queueOf();
    const n = exports.doneLength();
    for (let i = 0; i < n; i++) {
      const at = this.core.view.getUint32(exports.donePtr() + i * 4, true);
      const done = this.options.onRequest?.(readRequest(this.core, at, this.placeOf, queueOf));
      if (done) await done;
    }
    exports.dropDone();
  }

  async #writes(): Promise<void> {
    const { exports } = this.core;
    const queueOf = this.queueOf();
    const n = exports.watchedLength();
    for (let i = 0; i < n; i++) {
      const evidence = readEvidence(
        this.core,
        exports.watchedPtr() + i * evidenceSize,
        this.placeOf,
        queueOf,
      );
      const done = this.options.onWrite?.({
        ...evidence,
        loggedBy: this.#loggedBy(evidence.cause),
      });
      if (done) await done;
    }
    exports.dropWatched();
  }

  #loggedBy(cause: string): string[] {
    const bit = causeBit(cause);
    const window = this.rows[0]?.window ?? "recorded";
    return this.rows
      .filter((row) => row.window === window && (row.logsMask & bit) !== 0)
      .map((row) => this.options.policies[row.policy]!.policy.name);
  }

  #queues: Queue[] = [];

  /** Device and index of a queue by its number, with a look at the core only for a new one. */
  queueOf(): (id: number) => { device: number; index: number | null; vq: bigint } {
    let fresh = false;
    return (id) => {
      if (!fresh && (this.#queues[id]?.index ?? null) === null) {
        this.#queues = readQueues(this.core);
        fresh = true;
      }
      const queue = this.#queues[id];
      if (!queue) throw new Error(`bug: no queue ${id}`);
      return { device: this.deviceOf(queue), index: queue.index, vq: queue.vq };
    };
  }

  /** Devices by struct vhost_dev, in the order in which their queues appeared. */
  readonly devs: bigint[] = [];

  deviceOf(queue: Queue): number {
    let at = this.devs.indexOf(queue.dev);
    if (at < 0) at = this.devs.push(queue.dev) - 1;
    return at;
  }

  #migrationStarts(ts: bigint): void {
    if (!this.core.exports.startMigration(ts)) throw new OutOfMemory();
    this.#sentBefore = 0;
  }

  /** QEMU fetches the dirty log: a sync of its own count, and a round. */
  async #bitmapSync(moment: Moment, sync: BitmapSync): Promise<void> {
    const { exports } = this.core;
    const sent = exports.pagesSaved() + exports.zerosSent();
    // The timeline fills in what QEMU says when the sync is over.
    const told = Object.assign(sync, { sent: sent - this.#sentBefore });
    this.#sentBefore = sent;
    const mark = { number: sync.number, name: "bitmap sync", ...moment };
    await this.#sync(mark, BigInt(moment.ns), told);
  }

  async #migrationEnds(migration: Migration, ts: bigint): Promise<void> {
    this.core.exports.endMigration(ts);
    const result = readMigration(this, migration);
    if (this.migrations.length < MAX_MIGRATIONS) this.migrations.push(result);
    else this.moreMigrations++;
  }

  /** Time of the latest event replayed, for what ends with the recording. */
  #lastNs(): bigint {
    let last = 0n;
    for (const { feed } of this.inputs) {
      for (let i = 0; i < feed.streams; i++) {
        const ts = this.core.exports.takenTs(feed.firstStream + i);
        if (ts > last) last = ts;
      }
    }
    return last;
  }

  /** Why this round's log may be incomplete. */
  #caveats(): string[] {
    const unknown = this.core.exports.unknownHeadsTotal();
    const lost = this.core.exports.lostCompletionsTotal();
    const caveats: string[] = [];
    if (this.#roundGaps > 0) caveats.push("events were lost in this round");
    if (lost > this.#lostBefore) {
      caveats.push(`${lost - this.#lostBefore} completions of this round are lost`);
    }
    if (unknown > this.#unknownBefore) {
      const n = unknown - this.#unknownBefore;
      const requests = n === 1 ? "request that was" : "requests that were";
      caveats.push(`${n} ${requests} popped before the recording, or in a gap, completed`);
    }
    this.#roundGaps = 0;
    this.#unknownBefore = unknown;
    this.#lostBefore = lost;
    return caveats;
  }

  async #sync(
    mark: SyncMark | null,
    ts: bigint | null,
    bitmapSync: Round["bitmapSync"],
  ): Promise<void> {
    const { core, options } = this;
    const { exports } = core;
    if (ts !== null) exports.migrationSync(ts);
    // Once logging was seen, the window is the recorded one: the other rows are of no interest.
    if (this.options.window === "auto" && exports.loggingSeen() !== 0) {
      exports.useRows(this.options.policies.length);
    }
    exports.sync();
    exports.attribute();
    this.unattributed += exports.refusedEvidence();
    this.#checkLogEnd();
    const rounds = readRound(core, this.rows, this.#round, mark, this.#caveats());
    for (const round of rounds) round.bitmapSync = bitmapSync;
    // What follows the last sync is a round only when something happened in it.
    const listed = mark !== null || this.#round === 0 || rounds.some((round) => !isEmpty(round));
    if (listed) {
      const windows = [...new Set(this.rows.map((row) => row.window))];
      if (this.#round < MAX_ROUNDS) {
        windows.forEach((window, i) => {
          const list = this.rounds.get(window) ?? [];
          list.push(rounds[i]!);
          this.rounds.set(window, list);
        });
      } else this.moreRounds++;
      const done = options.onSync?.({
        mark,
        round: rounds[0]!,
        qemuLogBytes: this.devices.qemuLogBytes(),
        image: (index, size) => core.image(index, RowSet.Logged, size),
        pages: (index) =>
          core
            .runs(index, RowSet.Logged, Number.POSITIVE_INFINITY)
            .runs.flatMap((run) => Array.from({ length: run.pages }, (_, i) => run.gfn + i)),
        highestPage: (index) => core.highest(index, RowSet.Logged),
        runs: (index, set) => core.runs(index, ROUND_SETS[set], Number.POSITIVE_INFINITY).runs,
      });
      if (done) await done;
    }
    exports.clearRound();
    exports.dropEvidence();
    exports.nextRound();
    this.#round++;
    if (mark) this.#syncs++;
  }

  /** Bits that a policy sets behind the log's end: the kernel does not check (vhost.c log_write()). */
  #checkLogEnd(): void {
    const pages = this.devices.qemuLogBytes() * 8;
    if (pages === 0 || this.core.exports.roundEndPage() <= pages) return;
    this.rows.forEach((row, i) => {
      if (row.window !== "recorded") return;
      const name = this.options.policies[row.policy]!.policy.name;
      const highest = this.core.highest(i, RowSet.Logged);
      if (highest >= pages)
        this.beyondLog.set(name, Math.max(highest, this.beyondLog.get(name) ?? 0));
    });
  }

  async #end(): Promise<void> {
    await this.#sync(null, null, null);
    await this.timeline.finish(this.#lastNs());
    if (!this.options.onRequest) return;
    this.core.exports.endInFlight();
    this.core.exports.endElements();
    await this.#requests();
  }
}

function causeBit(cause: string): number {
  const at = CAUSE_NAMES.indexOf(cause);
  return at < 0 ? 0 : 1 << at;
}

const CAUSE_NAMES = Array.from({ length: CAUSES }, (_, cause) => causeName(cause));
