/**
 * One replay while it runs: the core goes as far as it can, and comes back for bytes, names, ioctls,
 * markers, gaps and syncs. Nothing here happens once an event but for those few.
 */
import { EVENT_IP, EventKind, RowSet, Status } from "../../assembly/abi.ts";
import { type Core, evidenceSize, OutOfMemory } from "../core/core.ts";
import { type DrainedRows, startDrain } from "../core/drain.ts";
import { lostCount, markerText, readEvent, readHead } from "../core/event-record.ts";
import { type Queue, readEvidence, readQueues, readRequest } from "../core/queue-record.ts";
import { DEFAULT_SYNC_MARKER, isEmpty, matchSync, readRound } from "../core/round.ts";
import type { Row } from "../core/rows.ts";
import { feedOfStream, type OpenInput } from "../formats/open-inputs.ts";
import type { MergePlan } from "../join/merge-plan.ts";
import type { Recording } from "../join/recording.ts";
import type { IoctlEvent, NormalisedEvent } from "../model/event.ts";
import type { Place } from "../model/place.ts";
import type { GapSummary, LogWindow, Round, SyncMark } from "../model/result.ts";
import { causeMask } from "../vhost/causes.ts";
import { driverOf } from "../vhost/ioctl.ts";
import { Devices } from "./devices.ts";
import { MigrationFollower } from "./migration/follower.ts";
import type { ReplayOptions } from "./replay-options.ts";
import type { ReplayState } from "./replay-state.ts";
import { firstNs, lastNs } from "./span.ts";

/** Rounds and gaps that a result lists one by one. */
const MAX_ROUNDS = 10000;
const MAX_GAPS = 1000;

const ROUND_SETS = { logged: RowSet.Logged, lost: RowSet.Lost, stale: RowSet.Stale } as const;

/** State of one replay. */
export class Replay implements ReplayState {
  readonly core: Core;
  readonly inputs: OpenInput[];
  readonly options: ReplayOptions;
  readonly plan: MergePlan;
  readonly rows: Row[];
  readonly devices: Devices;
  /** Migrations in the recording, and where RAM lies. */
  readonly follower: MigrationFollower;
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
    this.follower = new MigrationFollower(this, recording.memoryMap ?? [], (moment, told) =>
      this.#sync({ name: "bitmap sync", ...moment }, BigInt(moment.ns), told),
    );
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
    if (this.options.sink?.events) this.#drained = startDrain(this.core);
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
        await this.follower.ioctl(this.devices.leave(head, at), head.ts);
        // CLEAR_ENDPOINT may have ended requests.
        if (this.core.exports.doneLength() > 0) await this.#requests();
        break;
      case EventKind.Mem:
        this.devices.region(head, at);
        break;
      case EventKind.Gap:
        this.#gap(head.cpu, lostCount(this.core, at), place, head.ts);
        break;
      case EventKind.Marker: {
        const text = markerText(this.core, at);
        const sync = matchSync(this.#marker, text, this.#syncs);
        if (sync) {
          const ns = head.ts.toString();
          this.follower.timeline.markerSync({ ns, place });
          await this.#sync({ ...sync, ns, place }, head.ts, null);
        } else feedOfStream(this.inputs, stream).feed.marker?.(text);
        break;
      }
      default:
        if (head.kind > EventKind.Other) {
          const { space } = feedOfStream(this.inputs, stream);
          await this.follower.event(head, at, place, space);
        }
    }
  }

  /** The function that the probe is in tells the driver, which a reader of events cannot know. */
  async #nameDriver(event: IoctlEvent, stream: number, at: number): Promise<void> {
    const ip = this.core.view.getBigUint64(at + EVENT_IP, true);
    const driver = driverOf(null, await feedOfStream(this.inputs, stream).feed.symbol(ip));
    if (driver !== null) event.driver = driver;
  }

  #gap(cpu: number, lost: number | null, place: Place, ts: bigint): void {
    this.gapCount++;
    this.#roundGaps++;
    this.lostEvents += lost ?? 0;
    this.follower.gap(ts);
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

  /** Names of the policies that log a cause. */
  readonly #loggers = new Map<string, string[]>();

  #loggedBy(cause: string): string[] {
    let names = this.#loggers.get(cause);
    if (names === undefined) {
      const bit = causeMask(cause);
      const window = this.rows[0]?.window ?? "recorded";
      names = this.rows
        .filter((row) => row.window === window && (row.logsMask & bit) !== 0n)
        .map((row) => this.options.policies[row.policy]!.policy.name);
      this.#loggers.set(cause, names);
    }
    return [...names];
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
      options.sink?.round(this, this.#round);
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
    await this.follower.finish(lastNs(this.core, this.inputs));
    const { onRequest, sink } = this.options;
    if (onRequest || sink?.events) {
      this.core.exports.endInFlight();
      this.core.exports.endElements();
    }
    if (onRequest) await this.#requests();
    this.#takeRows();
    sink?.end(this);
  }
}
