/**
 * The migrations in a recording: when the dirty log went on, each sync, the stop of the guest, and
 * how it ended. From QEMU's events, or, without them, from the ioctls of vhost. Names of states are
 * those of qapi/migration.json and qapi/run-state.json.
 */
import { EventKind } from "../../../assembly/event-abi.ts";
import type { Core } from "../../core/core.ts";
import type { RecordHead } from "../../core/event-record.ts";
import { EventArguments } from "../../core/qemu-record.ts";
import type { Place } from "../../model/place.ts";
import type { PageRun } from "../../model/result.ts";
import type { MigrationSettings } from "../../qemu/migration-settings.ts";
import { KindFollower, type Kinds } from "./kinds.ts";
import { NewlyDirty } from "./newly-dirty.ts";

/** How a migration ended. `unfinished`: the recording ends before it does. */
export type Outcome = "completed" | "cancelled" | "failed" | "unfinished";

export interface Moment {
  ns: string;
  place: Place;
}

/** One migration as far as it was recorded. */
export interface Migration {
  /** `qemu`: from QEMU's events; `ioctl`: from VHOST_SET_FEATURES with LOG_ALL alone. */
  from: "qemu" | "ioctl";
  /** The dirty log went on. */
  logOn: Moment;
  firstSync: Moment | null;
  /** Syncs of the dirty bitmap. */
  syncs: number;
  /** Pages that these found newly dirty, as QEMU counts them. */
  newlyDirty: NewlyDirty;
  /** The source's CPUs were stopped for the switchover. */
  stopped: Moment | null;
  postcopy: Moment | null;
  end: Moment | null;
  outcome: Outcome;
  kinds: Kinds;
  /** Guest pages that devices had written when the log went on, as far as is recorded. */
  writtenBefore: readonly PageRun[];
  /** The guest began to run; null: not recorded. */
  running: Moment | null;
  /** States by migrate_set_state, at most MAX_STATES. */
  states: { state: string; ns: string }[];
}

/** One sync of the dirty bitmap, as QEMU tells it. */
export interface BitmapSync {
  /** Position in its migration, from 0. */
  number: number;
  startNs: string;
  endNs: string | null;
  /** Pages that QEMU found dirty, of all trackers. */
  dirtyPages: number | null;
}

const MAX_STATES = 1000;
/** GLOBAL_DIRTY_MIGRATION, include/exec/memory.h; the other bits are dirty rate measurement. */
const DIRTY_MIGRATION = 1;

const ENDS: Readonly<Record<string, Outcome>> = {
  completed: "completed",
  cancelled: "cancelled",
  failed: "failed",
};

/** What the replay does when a migration begins, syncs and ends. */
export interface TimelineHooks {
  start(migration: Migration, ts: bigint): void;
  /** The dirty log was fetched: a round ends. */
  sync(moment: Moment, sync: BitmapSync): Promise<void>;
  end(migration: Migration, ts: bigint): Promise<void>;
  /** One that needs no dirty log is over: a background snapshot. */
  unlogged(migration: Migration): void;
}

/** Follows the events of one recording. */
export class Timeline {
  readonly #core: Core;
  readonly #tolerance: bigint;
  readonly #hooks: TimelineHooks;
  readonly migrations: Migration[] = [];
  #current: Migration | null = null;
  #sync: BitmapSync | null = null;
  #cut = false;
  /** Who tells of the syncs. */
  #syncThread: string | null = null;
  #lastSyncEnd = 0n;
  /** Threads that receive pages: their states are those of a destination. */
  readonly #destinations = new Set<string>();
  readonly #kinds: KindFollower;
  /** By QEMU: when its guest began to run; when it was stopped, as long as it is. */
  readonly #running = new Map<number, Moment>();
  readonly #halted = new Map<number, Moment>();
  /** A background snapshot that goes on. */
  #snapshot: Migration | null = null;

  /** `tolerance`: of the clocks of several recordings, ns; `settings`: as a transcript tells them. */
  constructor(core: Core, tolerance: bigint, hooks: TimelineHooks, settings?: MigrationSettings) {
    this.#kinds = new KindFollower(settings);
    this.#core = core;
    this.#tolerance = tolerance;
    this.#hooks = hooks;
  }

  /** The migration that is going on. */
  get current(): Migration | null {
    return this.#current;
  }

  /** When the guest of a QEMU began to run, as far as is recorded. */
  runningSince(space: number): Moment | null {
    return this.#running.get(space) ?? null;
  }

  /** Memory was plugged while the guest ran: it belongs to this migration, or to the next. */
  plugged(moment: Moment, told: string): void {
    this.#kinds.note("hotplugged-memory", moment.ns, told, this.#current?.kinds ?? null);
  }

  /** A page arrives in this thread: it is the destination's. */
  receives(pid: number, space: number): void {
    if (this.#destinations.size < 1024) this.#destinations.add(`${space} ${pid}`);
  }

  #isDestination(head: RecordHead, space: number): boolean {
    return this.#destinations.has(`${space} ${head.pid}`);
  }

  /** An event of QEMU that tells of a migration. */
  async event(head: RecordHead, at: number, place: Place, space: number): Promise<void> {
    const moment = { ns: head.ts.toString(), place };
    const args = new EventArguments(this.#core, at);
    switch (head.kind) {
      case EventKind.QGlobalDirty: {
        const on = (args.number("bitmask") & DIRTY_MIGRATION) !== 0;
        this.#core.exports.setQemuLogging(space, on);
        if (on) this.#begin("qemu", moment, head.ts, space);
        break;
      }
      case EventKind.QTracking:
        this.#kinds.event(head.kind, args, moment.ns, null);
        this.#snapshot ??= this.#made("qemu", moment, head.ts);
        break;
      case EventKind.QState:
        if (!this.#isDestination(head, space)) {
          await this.#state(args.text("new_state"), moment, head.ts, space);
        }
        break;
      case EventKind.QRunstate: {
        const state = args.text("new_state_str");
        this.#runs(space, state, moment);
        // The incoming side has run state inmigrate until it takes over.
        if (args.text("current_state_str") === "inmigrate") this.receives(head.pid, space);
        else if (state === "finish-migrate" && this.#current) this.#current.stopped ??= moment;
        else if (state === "postmigrate") await this.#end("completed", moment, head.ts, space);
        break;
      }
      case EventKind.QVmState:
        if (args.number("running") === 0 && args.text("reason_str") === "finish-migrate") {
          if (this.#current) this.#current.stopped ??= moment;
        }
        break;
      case EventKind.QVmStopped:
        if (this.#current) this.#current.stopped ??= moment;
        break;
      case EventKind.QPostcopy:
        this.#switchToPostcopy(moment);
        break;
      case EventKind.QSyncStart:
        // One whose end is missing: what it found is not known.
        if (this.#sync || !this.#sentNothingBefore()) this.#current?.newlyDirty.give();
        await this.#cutOpenSync(moment);
        this.#sync = {
          number: this.#current?.syncs ?? 0,
          startNs: moment.ns,
          endNs: null,
          dirtyPages: null,
        };
        this.#cut = false;
        break;
      case EventKind.QSynced:
        // Emitted when log_sync() of the listener has returned: the vhost log was read by then.
        if (/^vhost/.test(args.text("listener"))) await this.#cutOpenSync(moment);
        break;
      case EventKind.QSyncEnd:
        await this.#cutOpenSync(moment);
        if (this.#sync) {
          this.#sync.endNs = moment.ns;
          this.#sync.dirtyPages = args.number("dirty_pages");
        }
        this.#count(this.#sync, head, space);
        this.#sync = null;
        break;
      default:
        this.#kinds.event(head.kind, args, moment.ns, this.#current?.kinds ?? null);
    }
  }

  /** The run state of a guest: RunState of qapi/run-state.json. */
  #runs(space: number, state: string, moment: Moment): void {
    if (this.#running.size + this.#halted.size >= 2048) return;
    if (state === "running") {
      if (!this.#running.has(space)) this.#running.set(space, moment);
      this.#halted.delete(space);
    } else if (this.#running.has(space)) {
      if (!this.#halted.has(space)) this.#halted.set(space, moment);
    }
  }

  #switchToPostcopy(moment: Moment): void {
    const current = this.#current;
    if (!current) return;
    current.postcopy ??= moment;
    this.#kinds.postcopy(moment.ns, current.kinds);
  }

  async #cutOpenSync(moment: Moment): Promise<void> {
    const sync = this.#sync;
    if (!sync || this.#cut) return;
    this.#cut = true;
    if (this.#current) {
      this.#current.syncs++;
      this.#current.firstSync ??= moment;
    }
    await this.#hooks.sync(moment, sync);
  }

  /** The first sync comes before the first page: if not, it was not recorded. */
  #sentNothingBefore(): boolean {
    return (this.#current?.syncs ?? 0) > 0 || this.#core.exports.pagesSaved() === 0;
  }

  /** What QEMU says at the end of a sync goes into the sum of its migration. */
  #count(sync: BitmapSync | null, head: RecordHead, space: number): void {
    const newlyDirty = this.#current?.newlyDirty;
    if (!newlyDirty) return;
    const thread = `${space} ${head.pid}`;
    const other = this.#syncThread !== null && this.#syncThread !== thread;
    this.#syncThread = thread;
    if (!sync || sync.dirtyPages === null || other) newlyDirty.give();
    else newlyDirty.sync(BigInt(sync.startNs), head.ts, sync.dirtyPages, this.#readBy(sync));
    this.#core.exports.markSends();
    this.#lastSyncEnd = head.ts;
  }

  /** What QEMU's thread did first between two syncs: sent a page, stopped the guest, or nothing. */
  #readBy(sync: BitmapSync): bigint {
    const sent = this.#core.exports.firstSendTs();
    const stopped = BigInt(this.#current?.stopped?.ns ?? 0);
    return [sent, stopped]
      .filter((ns) => ns > this.#lastSyncEnd)
      .map((ns) => ns + 2n * this.#tolerance)
      .reduce((first, ns) => (ns < first ? ns : first), BigInt(sync.startNs));
  }

  async #state(state: string, moment: Moment, ts: bigint, space: number): Promise<void> {
    const current = this.#current ?? this.#snapshot;
    if (!current) return;
    if (current.states.length < MAX_STATES) current.states.push({ state, ns: moment.ns });
    if (state.startsWith("postcopy")) this.#switchToPostcopy(moment);
    const outcome = ENDS[state];
    if (outcome === undefined) return;
    if (this.#snapshot) this.#endSnapshot(outcome, moment);
    else await this.#end(outcome, moment, ts, space);
  }

  /** `space`: of the QEMU that tells it; null: the ioctls of vhost do. */
  #begin(from: Migration["from"], moment: Moment, ts: bigint, space: number | null): void {
    const current = this.#current;
    if (current) {
      // The ioctls of the same start stand beside QEMU's own event.
      if (from === "qemu" && current.from === "ioctl" && current.syncs === 0) {
        current.from = "qemu";
        this.#guest(current, space);
      }
      return;
    }
    const migration = this.#made(from, moment, ts);
    this.#guest(migration, space);
    this.#current = migration;
    this.#sync = null;
    this.#syncThread = null;
    this.#lastSyncEnd = ts;
    this.#hooks.start(migration, ts);
  }

  #made(from: Migration["from"], moment: Moment, ts: bigint): Migration {
    const migration: Migration = {
      from,
      logOn: moment,
      firstSync: null,
      syncs: 0,
      newlyDirty: new NewlyDirty(ts - this.#tolerance),
      stopped: null,
      postcopy: null,
      end: null,
      outcome: "unfinished",
      kinds: this.#kinds.begin(),
      writtenBefore: [],
      running: null,
      states: [],
    };
    this.migrations.push(migration);
    return migration;
  }

  /** Of its guest. Snapshots and cpr-reboot stop it before the log goes on; a user may, too. */
  #guest(migration: Migration, space: number | null): void {
    if (space === null) return;
    migration.running = this.runningSince(space);
    const halted = this.#halted.get(space);
    if (!halted) return;
    migration.stopped ??= halted;
    migration.kinds.add("guest-stopped", halted.ns, "runstate_set");
  }

  #endSnapshot(outcome: Outcome, moment: Moment | null): void {
    const snapshot = this.#snapshot;
    if (!snapshot) return;
    this.#snapshot = null;
    snapshot.outcome = outcome;
    snapshot.end = moment;
    this.#hooks.unlogged(snapshot);
  }

  async #end(outcome: Outcome, moment: Moment | null, ts: bigint, space: number): Promise<void> {
    const current = this.#current;
    if (!current) return;
    if (this.#sync) current.newlyDirty.give();
    if (outcome === "cancelled" || outcome === "failed") this.#kinds.gaveUp();
    current.outcome = outcome;
    current.end = moment;
    this.#current = null;
    this.#core.exports.setQemuLogging(space, false);
    await this.#hooks.end(current, ts);
  }

  /** vhost switched LOG_ALL of a device: without QEMU's events, all that is known of a migration. */
  async logging(on: boolean, moment: Moment, ts: bigint): Promise<void> {
    if (on) this.#begin("ioctl", moment, ts, null);
    // QEMU takes the log from a running device when a migration is given up (vhost_migration_log()).
    else if (this.#current?.from === "ioctl") await this.#end("cancelled", moment, ts, 0);
  }

  /** A sync that a marker tells, not QEMU. */
  markerSync(moment: Moment): void {
    if (!this.#current) return;
    this.#current.syncs++;
    this.#current.firstSync ??= moment;
  }

  /** A device was stopped with its log on: without QEMU's events, the switchover. */
  deviceStopped(moment: Moment): void {
    if (this.#current?.from === "ioctl") this.#current.stopped ??= moment;
  }

  /** The recording is at its end. */
  async finish(ts: bigint): Promise<void> {
    this.#endSnapshot("unfinished", null);
    const current = this.#current;
    if (!current) return;
    // A device that was stopped with its log on was stopped for the switchover.
    const stopped = current.from === "ioctl" && current.stopped !== null;
    await this.#end(stopped ? "completed" : "unfinished", null, ts, 0);
  }
}
