/** The replay of one machine: its rounds, its migrations, and what of its writes is not known. */
import { RowSet } from "../../assembly/page-abi.ts";
import type { Core } from "../core/core.ts";
import type { QueueName } from "../core/queue-record.ts";
import { isEmpty, readRound } from "../core/round.ts";
import type { Row } from "../core/rows.ts";
import type { OpenInput } from "../formats/open-inputs.ts";
import type { MergePlan } from "../join/merge-plan.ts";
import type { Recording } from "../join/recording.ts";
import type { Place } from "../model/place.ts";
import type {
  GapSummary,
  LogWindow,
  MachineResult,
  Round,
  SyncMark,
  ToldBy,
} from "../model/result.ts";
import type { Device, LoggingChange } from "./device.ts";
import type { Devices } from "./devices.ts";
import type { Machines } from "./machines.ts";
import { qemuLogPages } from "./memory-table.ts";
import { MigrationFollower } from "./migration/follower.ts";
import type { ReplayOptions, ReplayTables } from "./replay-options.ts";
import type { ReplayState } from "./replay-state.ts";
import { RoundCaveats } from "./round-caveats.ts";
import { syncView } from "./sync-view.ts";

/** Rounds that a result lists one by one. */
const MAX_ROUNDS = 10000;

const TOLD_BY: readonly ToldBy[] = ["worker", "ioctl", "memory", "qemu"];

/** What all machines of a replay share. */
export interface Shared extends ReplayTables {
  readonly inputs: readonly OpenInput[];
  readonly options: ReplayOptions;
  readonly plan: MergePlan;
  /** All devices of the recording. */
  readonly devices: Devices;
  /** Losses in the recording: how many, the events of those that say it, and the first ones. */
  readonly gapCount: number;
  readonly lostEvents: number;
  /** Markers so far; and the pattern of syncs that was asked for, where it matches none of them. */
  readonly markers: number;
  readonly idlePattern: RegExp | null;
  readonly gaps: readonly GapSummary[];
  /** Which machine is whose. */
  readonly whose: Machines;
  /** At the end: devices of which nothing was replayed, and that are of none of the machines. */
  readonly idleDevices: ReadonlySet<Device>;
  queueOf(): (id: number) => QueueName;
  devicesOf(machine: number): Device[];
}

export class MachineReplay implements ReplayState {
  /** From 1, as the user counts. */
  readonly number: number;
  readonly #index: number;
  readonly shared: Shared;
  /** Migrations of this machine, and where its RAM lies. */
  readonly follower: MigrationFollower;
  readonly rounds = new Map<LogWindow, Round[]>();
  moreRounds = 0;
  unattributed = 0;
  /** Highest page logged behind the end of QEMU's log, by policy. */
  readonly beyondLog = new Map<string, number>();
  readonly #caveats: RoundCaveats;
  #syncs = 0;
  #round = 0;
  /** Number of the last sync whose marker has one, and how many its number says are missing before it. */
  #numbered: number | null = null;
  syncsMissing = 0;
  /** By row: pages that were left out and logged, when the recording ended without a sync. */
  #covered: number[] = [];

  constructor(
    index: number,
    shared: Shared,
    { memoryMap, migrationSettings }: Pick<Recording, "memoryMap" | "migrationSettings">,
  ) {
    this.#index = index;
    this.number = index + 1;
    this.shared = shared;
    this.#caveats = new RoundCaveats(shared.core, shared.inputs);
    this.follower = new MigrationFollower(
      this,
      memoryMap ?? [],
      (moment, told) => this.sync({ name: "bitmap sync", ...moment }, BigInt(moment.ns), told),
      migrationSettings?.copy(),
    );
  }

  get core(): Core {
    return this.shared.core;
  }
  get inputs(): readonly OpenInput[] {
    return this.shared.inputs;
  }
  get options(): ReplayOptions {
    return this.shared.options;
  }
  /** Who it is, as far as is told. */
  get identity(): Pick<MachineResult, "number" | "pid" | "name" | "toldBy"> {
    const party = this.shared.whose.party(this.#index);
    const toldBy = party ? TOLD_BY.filter((one) => party.toldBy.has(one)) : [];
    return { number: this.number, pid: party?.pid ?? null, name: null, toldBy };
  }
  /** Whether pages of another machine may have been taken for this one's. */
  get notTold(): boolean {
    return this.shared.whose.notTold(this.#index);
  }
  get plan(): MergePlan {
    return this.shared.plan;
  }
  get rows(): readonly Row[] {
    return this.shared.rows;
  }
  get gapCount(): number {
    return this.shared.gapCount;
  }
  get placeOf(): (stream: number, place: number) => Place {
    return this.shared.placeOf;
  }
  queueOf(): (id: number) => QueueName {
    return this.shared.queueOf();
  }
  handed(dev: bigint, input: number, name: string): LoggingChange[] | null {
    return this.shared.devices.handed(dev, input, name)?.logging ?? null;
  }
  /** The devices of this machine. */
  get devices(): Device[] {
    return this.shared.devicesOf(this.#index);
  }

  /** Questions to the core are about this machine from here on. */
  use(): this {
    this.core.exports.useMachine(this.#index);
    return this;
  }

  /** Syncs so far: the number of one whose marker has none. */
  get syncs(): number {
    return this.#syncs;
  }

  /** The number that a sync's marker gives it: the recipe's follow each other. */
  numbered(number: number): void {
    if (this.#numbered !== null && number > this.#numbered + 1) {
      this.syncsMissing += number - this.#numbered - 1;
    }
    this.#numbered = number;
  }

  /** The most pages that a policy left out and logged for another write, where no sync is recorded. */
  coveredWithoutSync(window: LogWindow): number {
    const own = this.#covered.filter((_, i) => this.rows[i]!.window === window);
    return this.#syncs > 0 ? 0 : Math.max(0, ...own);
  }

  /** Events were lost. */
  gap(ts: bigint): void {
    this.#caveats.gap();
    this.follower.gap(ts);
  }

  /** Ends the round: the dirty log is fetched, or (`mark` null) the recording is at its end. */
  async sync(
    mark: SyncMark | null,
    ts: bigint | null,
    bitmapSync: Round["bitmapSync"],
  ): Promise<void> {
    const { exports } = this.core;
    this.use();
    if (ts !== null) exports.migrationSync(ts);
    this.follower.roundEnds();
    // Once logging was seen, the window is the recorded one: the other rows are of no interest.
    if (this.options.window === "auto" && exports.loggingSeen() !== 0) {
      exports.useRows(this.options.policies.length);
    }
    exports.sync();
    exports.attribute();
    this.unattributed += exports.refusedEvidence();
    this.#checkLogEnd();
    if (mark === null && this.#syncs === 0) {
      this.#covered = this.rows.map((_, i) => exports.coveredPages(i));
    }
    const rounds = readRound(this.core, this.rows, this.#round, mark, this.#caveats.take());
    for (const round of rounds) round.bitmapSync = bitmapSync;
    // What follows the last sync is a round only when something happened in it.
    if (mark !== null || this.#round === 0 || rounds.some((round) => !isEmpty(round))) {
      this.#list(rounds);
      await this.#show(mark, rounds[0]!);
      const { sink, sinkMachine = this.number } = this.options;
      if (sinkMachine === this.number) sink?.round(this.shared, this.#round);
    }
    exports.clearRound();
    exports.dropEvidence();
    exports.nextRound();
    this.#round++;
    if (mark) this.#syncs++;
  }

  /** Keeps a round, one for each window. */
  #list(rounds: readonly Round[]): void {
    if (this.#round >= MAX_ROUNDS) {
      this.moreRounds++;
      return;
    }
    [...new Set(this.rows.map((row) => row.window))].forEach((window, i) => {
      const list = this.rounds.get(window) ?? [];
      list.push(rounds[i]!);
      this.rounds.set(window, list);
    });
  }

  async #show(mark: SyncMark | null, round: Round): Promise<void> {
    const { onSync } = this.options;
    if (!onSync) return;
    const facts = { machine: this.number, mark, round };
    const done = onSync(syncView(this.core, facts, this.#logPages() / 8));
    if (done) await done;
  }

  /** Pages of the log that QEMU allocates for this machine; 0: no map is known. */
  #logPages(): number {
    return qemuLogPages(this.devices.map(({ memory }) => memory));
  }

  /** Bits that a policy sets behind the log's end: the kernel does not check (vhost.c log_write()). */
  #checkLogEnd(): void {
    const pages = this.#logPages();
    if (pages === 0 || this.core.exports.roundEndPage() <= pages) return;
    this.rows.forEach((row, i) => {
      if (row.window !== "recorded") return;
      const name = this.options.policies[row.policy]!.policy.name;
      const highest = this.core.highest(i, RowSet.Logged);
      if (highest >= pages) {
        this.beyondLog.set(name, Math.max(highest, this.beyondLog.get(name) ?? 0));
      }
    });
  }

  /** The recording is at its end. */
  async finish(ts: bigint): Promise<void> {
    await this.sync(null, null, null);
    await this.follower.finish(ts);
  }
}
