/**
 * Follows the migrations of a replay: events of QEMU and ioctls of vhost become the time line, the
 * memory map and, at the end of each migration, its result.
 */
import { EventKind } from "../../../assembly/event-abi.ts";
import { RowSet } from "../../../assembly/page-abi.ts";
import type { Core } from "../../core/core.ts";
import { OutOfMemory } from "../../core/core.ts";
import type { RecordHead } from "../../core/event-record.ts";
import { EventArguments } from "../../core/qemu-record.ts";
import type { BlockRange } from "../../memory/block-range.ts";
import type { MigrationResult } from "../../model/migration-result.ts";
import { PageRuns } from "../../model/page-runs.ts";
import type { Place } from "../../model/place.ts";
import type { PageRun, Round } from "../../model/result.ts";
import type { MigrationSettings } from "../../qemu/migration-settings.ts";
import { isCommonConfig, PciConfig } from "../../qemu/pci-config.ts";
import type { IoctlEffect } from "../device-ioctls.ts";
import { QemuVhosts } from "../qemu-vhosts.ts";
import type { ReplayState } from "../replay-state.ts";
import { RamMap } from "./ram-map.ts";
import { type BitmapSync, type Migration, type Moment, Timeline } from "./timeline.ts";
import { readMigration, readUnlogged } from "./verdicts.ts";

const FOUR_GIB = 1n << 32n;
const MAX_REGIONS = 1024;
/** Of pages that devices had written before a migration; those beyond count as if they had not. */
const MAX_RUNS = 100_000;
/** Migrations that a result lists one by one. */
const MAX_MIGRATIONS = 100;

/** The dirty log was fetched: number of the sync, when, and what QEMU says of it. */
export type OnSync = (
  moment: Moment & { number: number },
  told: NonNullable<Round["bitmapSync"]>,
) => Promise<void>;

export class MigrationFollower {
  readonly timeline: Timeline;
  readonly ram: RamMap;
  readonly migrations: MigrationResult[] = [];
  /** Devices that QEMU hands to a vhost. */
  readonly vhosts: QemuVhosts;
  /** Migrations that are counted and not listed. */
  more = 0;
  readonly #run: ReplayState;
  readonly #core: Core;
  readonly #onSync: OnSync;
  #sentBefore = 0;
  /** Sections of RAM above 4 GiB, by QEMU and name. */
  readonly #regions = new Set<string>();
  /** Over by QEMU's clock, and not yet by that of the writes. */
  #ended: Migration | null = null;
  /** By input: what drivers wrote to virtio-pci. */
  readonly #configs = new Map<number, PciConfig>();

  /** `map`: RAM blocks as the user gave them. */
  constructor(
    run: ReplayState,
    map: readonly BlockRange[],
    onSync: OnSync,
    settings?: MigrationSettings,
  ) {
    this.#run = run;
    this.#core = run.core;
    this.#onSync = onSync;
    this.ram = new RamMap(run.core, map);
    this.vhosts = new QemuVhosts((dev, space, name) => run.handed(dev, space, name));
    this.timeline = new Timeline(
      run.core,
      run.plan.tolerance,
      {
        start: (migration, ts) => this.#begin(migration, ts),
        sync: (moment, sync) => this.#sync(moment, sync),
        end: async (migration, ts) => this.#end(migration, ts),
        unlogged: (migration) => this.#add(() => readUnlogged(migration)),
      },
      settings,
    );
  }

  /** An event of QEMU that the core leaves to the host. */
  async event(head: RecordHead, at: number, place: Place, space: number): Promise<void> {
    switch (head.kind) {
      case EventKind.QSave:
      case EventKind.QLoad:
        this.#page(head, at, space);
        break;
      case EventKind.QPostcopyLoad:
        this.timeline.receives(head.pid, space);
        this.#core.exports.onPostcopy(at);
        break;
      case EventKind.QSlot:
      case EventKind.QRegion:
      case EventKind.QUserRegion:
        if (head.kind === EventKind.QRegion) this.#plugged(at, head, place, space);
        this.ram.event(head.kind, at, space, head.pid);
        break;
      case EventKind.QConfigWrite:
        this.#configWrite(head, at, space);
        break;
      case EventKind.QDevStart:
      case EventKind.QDevStop:
      case EventKind.QUserWrite:
        this.#vhost(head, at, place, space);
        break;
      case EventKind.QStatus:
        this.#config(space).status(head.pid, new EventArguments(this.#core, at).bits("vdev"));
        break;
      default:
        if (head.kind === EventKind.QGlobalDirty) {
          const bits = new EventArguments(this.#core, at).bits("bitmask");
          this.vhosts.tracking(space, bits !== 0n);
        }
        await this.timeline.event(head, at, place, space);
    }
  }

  /** RAM above 4 GiB that comes while the guest runs; below lie the BARs of devices, which the guest places. */
  #plugged(at: number, head: RecordHead, place: Place, space: number): void {
    const args = new EventArguments(this.#core, at);
    if (args.bits("gpa") < FOUR_GIB) return;
    const key = `${space} ${args.text("name")}`;
    if (this.#regions.has(key) || this.#regions.size >= MAX_REGIONS) return;
    this.#regions.add(key);
    const moment = { ns: head.ts.toString(), place };
    if (this.timeline.runningSince(space) === null) return;
    this.timeline.plugged(moment, "vhost_region_add_section");
  }

  /** A device that QEMU hands to a vhost starts or stops, or a back end in user space gets a message. */
  #vhost(head: RecordHead, at: number, place: Place, space: number): void {
    const args = new EventArguments(this.#core, at);
    const moment = { place, ns: head.ts.toString() };
    if (head.kind === EventKind.QUserWrite) {
      this.vhosts.message(space, args.number("req"), moment);
    } else if (head.kind === EventKind.QDevStart) {
      this.vhosts.start(space, args.bits("dev"), args.text("name"), moment);
    } else this.vhosts.stop(space, args.bits("dev"), moment);
  }

  #config(space: number): PciConfig {
    const { exports } = this.#core;
    let config = this.#configs.get(space);
    if (!config) {
      config = new PciConfig(({ vdev, queue, size, used }) =>
        exports.setQemuRing(space, vdev, queue, size, BigInt(used)),
      );
      this.#configs.set(space, config);
    }
    return config;
  }

  /** What a driver writes to the registers of virtio-pci. */
  #configWrite(head: RecordHead, at: number, space: number): void {
    const args = new EventArguments(this.#core, at);
    if (!isCommonConfig(args.text("name"))) return;
    const config = this.#config(space);
    config.write(head.pid, args.bits("mr"), args.bits("addr"), args.number("value"));
  }

  /** The first page of a RAM block, or the first that a thread receives. */
  #page(head: RecordHead, at: number, space: number): void {
    const { exports } = this.#core;
    const again = head.kind === EventKind.QSave ? exports.onSave : exports.onLoad;
    if (head.kind === EventKind.QLoad) {
      this.timeline.receives(head.pid, space);
      if (!again(at)) return;
    }
    const tables = this.#run.devices.map((device) => device.memory);
    this.ram.place(at, head.kind, space, tables);
    again(at);
  }

  /** An ioctl of vhost succeeded. */
  async ioctl(effect: IoctlEffect | null, ts: bigint): Promise<void> {
    if (effect?.what === "logging") {
      // Within the tolerance LOG_ALL may go on after QEMU's events of the same migration are over.
      if (this.#ended && !this.#core.exports.migrationIsOver(ts)) return;
      await this.timeline.logging(effect.on, { ns: effect.ns, place: effect.place }, ts);
    } else if (effect?.what === "endpoint-cleared")
      this.timeline.deviceStopped({ ns: effect.ns, place: effect.place });
    else if (effect?.what === "ring-stopped") {
      this.#core.exports.stopRings(effect.device.number, effect.index);
    }
  }

  #begin(migration: Migration, ts: bigint): void {
    migration.writtenBefore = this.#writtenSoFar();
    this.#close();
    const { stalePages, staleCauses } = this.#run.options;
    this.#core.exports.keepEntries(stalePages === true || staleCauses === true);
    if (!this.#core.exports.startMigration(ts)) throw new OutOfMemory();
    this.#sentBefore = 0;
  }

  /**
   * A round is about to end. From its first sync on, a migration of which only ioctls tell remains one:
   * then no single writes are kept for the causes, and its rounds are taken as a whole.
   */
  roundEnds(): void {
    const { current } = this.timeline;
    if (this.#run.options.stalePages || current?.from !== "ioctl" || current.syncs === 0) return;
    this.#core.exports.keepEntries(false);
  }

  /** Pages that devices have written, whether the log was on or not. */
  #writtenSoFar(): PageRun[] {
    const row = this.#run.rows.findIndex(({ window }) => window === "assumed");
    if (row < 0) return [];
    // In rounds that are over, and in the one that goes on.
    const [ever, now] = [RowSet.EverWritten, RowSet.Written].map((set) =>
      PageRuns.from(this.#core.runs(row, set, MAX_RUNS).runs),
    );
    return ever!.union(now!).toArray();
  }

  /** QEMU fetches the dirty log. */
  async #sync(moment: Moment, sync: BitmapSync): Promise<void> {
    const { exports } = this.#core;
    const sent = exports.pagesSaved() + exports.zerosSent();
    // The time line fills in what QEMU says when the sync is over.
    const told = Object.assign(sync, { sent: sent - this.#sentBefore });
    this.#sentBefore = sent;
    await this.#onSync({ number: sync.number, ...moment }, told);
  }

  /** Events were lost. */
  gap(ts: bigint): void {
    this.timeline.current?.newlyDirty.give();
    this.#core.exports.migrationGap(ts);
  }

  /** The recording is at its end. */
  async finish(ts: bigint): Promise<void> {
    await this.timeline.finish(ts);
    this.#close();
  }

  #end(migration: Migration, ts: bigint): void {
    this.#ended = migration;
    if (this.#core.exports.endMigration(ts)) this.#close();
  }

  #add(read: () => MigrationResult): void {
    if (this.migrations.length < MAX_MIGRATIONS) this.migrations.push(read());
    else this.more++;
  }

  /** Reads the verdict of a migration that ended, when no write of it can follow. */
  #close(): void {
    const ended = this.#ended;
    if (!ended) return;
    this.#ended = null;
    this.#core.exports.closeMigration();
    this.#add(() => readMigration(this.#run, this.ram, ended));
  }
}
